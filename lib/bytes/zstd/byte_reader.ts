/**
 * Takes small pieces from a source that is better read in large ones.
 *
 * @module
 */

import type { Source } from "../source.ts";

const PIECE_BYTES = 2 ** 18;
/** Zeros kept behind the data, which bit readers touch but do not use. */
const PADDING = 8;

/** A cursor over a source. */
export class ByteReader {
  readonly #source: Source;
  readonly #buffer = new Uint8Array(2 * PIECE_BYTES + PADDING);
  #start = 0;
  #end = 0;
  #position = 0;
  #atEnd = false;

  constructor(source: Source) {
    this.#source = source;
  }

  /** How much of the source was taken. */
  get position(): number {
    return this.#position;
  }

  /** Looks at the next bytes, fewer at the end of the source. */
  async peek(count: number): Promise<Uint8Array> {
    await this.#fill(count);
    return this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + count));
  }

  /** The same where it needs no reading; `undefined` where it does. */
  peekNow(count: number): Uint8Array | undefined {
    return this.#end - this.#start < count
      ? undefined
      : this.#buffer.subarray(this.#start, this.#start + count);
  }

  /** Looks at all that is in memory, `count` bytes at least, fewer at the end of the source. */
  async window(count: number): Promise<Uint8Array> {
    await this.#fill(count);
    return this.inMemory();
  }

  /** Looks at what needs no reading. */
  inMemory(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** Goes back to where it was. */
  rewind(position: number): void {
    this.#position = position;
    this.#start = this.#end = 0;
    this.#atEnd = false;
  }

  /**
   * Takes exactly `count` bytes, at most a piece; the array is longer than that, and good until the next call.
   *
   * @returns `undefined`, and takes nothing, if the source has fewer
   */
  async take(count: number): Promise<Uint8Array | undefined> {
    await this.#fill(count);
    return this.takeNow(count);
  }

  /** The same where it needs no reading: `undefined` where it does. There may be millions of tiny blocks, and waiting costs. */
  takeNow(count: number): Uint8Array | undefined {
    if (this.#end - this.#start < count) return undefined;
    const bytes = this.#buffer.subarray(this.#start);
    this.#start += count;
    this.#position += count;
    return bytes;
  }

  /** Leaves bytes out, also beyond the end of the source. */
  skip(count: number): void {
    this.#position += count;
    const buffered = Math.min(count, this.#end - this.#start);
    this.#start += buffered;
    if (count > buffered) this.#start = this.#end = 0;
  }

  async #fill(count: number): Promise<void> {
    while (this.#end - this.#start < count && !this.#atEnd) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
      const piece = await this.#source.read(this.#position + this.#end, PIECE_BYTES);
      this.#buffer.set(piece, this.#end);
      this.#end += piece.byteLength;
      this.#buffer.fill(0, this.#end, this.#end + PADDING);
      this.#atEnd = piece.byteLength < PIECE_BYTES;
    }
  }
}
