/**
 * The map of received byte ranges (P3): sorted, disjoint, never adjacent, in bounded memory.
 *
 * @module
 */

/** A range of bytes, `end` exclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A set of byte offsets, kept as ranges. */
export class Extents {
  /** Starts at even places, ends at odd ones. */
  #bounds = new Float64Array(16);
  #length = 0;
  #covered = 0;
  readonly #mostRanges: number;

  /** @param mostRanges how many ranges it may hold; more are refused by {@linkcode add} */
  constructor(mostRanges = 8192) {
    this.#mostRanges = mostRanges;
  }

  /** Bytes in the set. */
  get covered(): number {
    return this.#covered;
  }

  /** End of the last range, 0 if there is none. */
  get end(): number {
    return this.#length === 0 ? 0 : this.#bounds[this.#length - 1]!;
  }

  /** Number of ranges. */
  get count(): number {
    return this.#length / 2;
  }

  /**
   * Adds `[start, end)`.
   *
   * @returns how many bytes of it were new, or -1 if it was not added because the set holds its most ranges
   */
  add(start: number, end: number): number {
    if (end <= start) return 0;
    const bounds = this.#bounds;
    const length = this.#length;
    // A dump grows at its end: nearly always this is the last range, prolonged.
    if (length > 0 && start === bounds[length - 1]!) {
      bounds[length - 1] = end;
      this.#covered += end - start;
      return end - start;
    }
    const low = this.#firstEndingAtOrAfter(start);
    let high = low;
    let mergedStart = start;
    let mergedEnd = end;
    let replaced = 0;
    for (; high < length && bounds[high]! <= end; high += 2) {
      mergedStart = Math.min(mergedStart, bounds[high]!);
      mergedEnd = Math.max(mergedEnd, bounds[high + 1]!);
      replaced += bounds[high + 1]! - bounds[high]!;
    }
    if (low === high && length / 2 >= this.#mostRanges) return -1;
    this.#splice(low, high);
    this.#bounds[low] = mergedStart;
    this.#bounds[low + 1] = mergedEnd;
    const fresh = mergedEnd - mergedStart - replaced;
    this.#covered += fresh;
    return fresh;
  }

  /** Tells whether all of `[start, end)` is in the set. */
  contains(start: number, end: number): boolean {
    const at = this.#firstEndingAtOrAfter(start);
    return start >= end || (at < this.#length && this.#bounds[at]! <= start && this.#bounds[at + 1]! >= end);
  }

  /** Tells whether any byte of `[start, end)` is in the set. */
  intersects(start: number, end: number): boolean {
    let at = this.#firstEndingAtOrAfter(start);
    if (at < this.#length && this.#bounds[at + 1] === start) at += 2;
    return at < this.#length && this.#bounds[at]! < end;
  }

  /** The ranges of `[start, end)` that are not in the set, at most `most` of them. */
  missing(start: number, end: number, most = Infinity): Range[] {
    const gaps: Range[] = [];
    let at = start;
    for (let i = this.#firstEndingAtOrAfter(start); i < this.#length && at < end; i += 2) {
      if (this.#bounds[i]! > at) gaps.push({ start: at, end: Math.min(this.#bounds[i]!, end) });
      if (gaps.length >= most) return gaps;
      at = Math.max(at, this.#bounds[i + 1]!);
    }
    if (at < end && gaps.length < most) gaps.push({ start: at, end });
    return gaps;
  }

  /** The ranges of `[start, end)` that are in the set. */
  within(start: number, end: number): Range[] {
    const found: Range[] = [];
    for (let i = this.#firstEndingAtOrAfter(start); i < this.#length && this.#bounds[i]! < end; i += 2) {
      const range = { start: Math.max(start, this.#bounds[i]!), end: Math.min(end, this.#bounds[i + 1]!) };
      if (range.end > range.start) found.push(range);
    }
    return found;
  }

  /** All ranges, in order. */
  ranges(): Range[] {
    const ranges: Range[] = [];
    for (let i = 0; i < this.#length; i += 2) {
      ranges.push({ start: this.#bounds[i]!, end: this.#bounds[i + 1]! });
    }
    return ranges;
  }

  /** Place of the first range whose end is at or behind `offset`. */
  #firstEndingAtOrAfter(offset: number): number {
    let low = 0;
    let high = this.#length / 2;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#bounds[2 * middle + 1]! < offset) low = middle + 1;
      else high = middle;
    }
    return 2 * low;
  }

  /** Replaces the bounds in places `[low, high)` by room for one range. */
  #splice(low: number, high: number): void {
    const length = this.#length - (high - low) + 2;
    if (length > this.#bounds.length) {
      const grown = new Float64Array(2 * this.#bounds.length);
      grown.set(this.#bounds);
      this.#bounds = grown;
    }
    this.#bounds.copyWithin(low + 2, high, this.#length);
    this.#length = length;
  }
}
