/**
 * A limit of bytes per second.
 *
 * @module
 */

/** A token bucket that may run into debt by one datagram, so that any rate passes datagrams of any size. */
export class RateLimit {
  readonly #bytesPerMs: number;
  readonly #depth: number;
  #credit: number;
  #countedAt: number;

  /**
   * @param bytesPerSecond more than zero
   * @param depth bytes that may leave at once after a pause
   */
  constructor(bytesPerSecond: number, depth: number, nowMs: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#depth = depth;
    this.#credit = depth;
    this.#countedAt = nowMs;
  }

  /** When the next datagram may leave, in ms: now or later. */
  readyAt(nowMs: number): number {
    this.#credit = Math.min(this.#depth, this.#credit + (nowMs - this.#countedAt) * this.#bytesPerMs);
    this.#countedAt = nowMs;
    return this.#credit > 0 ? nowMs : nowMs + (1 - this.#credit) / this.#bytesPerMs;
  }

  /** Takes in that a datagram left. */
  spend(sizeBytes: number): void {
    this.#credit -= sizeBytes;
  }
}
