/**
 * Lets a few dumps end at a time: while one is made final or labelled it holds a descriptor more, and those are what a server
 * runs out of first. All that come at once have their turn one behind the other, in milliseconds.
 *
 * @module
 */
import type { Clock } from "./clock.ts";

/** Dumps that end at once: what `readiness.ts` keeps of descriptors for each receiver is for these. */
const MOST_AT_ONCE = 8;
/** Those before may be on a disk that hangs; who waited so long does not wait for it. A kernel waits for 12 s. */
const MOST_WAIT_MS = 2000;

/** The gate of one receiver. */
export class EndingGate {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends a dump when it is its turn; what `end` returns or throws is passed on. */
  async pass<T>(end: () => Promise<T>): Promise<T> {
    if (this.#inside < MOST_AT_ONCE) this.#inside++;
    else await this.#turn();
    try {
      return await end();
    } finally {
      const next = this.#inside > MOST_AT_ONCE ? undefined : this.#waiting.shift();
      // Whoever is next gets the place itself, so that nobody slips in before.
      if (next === undefined) this.#inside--;
      else next();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      const enter = () => {
        cancel();
        resolve();
      };
      this.#waiting.push(enter);
      const cancel = this.#clock.after(MOST_WAIT_MS, () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        this.#inside++;
        resolve();
      });
    });
  }
}
