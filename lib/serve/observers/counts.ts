/**
 * What metrics count with: numbers by kind, and values by size.
 *
 * @module
 */
import type { HistogramCounts, Sample } from "./exposition.ts";

/** Counts by kind; all kinds are there from the beginning, at zero. */
export class Tally {
  readonly #counts: Map<string, number>;

  constructor(...kinds: string[]) {
    this.#counts = new Map(kinds.map((kind) => [kind, 0]));
  }

  add(kind: string, count = 1): void {
    this.#counts.set(kind, this.get(kind) + count);
  }

  get(kind: string): number {
    return this.#counts.get(kind) ?? 0;
  }

  samples(label: string): Sample[] {
    return Array.from(this.#counts, ([kind, value]) => ({ labels: { [label]: kind }, value }));
  }
}

/** Values by size. */
export class Histogram implements HistogramCounts {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** Adds what another has counted by the same bounds. */
  addAll(counts: readonly number[], sum: number): void {
    for (const [i, count] of counts.entries()) if (i < this.counts.length) this.counts[i]! += count;
    this.sum += sum;
  }

  add(value: number): void {
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    this.counts[bucket < 0 ? this.bounds.length : bucket]!++;
    this.sum += value;
  }
}
