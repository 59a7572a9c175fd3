/**
 * Looks again and again whether a dump would be taken now (P11), and tells each change once.
 *
 * @module
 */
import type { Observe } from "./events.ts";
import type { Finding } from "./readiness.ts";

/** A server is looked at this often. */
const EVERY_MS = 60_000;

/** What is known of a server's readiness. */
export class ReadinessWatch {
  readonly #look: () => Promise<readonly Finding[]>;
  readonly #observe: Observe;
  #findings: readonly Finding[] = [];
  #looking: Promise<readonly Finding[]> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(look: () => Promise<readonly Finding[]>, observe: Observe) {
    this.#look = look;
    this.#observe = observe;
  }

  /** Looks now, and every minute from now on. */
  async start(everyMs = EVERY_MS): Promise<void> {
    this.#timer = setInterval(() => void this.look(), everyMs);
    await this.look();
  }

  /** Looks no more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks, unless somebody does already. */
  look(): Promise<readonly Finding[]> {
    this.#looking ??= this.#lookNow().finally(() => this.#looking = undefined);
    return this.#looking;
  }

  async #lookNow(): Promise<readonly Finding[]> {
    const before = this.#findings;
    const now = await this.#look();
    this.#findings = now;
    for (const finding of now) {
      if (!before.some((other) => isSame(other, finding))) this.#observe({ event: "not-ready", ...finding });
    }
    for (const { check } of before) {
      if (!now.some((other) => other.check === check)) this.#observe({ event: "mended", check });
    }
    return now;
  }
}

/** Figures in its words may change without being news. */
function isSame(a: Finding, b: Finding): boolean {
  return a.check === b.check && a.blocks === b.blocks;
}
