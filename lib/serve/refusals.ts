/**
 * Tells why HERALDs are refused: the first of a client for one cause at once, more of the same summed up (P7).
 *
 * @module
 */
import type { EventOf, Observe } from "./events.ts";

/** Refusals that are alike are summed up over this time. */
const SUM_UP_MS = 60_000;
/** Kinds of refusals that are kept apart; of more than these only the first is told. */
const MOST_KINDS = 1024;

/** What a refusal is, but for how often. */
export type Refusal = Omit<EventOf<"refused">, "event" | "count">;

/** Refusals of the last while. */
export class Refusals {
  readonly #observe: Observe;
  readonly #kinds = new Map<string, { latest: Refusal; count: number; readonly sinceMs: number }>();

  constructor(observe: Observe) {
    this.#observe = observe;
  }

  /** Tells or counts a refusal. */
  refuse(refusal: Refusal, nowMs: number): void {
    this.sumUp(nowMs);
    const key = `${refusal.client} ${refusal.cause}`;
    const known = this.#kinds.get(key);
    if (known !== undefined) {
      known.latest = refusal;
      known.count++;
      return;
    }
    if (this.#kinds.size < MOST_KINDS) this.#kinds.set(key, { latest: refusal, count: 0, sinceMs: nowMs });
    this.#observe({ event: "refused", ...refusal, count: 1 });
  }

  /** Tells what was counted long enough; all of it with `Infinity`. */
  sumUp(nowMs: number): void {
    // In the order in which they came, so the first that is young ends it.
    for (const [key, { latest, count, sinceMs }] of this.#kinds) {
      if (nowMs - sinceMs < SUM_UP_MS) return;
      this.#kinds.delete(key);
      if (count > 0) this.#observe({ event: "refused", ...latest, count });
    }
  }
}
