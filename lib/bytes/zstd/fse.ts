/**
 * Finite state entropy tables of zstd (RFC 8878, section 4.1).
 *
 * @module
 */

import { ensure } from "./corrupt.ts";

/** A decoding table: each state names a symbol, and how to come to the next state. */
export interface FseTable {
  readonly log: number;
  readonly symbols: Uint8Array;
  /** Bits to read for the next state, */
  readonly bits: Uint8Array;
  /** and what to add to them. */
  readonly base: Uint16Array;
}

const MIN_LOG = 5;

/**
 * Reads a table description (section 4.1.1).
 *
 * @param maxSymbol the largest symbol that the alphabet has
 * @returns the table and the offset behind its description
 * @throws {CorruptStreamError}
 */
export function readFseTable(
  bytes: Uint8Array,
  start: number,
  end: number,
  maxSymbol: number,
  maxLog: number,
): { table: FseTable; end: number } {
  let bit = start * 8;
  const peek = (count: number) => {
    const at = bit >> 3;
    const word = bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16;
    return word >>> (bit & 7) & ((1 << count) - 1);
  };
  const log = peek(4) + MIN_LOG;
  bit += 4;
  ensure(log <= maxLog, "an entropy table is too large");
  const counts: number[] = [];
  let remaining = (1 << log) + 1;
  while (remaining > 1) {
    ensure(counts.length <= maxSymbol && bit < end * 8, "an entropy table does not add up");
    const width = 32 - Math.clz32(remaining);
    // Small values take one bit less: as many as the range leaves unused.
    const unused = (1 << width) - 1 - remaining;
    const short = peek(width - 1);
    let value = short;
    if (short < unused) {
      bit += width - 1;
    } else {
      value = peek(width);
      if (value >= 1 << (width - 1)) value -= unused;
      bit += width;
    }
    const count = value - 1;
    counts.push(count);
    remaining -= Math.abs(count);
    for (let repeat = count === 0 ? 3 : 0; repeat === 3;) {
      repeat = peek(2);
      bit += 2;
      for (let i = 0; i < repeat; i++) counts.push(0);
      ensure(counts.length <= maxSymbol + 1, "an entropy table has too many symbols");
    }
  }
  ensure(remaining === 1 && bit <= end * 8, "an entropy table does not add up");
  return { table: buildFseTable(counts, log), end: (bit + 7) >> 3 };
}

/** The table of one symbol that takes no bits. */
export function singleSymbolTable(symbol: number): FseTable {
  return { log: 0, symbols: Uint8Array.of(symbol), bits: Uint8Array.of(0), base: Uint16Array.of(0) };
}

/**
 * Spreads the symbols over the states (section 4.1.1).
 *
 * @param counts of each symbol, -1 for "less than one"; they add up to 2 to the power of `log`
 */
export function buildFseTable(counts: readonly number[], log: number): FseTable {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  const next = new Uint16Array(counts.length);
  let high = size - 1;
  for (const [symbol, count] of counts.entries()) {
    if (count === -1) symbols[high--] = symbol;
    next[symbol] = Math.abs(count);
  }
  const step = (size >> 1) + (size >> 3) + 3;
  let position = 0;
  for (const [symbol, count] of counts.entries()) {
    for (let i = 0; i < count; i++) {
      symbols[position] = symbol;
      do position = (position + step) & (size - 1); while (position > high);
    }
  }
  const bits = new Uint8Array(size);
  const base = new Uint16Array(size);
  for (let state = 0; state < size; state++) {
    const value = next[symbols[state]!]!++;
    const width = log - (31 - Math.clz32(value));
    bits[state] = width;
    base[state] = (value << width) - size;
  }
  return { log, symbols, bits, base };
}
