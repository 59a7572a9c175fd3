/**
 * Which physical pages a minidump holds, and where in the file: its bitmap (reference kernel-dump-formats.md,
 * section 3.4).
 *
 * @module
 */

import { type Minidump, minidumpLayout } from "./minidump.ts";
import { bitOfAddress, countBits, type PhysicalRange, readPhysicalRanges } from "./physical_ranges.ts";
import { type Problem, problem } from "../problem.ts";
import { type Extent, type ReadAt, roundUp } from "../../bytes/source.ts";

/** Where the page of a physical address is; `not-in-dump` is normal, the kernel dumps only pages it uses. */
export type PageLocation =
  | { readonly kind: "page"; readonly fileOffset: number }
  | { readonly kind: "not-in-dump" }
  | { readonly kind: "no-such-memory" };

/** A physical range with the number of its pages that were dumped. */
export interface RangeCoverage extends PhysicalRange {
  readonly dumpedPages: number;
}

/** Bytes of bitmap for one entry of the table of cumulative counts: 8 bytes of memory for 128 MiB of the machine's. */
const BLOCK_SIZE = 4096;
const BLOCK_BITS = BLOCK_SIZE * 8;
const CHUNK_SIZE = 64 * BLOCK_SIZE;
/** In how many parts the spread of pages over memory is told. */
export const SPREAD_PARTS = 64;
/** The bitmap of 16 TiB of memory; it bounds what a header that lies makes us read. */
const BITMAP_LIMIT = 512 * 1024 * 1024;

/**
 * The page map of a minidump. It keeps one count per 4 KiB of bitmap and the last block it looked at, so its memory
 * is a 512th of a bitmap that the file really holds.
 */
export class PageMap {
  /** The physical ranges, ascending. */
  readonly ranges: readonly PhysicalRange[];
  /** Set bits in all the bitmap: the number of pages in the file. */
  readonly dumpedPages: number;
  /** Where the dumped pages stand in the file; `size` follows from the bitmap. */
  readonly pages: Extent;
  readonly problems: readonly Problem[];

  readonly #readAt: ReadAt;
  readonly #minidump: Minidump;
  readonly #bitmap: Extent;
  /** Set bits before each block, and at the end the set bits of all. */
  readonly #counts: readonly number[];
  /** How many bits before these are set: what is asked of every dump is found out as the bitmap is read, once. */
  readonly #known: ReadonlyMap<number, number>;
  #cached: { readonly index: number; readonly bytes: Uint8Array } | undefined;

  private constructor(
    readAt: ReadAt,
    minidump: Minidump,
    ranges: readonly PhysicalRange[],
    counts: readonly number[],
    known: ReadonlyMap<number, number>,
    problems: readonly Problem[],
  ) {
    const layout = minidumpLayout(minidump);
    this.#readAt = readAt;
    this.#minidump = minidump;
    this.#bitmap = layout.bitmap;
    this.#counts = counts;
    this.#known = known;
    this.ranges = ranges;
    this.dumpedPages = counts.at(-1) ?? 0;
    this.pages = { offset: layout.pagesOffset, size: this.dumpedPages * minidump.pageSize };
    this.problems = problems;
  }

  /** Reads ranges and bitmap, front to back and once. Damage is reported in `problems`, never thrown. */
  static async read(readAt: ReadAt, minidump: Minidump): Promise<PageMap> {
    const { ranges, problems } = await readPhysicalRanges(readAt, minidump);
    const { bitmap } = minidumpLayout(minidump);
    const counts = [0];
    const known = new Map<number, number>();
    const edges = edgesOf(ranges);
    let set = 0;
    let readBytes = 0;
    const readable = Math.min(bitmap.size, BITMAP_LIMIT);
    while (readBytes < readable) {
      const chunk = await readAt(bitmap.offset + readBytes, Math.min(CHUNK_SIZE, readable - readBytes));
      if (chunk.byteLength === 0) break;
      for (let at = 0; at < chunk.byteLength; at += BLOCK_SIZE) {
        const block = chunk.subarray(at, at + BLOCK_SIZE);
        const firstBit = (readBytes + at) * 8;
        for (let edge; (edge = edges.at(-1)) !== undefined && edge < firstBit + BLOCK_BITS; edges.pop()) {
          known.set(edge, set + bitsBefore(inOrder(block, minidump), edge - firstBit));
        }
        set += popcount(block);
        counts.push(set);
      }
      readBytes += chunk.byteLength;
      // A chunk that ends inside a block is the end of the data: a later one would upset the blocks.
      if (chunk.byteLength % BLOCK_SIZE !== 0) break;
    }
    const map = new PageMap(readAt, minidump, ranges, counts, known, problems);
    problems.push(...await map.#checkBitmap(readBytes, problems.length > 0));
    return map;
  }

  /** How many bits before `bit` are set. */
  async rank(bit: number): Promise<number> {
    const known = this.#known.get(bit);
    if (known !== undefined) return known;
    const index = Math.floor(bit / BLOCK_BITS);
    const before = this.#counts[index];
    if (before === undefined || index === this.#counts.length - 1) return this.dumpedPages;
    return before + bitsBefore(await this.#block(index), bit - index * BLOCK_BITS);
  }

  /** Finds the page that holds a physical address. */
  async find(physicalAddress: number): Promise<PageLocation> {
    const { pageSize } = this.#minidump;
    const bit = bitOfAddress(this.ranges, physicalAddress, pageSize);
    if (bit === undefined) return { kind: "no-such-memory" };
    const index = Math.floor(bit / BLOCK_BITS);
    if (index >= this.#counts.length - 1) return { kind: "not-in-dump" };
    const block = await this.#block(index);
    const at = bit - index * BLOCK_BITS;
    if (((block[at >> 3] ?? 0) >> (at & 7) & 1) === 0) return { kind: "not-in-dump" };
    return { kind: "page", fileOffset: this.pages.offset + pageSize * await this.rank(bit) };
  }

  /** The physical ranges with the number of dumped pages in each. */
  async coverage(): Promise<RangeCoverage[]> {
    const covered: RangeCoverage[] = [];
    for (const range of this.ranges) {
      const dumpedPages = await this.rank(range.firstBit + range.pages) - await this.rank(range.firstBit);
      covered.push({ ...range, dumpedPages });
    }
    return covered;
  }

  /**
   * How the dumped pages spread over physical memory: the share of each of `parts` equal parts of all pages of the
   * ranges, from 0 to 1.
   */
  async spread(parts: number): Promise<number[]> {
    const shares: number[] = [];
    let from = 0;
    let before = 0;
    for (const to of endsOfParts(countBits(this.ranges), parts)) {
      const until = await this.rank(to);
      if (to > from) shares.push((until - before) / (to - from));
      [from, before] = [to, until];
    }
    return shares;
  }

  /** A block of the bitmap, in order. */
  async #block(index: number): Promise<Uint8Array> {
    if (this.#cached?.index === index) return this.#cached.bytes;
    const offset = index * BLOCK_SIZE;
    const length = Math.min(BLOCK_SIZE, this.#bitmap.size - offset);
    const bytes = await this.#readAt(this.#bitmap.offset + offset, length);
    this.#cached = { index, bytes: inOrder(bytes, this.#minidump) };
    return this.#cached.bytes;
  }

  async #checkBitmap(readBytes: number, rangesDamaged: boolean): Promise<Problem[]> {
    const { size } = this.#bitmap;
    if (size === 0) return [problem("bitmap-size", "The page bitmap is empty")];
    if (size > BITMAP_LIMIT) {
      return [problem("bitmap-size", `The page bitmap's size, ${size} bytes, is beyond reason`)];
    }
    if (readBytes < size) {
      return [
        problem("bitmap-size", `The page bitmap is cut: the file holds ${readBytes} of its ${size} bytes`),
      ];
    }
    if (rangesDamaged) return [];
    const bits = countBits(this.ranges);
    const { pageSize, wordSize } = this.#minidump;
    const expected = roundUp(roundUp(bits, wordSize * 8) / 8, pageSize);
    if (expected !== size) {
      return [problem(
        "bitmap-size",
        `The page bitmap has ${size} bytes, but the physical memory ranges with ${bits} pages need ${expected}`,
      )];
    }
    const stray = this.dumpedPages - await this.rank(bits);
    if (stray === 0) return [];
    return [
      problem(
        "bitmap-stray-bits",
        `The page bitmap marks ${stray} pages beyond the last physical memory range`,
      ),
    ];
  }
}

/** The bits that coverage, spread and the check for stray bits ask about, the last first. */
function edgesOf(ranges: readonly PhysicalRange[]): number[] {
  const bits = countBits(ranges);
  const edges = [
    ...ranges.flatMap(({ firstBit, pages }) => [firstBit, firstBit + pages]),
    ...endsOfParts(bits, SPREAD_PARTS),
    bits,
  ];
  return edges.sort((a, b) => b - a);
}

/** Where equal parts of so many bits end. */
function endsOfParts(bits: number, parts: number): number[] {
  return bits === 0 ? [] : Array.from({ length: parts }, (_, part) => Math.round(bits * (part + 1) / parts));
}

/** Set bits in the front of a block. */
function bitsBefore(block: Uint8Array, bits: number): number {
  const bytes = bits >> 3;
  const partial = (block[bytes] ?? 0) & ((1 << (bits & 7)) - 1);
  return popcount(block.subarray(0, bytes)) + popcount32(partial);
}

/** A block of the bitmap with bit b in bit b & 7 of byte b >> 3, whatever the machine's byte order. */
function inOrder(block: Uint8Array, { littleEndian, wordSize }: Minidump): Uint8Array {
  return littleEndian ? block : mirrorWords(block, wordSize);
}

/** Mirrors the bytes of each native word: big-endian machines count bits from the word's last byte. */
function mirrorWords(bytes: Uint8Array, wordSize: number): Uint8Array {
  const mirrored = new Uint8Array(roundUp(bytes.byteLength, wordSize));
  for (let i = 0; i < bytes.byteLength; i++) {
    mirrored[i - i % wordSize + wordSize - 1 - i % wordSize] = bytes[i]!;
  }
  return mirrored;
}

/** Counts set bits, 32 at a time. */
function popcount(bytes: Uint8Array): number {
  const head = Math.min(bytes.byteLength, -bytes.byteOffset & 3);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + head, (bytes.byteLength - head) >> 2);
  let count = 0;
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word !== 0) count += popcount32(word);
  }
  for (let at = 0; at < head; at++) count += popcount32(bytes[at]!);
  for (let at = head + words.byteLength; at < bytes.byteLength; at++) count += popcount32(bytes[at]!);
  return count;
}

function popcount32(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  n = (n + (n >>> 4)) & 0x0f0f0f0f;
  return Math.imul(n, 0x01010101) >>> 24;
}
