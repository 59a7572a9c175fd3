/**
 * Inflate (RFC 1951), to the bit: what judges a damaged stream, and reads all where Deno has no native decoder that tells
 * where a stream ended (reference kernel-dump-formats.md, section 8).
 *
 * @module
 */

import {
  buildPrefixCode,
  decodeLongCode,
  emptyPrefixCode,
  LOOKUP_BITS,
  type PrefixCode,
} from "./prefix_code.ts";

/** Bytes of history that a copy can reach. */
const HISTORY = 32768;
/** Output is handed out in pieces of about this size. */
const PIECE = 65536;
const LONGEST_COPY = 258;

/** Bytes that a block header can take, with room for bits read ahead. */
const HEADER_BYTES = 1024;
/** Bytes that a symbol can take, with room for bits read ahead. */
const SYMBOL_BYTES = 12;
/** Bits that are held after a refill, at least: enough for a code and the bits that follow it. */
const REFILL_BITS = 25;

// The last two codes of each alphabet are not assigned: their bases are 0.
// deno-fmt-ignore
const LENGTH_BASE = Uint16Array.of(
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
  0, 0);
// deno-fmt-ignore
const LENGTH_BITS = Uint8Array.of(
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0, 0, 0);
// deno-fmt-ignore
const DISTANCE_BASE = Uint16Array.of(
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
  8193, 12289, 16385, 24577, 0, 0);
// deno-fmt-ignore
const DISTANCE_BITS = Uint8Array.of(
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 0, 0);
const END_OF_BLOCK = 256;
/** Lengths that a block may give: 5 bits and 257, 5 bits and 1. */
const MOST_LENGTHS = 288 + 32;
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const FIXED_LENGTHS = buildPrefixCode(
  Array.from({ length: 288 }, (_, symbol) => symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8),
  emptyPrefixCode(),
)!;
const FIXED_DISTANCES = buildPrefixCode(new Uint8Array(32).fill(5), emptyPrefixCode())!;

/** Runs up to this length, of the zeros that dumps are full of, are faster in a loop than in a call. */
const SHORT_RUN = 32;

/** What {@linkcode Inflater.step} stopped for. */
export type InflateStep = "input" | "output" | "end" | "truncated" | "corrupt";

/** Memory for one stream after another. */
export interface InflaterMemory {
  readonly output: Uint8Array;
  /** The codes of a block: of the lengths of the others, of literals and lengths, of distances. */
  readonly codes: readonly [PrefixCode, PrefixCode, PrefixCode];
  /** Lengths of the codes: of the first, of the others. */
  readonly lengths: readonly [Uint8Array, Uint8Array];
}

/** New memory. */
export function inflaterMemory(): InflaterMemory {
  return {
    output: new Uint8Array(HISTORY + PIECE + LONGEST_COPY),
    codes: [emptyPrefixCode(), emptyPrefixCode(), emptyPrefixCode()],
    lengths: [new Uint8Array(LENGTH_ORDER.length), new Uint8Array(MOST_LENGTHS)],
  };
}

/** Inflates a stream, step by step, from the input it is given. */
export class Inflater {
  #input: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Behind the last byte of real input; zeros follow it. */
  #inputEnd = 0;
  #lastInput = false;
  /** Bits taken from the input but not used, lowest first. */
  #hold = 0;
  #held = 0;

  readonly #memory: InflaterMemory;
  readonly #output: Uint8Array;
  #out = 0;
  #taken = 0;
  /** Output of all steps, for the check that a copy does not reach before its beginning. */
  #history = 0;

  #inBlock: { readonly lengths: PrefixCode; readonly distances: PrefixCode } | "stored" | undefined;
  #stored = 0;
  #lastBlock = false;

  /** @param memory of earlier streams; what they left there cannot be reached */
  constructor(memory: InflaterMemory = inflaterMemory()) {
    this.#memory = memory;
    this.#output = memory.output;
  }

  /** How much of the given input is not used yet, whole bytes. */
  get unused(): number {
    return this.#inputEnd - this.#at + (this.#held >> 3);
  }

  /** Gives the next input; what is left of the one before is kept. */
  give(bytes: Uint8Array, last: boolean): void {
    const kept = this.#input.subarray(this.#at, this.#inputEnd);
    const input = new Uint8Array(kept.byteLength + bytes.byteLength + HEADER_BYTES);
    input.set(kept);
    input.set(bytes, kept.byteLength);
    this.#input = input;
    this.#at = 0;
    this.#inputEnd = kept.byteLength + bytes.byteLength;
    this.#lastInput = last;
  }

  /** The output since the last call; good until the next step. */
  take(): Uint8Array {
    const output = this.#output.subarray(this.#taken, this.#out);
    this.#taken = this.#out;
    return output;
  }

  /** Inflates until the input is used up, a piece of output is full or the stream is over. Take the output each time. */
  step(): InflateStep {
    if (this.#out >= HISTORY + PIECE) {
      this.#output.copyWithin(0, this.#out - HISTORY, this.#out);
      this.#out = this.#taken = HISTORY;
    }
    for (;;) {
      if (this.#inBlock === undefined) {
        if (this.#lastBlock) return "end";
        if (!this.#lastInput && this.#inputEnd - this.#at < HEADER_BYTES) return "input";
        const good = this.#readBlockHeader();
        if (this.#overrun()) return "truncated";
        if (!good) return "corrupt";
      }
      const step = this.#inBlock === "stored" ? this.#copyStored() : this.#decodeSymbols();
      if (step !== undefined) return step;
    }
  }

  /** Whether more bits were used than there are. */
  #overrun(): boolean {
    return this.#at - (this.#held >> 3) > this.#inputEnd;
  }

  #need(count: number): void {
    for (; this.#held < count; this.#held += 8) this.#hold |= (this.#input[this.#at++] ?? 0) << this.#held;
  }

  #bits(count: number): number {
    this.#need(count);
    const value = this.#hold & ((1 << count) - 1);
    this.#hold >>>= count;
    this.#held -= count;
    return value;
  }

  #readBlockHeader(): boolean {
    this.#lastBlock = this.#bits(1) === 1;
    switch (this.#bits(2)) {
      case 0: {
        this.#bits(this.#held & 7);
        const length = this.#bits(16);
        this.#inBlock = "stored";
        this.#stored = length;
        return (length ^ this.#bits(16)) === 0xffff;
      }
      case 1:
        this.#inBlock = { lengths: FIXED_LENGTHS, distances: FIXED_DISTANCES };
        return true;
      case 2:
        return this.#readCodes();
      default:
        return false;
    }
  }

  /** The code lengths of a block with codes of its own (section 3.2.7). */
  #readCodes(): boolean {
    const lengthCount = this.#bits(5) + 257;
    const distanceCount = this.#bits(5) + 1;
    const orderCount = this.#bits(4) + 4;
    const { codes, lengths: [own, memory] } = this.#memory;
    own.fill(0);
    for (let i = 0; i < orderCount; i++) own[LENGTH_ORDER[i]!] = this.#bits(3);
    const code = buildPrefixCode(own, codes[0]);
    if (code === undefined || lengthCount > 286 || distanceCount > 30) return false;
    const all = memory.subarray(0, lengthCount + distanceCount);
    for (let at = 0; at < all.byteLength;) {
      const symbol = this.#symbol(code);
      if (symbol < 0) return false;
      if (symbol < 16) {
        all[at++] = symbol;
        continue;
      }
      const value = symbol === 16 ? all[at - 1] : 0;
      const repeat = symbol === 16
        ? 3 + this.#bits(2)
        : symbol === 17
        ? 3 + this.#bits(3)
        : 11 + this.#bits(7);
      if (value === undefined || at + repeat > all.byteLength) return false;
      all.fill(value, at, at + repeat);
      at += repeat;
    }
    const lengths = buildPrefixCode(all.subarray(0, lengthCount), codes[1]);
    const distances = buildPrefixCode(all.subarray(lengthCount), codes[2]);
    if (lengths === undefined || distances === undefined || all[END_OF_BLOCK] === 0) return false;
    this.#inBlock = { lengths, distances };
    return true;
  }

  /** Decodes a symbol of the code that describes the others: its own codes have 7 bits at most. */
  #symbol(code: PrefixCode): number {
    this.#need(7);
    const entry = code.lookup[this.#hold & ((1 << LOOKUP_BITS) - 1)]!;
    this.#bits(entry & 15);
    return entry === 0 ? -1 : entry >> 4;
  }

  #copyStored(): InflateStep | undefined {
    // Whole bytes of the bits read ahead go back: a stored block begins on a byte.
    this.#at -= this.#held >> 3;
    this.#hold = this.#held = 0;
    const count = Math.min(this.#stored, this.#inputEnd - this.#at, HISTORY + PIECE - this.#out);
    this.#output.set(this.#input.subarray(this.#at, this.#at + count), this.#out);
    this.#at += count;
    this.#out += count;
    this.#history += count;
    this.#stored -= count;
    if (this.#stored === 0) {
      this.#inBlock = undefined;
      return undefined;
    }
    if (this.#out >= HISTORY + PIECE) return "output";
    return this.#lastInput ? "truncated" : "input";
  }

  /** The hot loop, its state in local variables. */
  #decodeSymbols(): InflateStep | undefined {
    if (typeof this.#inBlock !== "object") return undefined;
    const { lengths, distances } = this.#inBlock;
    const [input, output, inputEnd] = [this.#input, this.#output, this.#inputEnd];
    const guard = this.#lastInput ? inputEnd : inputEnd - SYMBOL_BYTES;
    const mask = (1 << LOOKUP_BITS) - 1;
    const reachable = this.#history - this.#out;
    let [at, hold, held, out] = [this.#at, this.#hold, this.#held, this.#out];
    let symbolStart = out;
    let step: InflateStep | undefined;
    for (;;) {
      if (at > guard && (!this.#lastInput || at - (held >> 3) > inputEnd)) {
        step = "input";
        break;
      }
      if (out >= HISTORY + PIECE) {
        step = "output";
        break;
      }
      symbolStart = out;
      for (; held < REFILL_BITS; held += 8) hold |= input[at++]! << held;
      const entry = lengths.lookup[hold & mask]! || decodeLongCode(lengths, hold);
      hold >>>= entry & 15;
      held -= entry & 15;
      const symbol = entry >> 4;
      if (symbol < END_OF_BLOCK && entry !== 0) {
        output[out++] = symbol;
        continue;
      }
      if (symbol === END_OF_BLOCK) {
        this.#inBlock = undefined;
        break;
      }
      const lengthBits = entry === 0 ? 0 : LENGTH_BITS[symbol - END_OF_BLOCK - 1]!;
      const length = entry === 0
        ? 0
        : LENGTH_BASE[symbol - END_OF_BLOCK - 1]! + (hold & ((1 << lengthBits) - 1));
      hold >>>= lengthBits;
      held -= lengthBits;
      for (; held < REFILL_BITS; held += 8) hold |= input[at++]! << held;
      const far = distances.lookup[hold & mask]! || decodeLongCode(distances, hold);
      hold >>>= far & 15;
      held -= far & 15;
      for (; held < REFILL_BITS; held += 8) hold |= input[at++]! << held;
      const farBits = DISTANCE_BITS[far >> 4]!;
      const distance = far === 0 ? 0 : DISTANCE_BASE[far >> 4]! + (hold & ((1 << farBits) - 1));
      hold >>>= farBits;
      held -= farBits;
      if (length === 0 || distance === 0 || distance > reachable + out) {
        step = "corrupt";
        break;
      }
      if (distance === 1 && length > SHORT_RUN) {
        output.fill(output[out - 1]!, out, out + length);
        out += length;
      } else {
        for (const end = out + length; out < end; out++) output[out] = output[out - distance]!;
      }
    }
    if (at - (held >> 3) > inputEnd) {
      // The zeros behind the input decode to something too: it does not count.
      step = "truncated";
      out = symbolStart;
    }
    this.#history += out - this.#out;
    [this.#at, this.#hold, this.#held, this.#out] = [at, hold, held, out];
    return step;
  }
}
