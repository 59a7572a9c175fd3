/**
 * The sequences section of a compressed zstd block: copies of literals and of earlier output
 * (RFC 8878, section 3.1.1.3.2).
 *
 * @module
 */

import { BackwardBits } from "./backward_bits.ts";
import { ensure } from "./corrupt.ts";
import { buildFseTable, type FseTable, readFseTable, singleSymbolTable } from "./fse.ts";
import type { OutputWindow } from "./output_window.ts";

/** Offsets of larger codes exceed the largest window that is taken. */
const MAX_OFFSET_CODE = 28;

/** How one of the three values of a sequence is coded. */
interface Coding {
  readonly maxSymbol: number;
  readonly maxLog: number;
  readonly predefined: FseTable;
}

/** What each code stands for: a base and the number of bits to add. */
interface Codes {
  readonly base: Int32Array;
  readonly bits: Uint8Array;
}

const LITERAL_LENGTHS: Coding = {
  maxSymbol: 35,
  maxLog: 9,
  // deno-fmt-ignore
  predefined: buildFseTable([
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
    -1, -1, -1, -1,
  ], 6),
};
const OFFSETS: Coding = {
  maxSymbol: 31,
  maxLog: 8,
  // deno-fmt-ignore
  predefined: buildFseTable([
    1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1,
  ], 5),
};
const MATCH_LENGTHS: Coding = {
  maxSymbol: 52,
  maxLog: 9,
  // deno-fmt-ignore
  predefined: buildFseTable([
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
  ], 6),
};

/** Bits by code; the bases follow from them, each code beginning where the one before ends. */
const LITERAL_LENGTH_CODES = codesOf(0, [
  ...new Array(16).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
]);
const MATCH_LENGTH_CODES = codesOf(3, [
  ...new Array(32).fill(0),
  ...[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
]);

function codesOf(first: number, bits: number[]): Codes {
  const base = new Int32Array(bits.length);
  let next = first;
  for (const [code, count] of bits.entries()) {
    base[code] = next;
    next += 2 ** count;
  }
  return { base, bits: Uint8Array.from(bits) };
}

/** How the bits of a compression mode choose a table. */
const enum Mode {
  PREDEFINED,
  RLE,
  FSE,
  REPEAT,
}

/** Decodes and carries out the sequences of one block after another: tables and offsets of a block may be repeated. */
export class SequencesDecoder {
  #literalLengths: FseTable | undefined;
  #offsets: FseTable | undefined;
  #matchLengths: FseTable | undefined;
  /** A block's sequences ended before its bits did: damage, unless the frame's checksum says otherwise. */
  hasLeftOver = false;
  /** The last three offsets, the newest first (section 3.1.1.5). */
  readonly #recent = Int32Array.of(1, 4, 8);

  /**
   * Carries out the sequences in `bytes` from `start` to `end`, and puts what they leave of the literals behind.
   *
   * @throws {CorruptStreamError}
   */
  execute(bytes: Uint8Array, start: number, end: number, literals: Uint8Array, out: OutputWindow): void {
    ensure(start < end, "a block has no sequences section");
    let at = start + 1;
    let count = bytes[start]!;
    if (count === 255) {
      count = (bytes[at]! | bytes[at + 1]! << 8) + 0x7f00;
      at += 2;
    } else if (count >= 128) {
      count = (count - 128) << 8 | bytes[at++]!;
    }
    if (count === 0) {
      ensure(at === end, "a block without sequences does not end where it should");
      return out.append(literals, 0, literals.byteLength);
    }
    ensure(at < end, "sequences are cut");
    const used = this.#executeAll(
      new BackwardBits(bytes, this.#readTables(bytes, at, end), end),
      count,
      literals,
      out,
    );
    out.append(literals, used, literals.byteLength);
  }

  #readTables(bytes: Uint8Array, start: number, end: number): number {
    const modes = bytes[start]!;
    let at = start + 1;
    const read = (mode: Mode, coding: Coding, previous: FseTable | undefined): FseTable => {
      switch (mode) {
        case Mode.PREDEFINED:
          return coding.predefined;
        case Mode.RLE: {
          ensure(at < end && bytes[at]! <= coding.maxSymbol, "sequences are cut or name an unknown code");
          return singleSymbolTable(bytes[at++]!);
        }
        case Mode.FSE: {
          const described = readFseTable(bytes, at, end, coding.maxSymbol, coding.maxLog);
          at = described.end;
          return described.table;
        }
        case Mode.REPEAT:
          ensure(previous !== undefined, "sequences refer to a table that was never given");
          return previous;
      }
    };
    this.#literalLengths = read(modes >> 6, LITERAL_LENGTHS, this.#literalLengths);
    this.#offsets = read(modes >> 4 & 3, OFFSETS, this.#offsets);
    this.#matchLengths = read(modes >> 2 & 3, MATCH_LENGTHS, this.#matchLengths);
    return at;
  }

  /** @returns how many of the literals were used */
  #executeAll(stream: BackwardBits, count: number, literals: Uint8Array, out: OutputWindow): number {
    const [lengths, offsets, matches] = [this.#literalLengths!, this.#offsets!, this.#matchLengths!];
    let lengthState = stream.read(lengths.log);
    let offsetState = stream.read(offsets.log);
    let matchState = stream.read(matches.log);
    let used = 0;
    for (let left = count; left > 0; left--) {
      const offsetCode = offsets.symbols[offsetState]!;
      const matchCode = matches.symbols[matchState]!;
      const lengthCode = lengths.symbols[lengthState]!;
      ensure(offsetCode <= MAX_OFFSET_CODE, "a sequence reaches back too far");
      const offsetValue = (1 << offsetCode) + stream.read(offsetCode);
      const matchLength = MATCH_LENGTH_CODES.base[matchCode]! +
        stream.read(MATCH_LENGTH_CODES.bits[matchCode]!);
      const literalLength = LITERAL_LENGTH_CODES.base[lengthCode]! +
        stream.read(LITERAL_LENGTH_CODES.bits[lengthCode]!);
      if (left > 1) {
        // One read for the three states.
        const matchBits = matches.bits[matchState]!;
        const offsetBits = offsets.bits[offsetState]!;
        const all = stream.read(lengths.bits[lengthState]! + matchBits + offsetBits);
        lengthState = lengths.base[lengthState]! + (all >>> (matchBits + offsetBits));
        matchState = matches.base[matchState]! + (all >>> offsetBits & ((1 << matchBits) - 1));
        offsetState = offsets.base[offsetState]! + (all & ((1 << offsetBits) - 1));
      }
      ensure(stream.left >= 0, "sequences end too early");
      ensure(used + literalLength <= literals.byteLength, "sequences use more literals than there are");
      out.append(literals, used, used + literalLength);
      used += literalLength;
      out.repeat(this.#offsetOf(offsetValue, literalLength), matchLength);
    }
    // The format forbids bits that are left over; the zstd program looks at them for some windows only.
    if (stream.left > 0) this.hasLeftOver = true;
    return used;
  }

  #offsetOf(value: number, literalLength: number): number {
    const recent = this.#recent;
    const index = value > 3 ? 3 : value - 1 + (literalLength === 0 ? 1 : 0);
    if (index === 0) return recent[0]!;
    const offset = value > 3 ? value - 3 : index === 3 ? recent[0]! - 1 : recent[index]!;
    ensure(offset > 0, "a sequence copies from nowhere");
    if (index !== 1) recent[2] = recent[1]!;
    recent[1] = recent[0]!;
    recent[0] = offset;
    return offset;
  }
}
