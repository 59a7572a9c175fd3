/**
 * The measured round-trip time and what follows from it: when to give a message up for lost.
 *
 * @module
 */

/** A server that syncs or a busy machine keeps acks back this long without losing anything. */
const LEAST_TIMEOUT_MS = 100;
/** How much later than the round-trip time an overtaken message may still arrive, at first and at most. */
const REORDERING_MS = { first: 2, most: 200 } as const;

/** Smoothed round-trip time with its deviation, as in RFC 6298. */
export class RoundTrip {
  readonly #timeoutMs: number;
  #deviationMs = 0;
  #reorderingMs: number = REORDERING_MS.first;
  /** Smoothed round-trip time in ms; `undefined` before the first sample. */
  smoothedMs: number | undefined;
  /** The shortest round trip seen, in ms. */
  leastMs = 0;

  /** @param timeoutMs the wait before a resend while nothing is measured, and never exceeded */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Takes in the time between a message that was sent once and its ack. */
  sample(roundTripMs: number): void {
    if (this.smoothedMs === undefined) {
      this.smoothedMs = roundTripMs;
      this.#deviationMs = roundTripMs / 2;
      this.leastMs = roundTripMs;
      return;
    }
    this.#deviationMs += (Math.abs(this.smoothedMs - roundTripMs) - this.#deviationMs) / 4;
    this.smoothedMs += (roundTripMs - this.smoothedMs) / 8;
    this.leastMs = Math.min(this.leastMs, roundTripMs);
  }

  /** How long to wait for any ack before sending again, in ms. */
  get timeoutMs(): number {
    if (this.smoothedMs === undefined) return this.#timeoutMs;
    return Math.min(this.#timeoutMs, this.smoothedMs + Math.max(4 * this.#deviationMs, LEAST_TIMEOUT_MS));
  }

  /** How long to wait for the ack of a message once one sent later was acknowledged, in ms. */
  get overtakenMs(): number {
    return Math.min(this.timeoutMs, (this.smoothedMs ?? this.#timeoutMs) * 1.125 + this.#reorderingMs);
  }

  /** A message given up for lost was only late: be more patient. */
  onLateAck(): void {
    this.#reorderingMs = Math.min(2 * this.#reorderingMs, REORDERING_MS.most);
  }
}
