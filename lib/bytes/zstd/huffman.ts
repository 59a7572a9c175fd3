/**
 * Huffman-coded literals of zstd (RFC 8878, section 4.2).
 *
 * @module
 */

import { BackwardBits } from "./backward_bits.ts";
import { ensure } from "./corrupt.ts";
import { readFseTable } from "./fse.ts";

/** A decoding table: the next `log` bits name a symbol and how many of them it takes. */
export interface HuffmanTable {
  readonly log: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
}

const MAX_LOG = 11;
const MAX_SYMBOLS = 256;
const WEIGHTS_MAX_LOG = 6;
const DIRECT_WEIGHTS = 128;

/**
 * Reads a tree description (section 4.2.1).
 *
 * @returns the table and the offset behind its description
 * @throws {CorruptStreamError}
 */
export function readHuffmanTable(
  bytes: Uint8Array,
  start: number,
  end: number,
): { table: HuffmanTable; end: number } {
  ensure(start < end, "a Huffman table is missing");
  const head = bytes[start]!;
  const weightsEnd = start + 1 + (head < DIRECT_WEIGHTS ? head : (head - DIRECT_WEIGHTS + 2) >> 1);
  ensure(weightsEnd <= end, "a Huffman table is cut");
  const weights: number[] = [];
  if (head < DIRECT_WEIGHTS) {
    readCompressedWeights(bytes, start + 1, weightsEnd, weights);
  } else {
    for (let i = 0; i < head - DIRECT_WEIGHTS + 1; i++) {
      const pair = bytes[start + 1 + (i >> 1)]!;
      weights.push(i % 2 === 0 ? pair >> 4 : pair & 15);
    }
  }
  return { table: buildTable(weights), end: weightsEnd };
}

/** Two interleaved states decode the weights until the bits run out (section 4.2.1.2). */
function readCompressedWeights(bytes: Uint8Array, start: number, end: number, weights: number[]): void {
  const { table, end: streamStart } = readFseTable(bytes, start, end, MAX_LOG + 1, WEIGHTS_MAX_LOG);
  const stream = new BackwardBits(bytes, streamStart, end);
  const states = [stream.read(table.log), stream.read(table.log)];
  for (let turn = 0;; turn ^= 1) {
    const state = states[turn]!;
    weights.push(table.symbols[state]!);
    ensure(weights.length < MAX_SYMBOLS, "a Huffman table has too many symbols");
    states[turn] = table.base[state]! + stream.read(table.bits[state]!);
    if (stream.left < 0) {
      weights.push(table.symbols[states[turn ^ 1]!]!);
      return;
    }
  }
}

/** The weight of the last symbol is what is missing to a power of 2 (section 4.2.1.3). */
function buildTable(weights: number[]): HuffmanTable {
  let total = 0;
  for (const weight of weights) {
    ensure(weight <= MAX_LOG + 1, "a Huffman weight is too large");
    if (weight > 0) total += 1 << (weight - 1);
  }
  ensure(total > 0 && weights.length < MAX_SYMBOLS, "a Huffman table is empty or too long");
  const log = 32 - Math.clz32(total);
  const rest = (1 << log) - total;
  ensure(log <= MAX_LOG && (rest & (rest - 1)) === 0, "a Huffman table does not add up");
  weights.push(32 - Math.clz32(rest));
  const symbols = new Uint8Array(1 << log);
  const bits = new Uint8Array(1 << log);
  let at = 0;
  for (let weight = 1; weight <= log; weight++) {
    for (const [symbol, own] of weights.entries()) {
      if (own !== weight) continue;
      const span = 1 << (weight - 1);
      symbols.fill(symbol, at, at + span);
      bits.fill(log + 1 - weight, at, at + span);
      at += span;
    }
  }
  return { log, symbols, bits };
}

/**
 * Decodes one stream of literals (section 4.2.2).
 *
 * @param bytes padded with 3 bytes at least behind `end`
 * @throws {CorruptStreamError} unless the stream holds exactly the wanted literals
 */
export function decodeHuffmanStream(
  table: HuffmanTable,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  outStart: number,
  outEnd: number,
): void {
  const { symbols, bits, log } = table;
  let left = new BackwardBits(bytes, start, end).left;
  const mask = (1 << log) - 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset + start);
  for (let at = outStart; at < outEnd; at++) {
    const from = left - log;
    // The last codes may be shorter than a full index: the bits in front of the stream count as zeros.
    const bit = from < 0 ? 0 : from;
    const window = view.getInt32(bit >> 3, true) >>> (bit & 7);
    const index = (from < 0 ? window << -from : window) & mask;
    out[at] = symbols[index]!;
    left -= bits[index]!;
    if (left < 0) break;
  }
  ensure(left === 0, "a stream of literals does not end where it should");
}
