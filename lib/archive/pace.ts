/**
 * How fast is shipped: as fast as it goes, but no faster than a rate while dumps arrive, which come first (P2).
 *
 * @module
 */

/** Keeps to a rate while the server is busy. */
export class Pacer {
  readonly #bytesPerSecond: number | null;
  readonly #now: () => number;
  readonly #sleep: (ms: number) => Promise<void>;
  /** Dumps that arrive. */
  busy = 0;
  #freeMs = 0;

  /** @param bytesPerSecond `null` for no limit */
  constructor(
    bytesPerSecond: number | null,
    now: () => number = () => performance.now(),
    sleep: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  ) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#now = now;
    this.#sleep = sleep;
  }

  /** Resolves when so many bytes more may be sent. */
  async wait(sizeBytes: number): Promise<void> {
    if (this.#bytesPerSecond === null) return;
    // It looks again every second whether dumps still arrive.
    while (this.busy > 0 && this.#freeMs > this.#now()) {
      await this.#sleep(Math.min(1000, this.#freeMs - this.#now()));
    }
    this.#freeMs = Math.max(this.#freeMs, this.#now());
    if (this.busy > 0) this.#freeMs += sizeBytes / this.#bytesPerSecond * 1000;
    else this.#freeMs = this.#now();
  }
}
