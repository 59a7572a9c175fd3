/**
 * The literals section of a compressed zstd block (RFC 8878, section 3.1.1.3.1).
 *
 * @module
 */

import { ensure } from "./corrupt.ts";
import type { FrameMemory } from "./frame_memory.ts";
import { decodeHuffmanStream, type HuffmanTable, readHuffmanTable } from "./huffman.ts";

const RAW = 0;
const RLE = 1;
const TREELESS = 3;

interface Head {
  readonly type: number;
  readonly regenerated: number;
  readonly compressed: number;
  readonly streams: 1 | 4;
  readonly end: number;
}

/** Decodes the literals of one block after another; a block may use the Huffman table of an earlier one. */
export class LiteralsDecoder {
  #table: HuffmanTable | undefined;
  readonly #limit: number;
  readonly #memory: FrameMemory;

  /**
   * @param limit the most literals that a block can have
   * @param memory of earlier frames
   */
  constructor(limit: number, memory: FrameMemory) {
    this.#limit = limit;
    this.#memory = memory;
  }

  /**
   * Decodes the literals of the block in `bytes` up to `end`.
   *
   * @returns the literals, good until the next call, and the offset behind the section
   * @throws {CorruptStreamError}
   */
  decode(bytes: Uint8Array, end: number): { literals: Uint8Array; end: number } {
    const head = readHead(bytes, end);
    ensure(head.regenerated <= this.#limit, "a block has too many literals");
    if (this.#memory.literals.byteLength < this.#limit) this.#memory.literals = new Uint8Array(this.#limit);
    const literals = this.#memory.literals.subarray(0, head.regenerated);
    if (head.type === RAW) {
      ensure(head.end + head.regenerated <= end, "literals are cut");
      literals.set(bytes.subarray(head.end, head.end + head.regenerated));
      return { literals, end: head.end + head.regenerated };
    }
    if (head.type === RLE) {
      ensure(head.end < end, "literals are cut");
      literals.fill(bytes[head.end]!);
      return { literals, end: head.end + 1 };
    }
    const sectionEnd = head.end + head.compressed;
    ensure(sectionEnd <= end, "literals are cut");
    let at = head.end;
    if (head.type !== TREELESS) {
      const read = readHuffmanTable(bytes, at, sectionEnd);
      this.#table = read.table;
      at = read.end;
    }
    ensure(this.#table !== undefined, "literals refer to a Huffman table that was never given");
    decodeStreams(this.#table, bytes, at, sectionEnd, literals, head.streams);
    return { literals, end: sectionEnd };
  }
}

function readHead(bytes: Uint8Array, end: number): Head {
  const first = bytes[0]!;
  const type = first & 3;
  const format = first >> 2 & 3;
  const compressed = type !== RAW && type !== RLE;
  const size = compressed ? (format < 2 ? 3 : format + 2) : (format & 1) === 0 ? 1 : format === 1 ? 2 : 3;
  ensure(size <= end, "a block has no literals section");
  // Five bytes at most; the sum stays exact as a double.
  const value = first + bytes[1]! * 2 ** 8 + bytes[2]! * 2 ** 16 + bytes[3]! * 2 ** 24 + bytes[4]! * 2 ** 32;
  if (!compressed) {
    const regenerated = size === 1 ? first >> 3 : Math.floor(value % 2 ** (8 * size) / 16);
    return { type, regenerated, compressed: 0, streams: 1, end: size };
  }
  const width = size === 3 ? 10 : size === 4 ? 14 : 18;
  return {
    type,
    regenerated: Math.floor(value / 16) % 2 ** width,
    compressed: Math.floor(value / 2 ** (4 + width)) % 2 ** width,
    streams: format === 0 ? 1 : 4,
    end: size,
  };
}

const JUMP_TABLE_SIZE = 6;

function decodeStreams(
  table: HuffmanTable,
  bytes: Uint8Array,
  start: number,
  end: number,
  literals: Uint8Array,
  streams: 1 | 4,
): void {
  const size = literals.byteLength;
  if (streams === 1) return decodeHuffmanStream(table, bytes, start, end, literals, 0, size);
  ensure(start + JUMP_TABLE_SIZE <= end, "literals are cut");
  const quarter = (size + 3) >> 2;
  ensure(quarter * 3 <= size, "literals are too few for four streams");
  let from = start + JUMP_TABLE_SIZE;
  for (let stream = 0; stream < 4; stream++) {
    const jump = start + 2 * stream;
    const to = stream === 3 ? end : from + (bytes[jump]! | bytes[jump + 1]! << 8);
    ensure(to <= end, "literals are cut");
    const outEnd = stream === 3 ? size : quarter * (stream + 1);
    decodeHuffmanStream(table, bytes, from, to, literals, quarter * stream, outEnd);
    from = to;
  }
}
