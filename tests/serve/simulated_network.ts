/**
 * One direction of a simulated network: it delays, loses, doubles and reorders, all from a seed.
 *
 * @module
 */
import type { SimulatedTime } from "./simulated_time.ts";

/** What a link does to what is sent over it. Chances are of 1. */
export interface Faults {
  /** Chance that an item is lost. */
  readonly loss?: number;
  /** Chance that an item comes a second time, up to `duplicateMs` later. */
  readonly duplicate?: number;
  readonly duplicateMs?: number;
  /** Chance that an item takes up to `reorderMs` longer, and is overtaken. */
  readonly reorder?: number;
  readonly reorderMs?: number;
}

/** Time that an item takes from end to end. */
const LATENCY_MS = 0.1;
/** Time that the line is busy with one item: 1,500 bytes at 1 Gb/s. */
const SPACING_MS = 0.012;

/** Sends items of one kind one way. */
export class SimulatedLink<T> {
  /** Items lost so far. */
  lost = 0;
  readonly #time: SimulatedTime;
  readonly #random: () => number;
  readonly #faults: Faults;
  readonly #deliver: (item: T) => void;
  readonly #spacingMs: number;
  #freeAtMs = 0;

  constructor(
    time: SimulatedTime,
    random: () => number,
    faults: Faults,
    deliver: (item: T) => void,
    spacingMs = SPACING_MS,
  ) {
    this.#time = time;
    this.#random = random;
    this.#faults = faults;
    this.#deliver = deliver;
    this.#spacingMs = spacingMs;
  }

  /** Sends an item; `isLost` overrules the chance. */
  send(item: T, isLost?: boolean): void {
    const { loss = 0, duplicate = 0, duplicateMs = 1, reorder = 0, reorderMs = 1 } = this.#faults;
    this.#freeAtMs = Math.max(this.#freeAtMs, this.#time.nowMs) + this.#spacingMs;
    if (isLost ?? this.#happens(loss)) {
      this.lost++;
      return;
    }
    const late = this.#happens(reorder) ? this.#random() * reorderMs : 0;
    this.#deliverAfter(late, item);
    if (this.#happens(duplicate)) this.#deliverAfter(late + this.#random() * duplicateMs, item);
  }

  #deliverAfter(lateMs: number, item: T): void {
    this.#time.at(this.#freeAtMs + LATENCY_MS + lateMs, () => this.#deliver(item));
  }

  #happens(chance: number): boolean {
    return chance > 0 && this.#random() < chance;
  }
}
