/**
 * Small reads of a source that is better read in large ones.
 *
 * @module
 */

import type { Source } from "./source.ts";

const PIECE_BYTES = 2 ** 18;

/** A source that keeps the piece read last, for readers that take a little, then a little more. */
export class BufferedSource implements Source {
  readonly #source: Source;
  #at = 0;
  #piece: Uint8Array = new Uint8Array();
  #isLast = false;

  /** @param source not owned: closing does nothing to it */
  constructor(source: Source) {
    this.#source = source;
  }

  get size(): number | null {
    return this.#source.size;
  }

  get randomAccess(): boolean {
    return this.#source.randomAccess;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const end = this.#at + this.#piece.byteLength;
    if (offset < this.#at || (offset + length > end && !this.#isLast)) {
      const asked = Math.max(length, PIECE_BYTES);
      // A new array: bytes that were given out before stay as they are.
      this.#piece = await this.#source.read(offset, asked);
      this.#at = offset;
      this.#isLast = this.#piece.byteLength < asked;
    }
    const from = offset - this.#at;
    return this.#piece.subarray(from, from + length);
  }

  close(): void {}
}
