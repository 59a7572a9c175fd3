/**
 * The physical memory that a minidump covers: its dump_avail section, and the numbering of pages in the bitmap that
 * follows from it (reference kernel-dump-formats.md, section 3.4).
 *
 * @module
 */

import { type Minidump, minidumpLayout } from "./minidump.ts";
import { type Problem, problem } from "../problem.ts";
import type { ReadAt } from "../../bytes/source.ts";

/** A stretch of physical memory, end exclusive. The ends need not lie on page boundaries. */
export interface PhysicalRange {
  readonly start: number;
  readonly end: number;
  /** The bit of the range's first page in the bitmap. */
  readonly firstBit: number;
  /** Pages that the range touches. */
  readonly pages: number;
}

const ENTRY_SIZE = 16;
/** dump_avail is one page in practice; this bounds what a header that lies makes us read. */
const DUMP_AVAIL_LIMIT = 65536;
/** Physical addresses have at most 52 bits, on any architecture in the reference. */
const PHYSICAL_LIMIT = 2 ** 52;

/**
 * Reads the physical ranges of a minidump. Versions without dump_avail have the single range that the bitmap covers.
 * At the first range that cannot be right the list ends, since the bits of all later pages depend on it.
 */
export async function readPhysicalRanges(
  readAt: ReadAt,
  minidump: Minidump,
): Promise<{ ranges: PhysicalRange[]; problems: Problem[] }> {
  const { dumpAvail, bitmap } = minidumpLayout(minidump);
  const { pageSize } = minidump;
  if (dumpAvail === null) {
    const pages = bitmap.size * 8;
    return { ranges: [{ start: 0, end: pages * pageSize, firstBit: 0, pages }], problems: [] };
  }
  const bytes = await readAt(dumpAvail.offset, Math.min(dumpAvail.size, DUMP_AVAIL_LIMIT));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ranges: PhysicalRange[] = [];
  let firstBit = 0;
  let previousEnd = 0;
  const malformed = (what: string) => ({
    ranges,
    problems: [problem("dump-avail-malformed", `The table of physical memory ranges ${what}`)],
  });
  for (let at = 0; at + ENTRY_SIZE <= bytes.byteLength; at += ENTRY_SIZE) {
    const start = Number(view.getBigUint64(at, minidump.littleEndian));
    const end = Number(view.getBigUint64(at + 8, minidump.littleEndian));
    if (end === 0) return { ranges, problems: [] };
    const entry = `entry ${ranges.length + 1} (${hex(start)} to ${hex(end)})`;
    if (start >= end) return malformed(`is damaged: ${entry} ends before it begins`);
    if (start < previousEnd) {
      return malformed(`is damaged: ${entry} overlaps the one before it or is out of order`);
    }
    if (end > PHYSICAL_LIMIT) return malformed(`is damaged: ${entry} lies beyond 52 bits`);
    const pages = Math.ceil(end / pageSize) - Math.floor(start / pageSize);
    ranges.push({ start, end, firstBit, pages });
    firstBit += pages;
    previousEnd = end;
  }
  const cut = bytes.byteLength < dumpAvail.size && bytes.byteLength < DUMP_AVAIL_LIMIT;
  return malformed(cut ? "is cut: the file ends in it" : `has no end after ${ranges.length} entries`);
}

/** The number of bits that the ranges need in the bitmap. */
export function countBits(ranges: readonly PhysicalRange[]): number {
  const last = ranges.at(-1);
  return last === undefined ? 0 : last.firstBit + last.pages;
}

/** The bit of the page that holds a physical address, or `undefined` if it is in no range. */
export function bitOfAddress(
  ranges: readonly PhysicalRange[],
  address: number,
  pageSize: number,
): number | undefined {
  const page = Math.floor(address / pageSize);
  for (const range of ranges) {
    const firstPage = Math.floor(range.start / pageSize);
    if (firstPage <= page && address < range.end) return range.firstBit + page - firstPage;
  }
  return undefined;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
