/**
 * Reads DWARF's integers and strings one behind the other, never beyond the bytes given.
 *
 * @module
 */

import { decodeUtf8 } from "../../text/utf8.ts";

/** The bytes cannot be what they should be. It never leaves the room: callers turn it into "not found". */
export class DamagedDwarfError extends Error {}

/** Runs `read`; `otherwise` if what it reads is damaged. */
export function unlessDamaged<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DamagedDwarfError) return otherwise;
    throw error;
  }
}

/** Names are shorter in any compiler's output. */
const MAX_STRING_BYTES = 4096;

/** A position in bytes. Every read moves it, and throws {@linkcode DamagedDwarfError} at the end. */
export class Cursor {
  readonly bytes: Uint8Array;
  readonly littleEndian: boolean;
  at: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, littleEndian: boolean, at = 0) {
    this.bytes = bytes;
    this.littleEndian = littleEndian;
    this.at = at;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes left. */
  get left(): number {
    return this.bytes.byteLength - this.at;
  }

  /** Moves on without reading. */
  skip(length: number): void {
    this.#take(length);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  i8(): number {
    return this.#view.getInt8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), this.littleEndian);
  }

  u24(): number {
    const at = this.#take(3);
    const [a, b, c] = [this.bytes[at]!, this.bytes[at + 1]!, this.bytes[at + 2]!];
    return this.littleEndian ? a | b << 8 | c << 16 : c | b << 8 | a << 16;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), this.littleEndian);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), this.littleEndian);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), this.littleEndian);
  }

  /** An unsigned integer of 1, 2, 4 or 8 bytes. */
  unsigned(size: number): bigint {
    switch (size) {
      case 1:
        return BigInt(this.u8());
      case 2:
        return BigInt(this.u16());
      case 4:
        return BigInt(this.u32());
      case 8:
        return this.u64();
      default:
        throw new DamagedDwarfError(`an integer of ${size} bytes`);
    }
  }

  /** An offset or a length: 4 bytes, 8 in the 64-bit format. */
  offset(is64: boolean): number {
    if (!is64) return this.u32();
    const value = Number(this.u64());
    if (value >= 2 ** 52) throw new DamagedDwarfError("an absurd offset");
    return value;
  }

  /** A length at the front of a unit, which also tells the format. */
  initialLength(): { readonly length: number; readonly is64: boolean } {
    const length = this.u32();
    if (length === 0xffffffff) return { length: this.offset(true), is64: true };
    if (length >= 0xfffffff0) throw new DamagedDwarfError("a reserved length");
    return { length, is64: false };
  }

  /** An unsigned LEB128 that must fit 2^53: numbers of things, sizes. */
  uleb(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    if (!Number.isSafeInteger(value)) throw new DamagedDwarfError("an absurd number");
    return value;
  }

  /** A signed LEB128 that must fit 2^53. */
  sleb(): number {
    const value = Number(this.slebBig());
    if (!Number.isSafeInteger(value)) throw new DamagedDwarfError("an absurd number");
    return value;
  }

  /** An unsigned LEB128, its low 64 bits. */
  ulebBig(): bigint {
    return BigInt.asUintN(64, this.#leb().value);
  }

  /** A signed LEB128, its low 64 bits. */
  slebBig(): bigint {
    const { value, bits } = this.#leb();
    return BigInt.asIntN(64, BigInt.asIntN(bits, value));
  }

  /** A string to its NUL. */
  string(): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw new DamagedDwarfError("a string without an end");
    const start = this.at;
    this.at = end + 1;
    return decodeUtf8(this.bytes.subarray(start, Math.min(end, start + MAX_STRING_BYTES)));
  }

  /** Bytes, not copied. */
  block(length: number): Uint8Array {
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  #leb(): { value: bigint; bits: number } {
    let value = 0n;
    let bits = 0;
    for (;;) {
      const byte = this.u8();
      // Padding beyond 64 bits is allowed, and tells nothing.
      if (bits < 70) value |= BigInt(byte & 0x7f) << BigInt(bits);
      bits = Math.min(bits + 7, 70);
      if (byte < 0x80) return { value, bits };
    }
  }

  #take(length: number): number {
    const at = this.at;
    if (at < 0 || length > this.bytes.byteLength - at || length < 0) {
      throw new DamagedDwarfError("the data ends");
    }
    this.at = at + length;
    return at;
  }
}
