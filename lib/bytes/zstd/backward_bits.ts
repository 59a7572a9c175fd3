/**
 * Reads bits from the end of a byte string to its front, as entropy-coded zstd streams are read (RFC 8878, section 4.1).
 *
 * @module
 */

import { ensure } from "./corrupt.ts";

/** The most bits that one read can gather: 4 bytes less 7 bits of misalignment. */
const MAX_READ_BITS = 25;

/** A bit stream read backwards. Reading beyond its front gives zeros and makes `left` negative. */
export class BackwardBits {
  /** Bits not yet read; negative once more were read than there are. */
  left: number;
  readonly #view: DataView;

  /**
   * @param bytes with 4 bytes at least behind `end`, of any value
   * @throws {CorruptStreamError} if the last byte, whose highest set bit ends the stream, is zero or missing
   */
  constructor(bytes: Uint8Array, start: number, end: number) {
    const last = end > start ? bytes[end - 1]! : 0;
    ensure(last !== 0, "a bit stream has no end mark");
    this.#view = new DataView(bytes.buffer, bytes.byteOffset + start);
    this.left = (end - start) * 8 - Math.clz32(last) + 23;
  }

  /** Reads up to 31 bits. */
  read(count: number): number {
    if (count <= MAX_READ_BITS) return this.#gather(count);
    const high = this.#gather(count - 16);
    return (high << 16 | this.#gather(16)) >>> 0;
  }

  #gather(count: number): number {
    this.left -= count;
    const bit = this.left;
    if (bit < 0) {
      // Bits in front of the stream are zeros: RFC 8878, section 4.2.1.2 relies on it.
      return -bit >= count ? 0 : this.#at(0) << -bit & ((1 << count) - 1);
    }
    return this.#at(bit) & ((1 << count) - 1);
  }

  #at(bit: number): number {
    return this.#view.getInt32(bit >> 3, true) >>> (bit & 7);
  }
}
