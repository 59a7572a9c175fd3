/**
 * Whether the parts of a minidump fit each other and its file (reference kernel-dump-formats.md, sections 3.1
 * and 10.2).
 *
 * @module
 */

import { type Minidump, type MinidumpLayout, minidumpLayout } from "./minidump.ts";
import type { PageMap } from "./page_map.ts";
import { type Problem, problem } from "./problem.ts";

/** No kernel has a message buffer larger than this; it bounds what is read of it. */
export const MESSAGE_BUFFER_LIMIT = 64 * 1024 * 1024;

/** Page directory entries for 2 TiB of kernel address space; no amd64 kernel has more. */
const AMD64_PAGE_TABLE_LIMIT = 0x800000;

/** savecore leaves out zeros in blocks of this size. */
const SPARSE_BLOCK_SIZE = 4096;

/** What is known about the file that holds a minidump. */
export interface MinidumpFile {
  /** Bytes of the plain dump, or `null` if that is not known without reading all of it. */
  readonly size: number | null;
  /** Whether zeros at the end may have been left out, as savecore does; a dump received from the network has all. */
  readonly maybeSparse: boolean;
}

/** The size that the sections of a minidump add up to. */
export function minidumpSize(pageMap: PageMap): number {
  return pageMap.pages.offset + pageMap.pages.size;
}

/** Lists everything that is wrong with a minidump as a whole, the page map's own problems included. */
export function checkMinidump(minidump: Minidump, pageMap: PageMap, file: MinidumpFile): Problem[] {
  return [
    ...checkMessageBufferSize(minidump, file),
    ...pageMap.problems,
    ...checkPageTableSize(minidump),
    ...checkDirectMap(minidump),
    ...checkSize(minidump, pageMap, file),
  ];
}

function checkMessageBufferSize(
  { messageBufferSize, pageSize }: Minidump,
  { size }: MinidumpFile,
): Problem[] {
  if (messageBufferSize === 0) return [problem("message-buffer-size", "The message buffer's size is zero")];
  if (messageBufferSize > MESSAGE_BUFFER_LIMIT || (size !== null && messageBufferSize > size - pageSize)) {
    return [
      problem(
        "message-buffer-size",
        `The message buffer's size, ${messageBufferSize} bytes, is beyond reason`,
      ),
    ];
  }
  return [];
}

function checkPageTableSize(minidump: Minidump): Problem[] {
  const { architecture, version, pageTableSize } = minidump;
  const entry = PAGE_TABLE_UNITS[architecture];
  if (pageTableSize % entry !== 0) {
    return [
      problem("page-table-size", `The page tables' size, ${pageTableSize} bytes, is no multiple of ${entry}`),
    ];
  }
  if (architecture === "amd64" && version >= 2 && pageTableSize > AMD64_PAGE_TABLE_LIMIT) {
    return [problem("page-table-size", `The page tables' size, ${pageTableSize} bytes, is beyond reason`)];
  }
  return [];
}

/** What the size of the page table section is a multiple of: pages on amd64, hash groups on powerpc64, else entries. */
const PAGE_TABLE_UNITS: Readonly<Record<Minidump["architecture"], number>> = {
  amd64: 4096,
  arm64: 8,
  riscv: 8,
  i386: 4,
  arm: 4,
  mips: 4,
  powerpc64: 128,
};

function checkDirectMap({ architecture, directMapBase, directMapEnd }: Minidump): Problem[] {
  // mips leaves the end 0.
  if (architecture === "mips" || directMapBase === null || directMapEnd === null) return [];
  if (directMapEnd >= directMapBase) return [];
  const range = `0x${directMapBase.toString(16)} to 0x${directMapEnd.toString(16)}`;
  return [problem("direct-map-range", `The direct map of physical memory is damaged: ${range}`)];
}

function checkSize(minidump: Minidump, pageMap: PageMap, file: MinidumpFile): Problem[] {
  const { size } = file;
  const expected = minidumpSize(pageMap);
  if (size === null || size === expected) return [];
  const sum = `the ${expected} of the dump's sections`;
  if (size > expected) {
    return [problem("size-mismatch", `The file has ${size} bytes, ${size - expected} more than ${sum}`)];
  }
  const layout = minidumpLayout(minidump);
  const missing = expected - size;
  const zeros = file.maybeSparse && missing % SPARSE_BLOCK_SIZE === 0 && size >= layout.pageTables.offset;
  if (zeros) {
    return [problem(
      "missing-tail",
      `The file has ${size} bytes, ${missing} fewer than ${sum}: ` +
        `either savecore left out zeros at the end, or the copy was cut`,
    )];
  }
  return [problem(
    "size-mismatch",
    `The file has ${size} bytes, ${missing} fewer than ${sum}: it ends in the ${sectionAt(layout, size)}`,
  )];
}

function sectionAt(layout: MinidumpLayout, offset: number): string {
  if (offset >= layout.pagesOffset) return "pages";
  if (offset >= layout.pageTables.offset) return "page tables";
  if (offset >= layout.bitmap.offset) return "page bitmap";
  if (layout.dumpAvail !== null && offset >= layout.dumpAvail.offset) return "physical memory ranges";
  return offset >= layout.messageBuffer.offset ? "message buffer" : "header";
}
