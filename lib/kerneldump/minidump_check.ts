/**
 * Whether the parts of a minidump fit each other and its file (reference kernel-dump-formats.md, sections 3.1
 * and 10.2).
 *
 * @module
 */

import { MESSAGE_BUFFER_LIMIT } from "./messages/message_buffer.ts";
import { type Minidump, type MinidumpLayout, minidumpLayout } from "./minidump/minidump.ts";
import { checkFileSize, type DumpFile } from "./file_size.ts";
import type { PageMap } from "./minidump/page_map.ts";
import { type Problem, problem } from "./problem.ts";

/** Page directory entries for 2 TiB of kernel address space; no amd64 kernel has more. */
const AMD64_PAGE_TABLE_LIMIT = 0x800000;

/** The size that the sections of a minidump add up to. */
export function minidumpSize(pageMap: PageMap): number {
  return pageMap.pages.offset + pageMap.pages.size;
}

/** Lists everything that is wrong with a minidump as a whole, the page map's own problems included. */
export function checkMinidump(minidump: Minidump, pageMap: PageMap, file: DumpFile): Problem[] {
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
  { size }: DumpFile,
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

function checkSize(minidump: Minidump, pageMap: PageMap, file: DumpFile): Problem[] {
  const layout = minidumpLayout(minidump);
  return checkFileSize(file, {
    size: minidumpSize(pageMap),
    parts: "sections",
    // What comes before always has contents, so only from here on can a missing tail be zeros.
    zerosFrom: layout.pageTables.offset,
    partAt: (offset) => sectionAt(layout, offset),
  });
}

function sectionAt(layout: MinidumpLayout, offset: number): string {
  if (offset >= layout.pagesOffset) return "the pages";
  if (offset >= layout.pageTables.offset) return "the page tables";
  if (offset >= layout.bitmap.offset) return "the page bitmap";
  if (layout.dumpAvail !== null && offset >= layout.dumpAvail.offset) return "the physical memory ranges";
  return offset >= layout.messageBuffer.offset ? "the message buffer" : "the header";
}
