/**
 * The writes that a kernel's dump code makes of a dump: they decide where its batches end (reference
 * netdump-protocol.md, section 3.1).
 *
 * @module
 */
import {
  decodeMinidump,
  hasMinidumpMagic,
  MINIDUMP_HEADER_SIZE,
  minidumpLayout,
} from "../../kerneldump/minidump/minidump.ts";
import { MAX_BATCH_SIZE } from "../../protocol/message.ts";
import type { WriteRun } from "./plan.ts";

/** The block size that the kernel's dump code is given for netdump. */
const BLOCK_SIZE = 4096;

/** What is known about a dump that decides the kernel's writes. */
export interface DumpKind {
  readonly dataSize: number;
  readonly encrypted: boolean;
  readonly compressed: boolean;
  /** Its first bytes, at least {@linkcode MINIDUMP_HEADER_SIZE} of them if it has as many. */
  readonly beginning: Uint8Array;
}

/**
 * Works out a kernel's writes: 4,096 bytes each if encrypted; of a minidump the header and each page of page tables
 * alone, its other sections and the memory in 65,536s; 65,536s of all else. (What a zstd stream's writes were cannot
 * be seen in the file.)
 */
export function kernelWrites(dump: DumpKind): WriteRun[] {
  if (dump.encrypted) return [{ sizeBytes: dump.dataSize, writeSize: BLOCK_SIZE }];
  const sections = dump.compressed ? [] : minidumpSections(dump.beginning);
  const runs: WriteRun[] = [];
  let left = dump.dataSize;
  for (const { sizeBytes, writeSize } of sections) {
    runs.push({ sizeBytes: Math.min(sizeBytes, left), writeSize });
    left -= Math.min(sizeBytes, left);
  }
  runs.push({ sizeBytes: left, writeSize: MAX_BATCH_SIZE });
  return runs.filter(({ sizeBytes }) => sizeBytes > 0);
}

function minidumpSections(beginning: Uint8Array): WriteRun[] {
  if (!hasMinidumpMagic(beginning) || beginning.byteLength < MINIDUMP_HEADER_SIZE) return [];
  try {
    const minidump = decodeMinidump(beginning);
    const layout = minidumpLayout(minidump);
    const { pageSize } = minidump;
    return [
      { sizeBytes: layout.header.size, writeSize: pageSize },
      { sizeBytes: layout.messageBuffer.size, writeSize: MAX_BATCH_SIZE },
      { sizeBytes: layout.dumpAvail?.size ?? 0, writeSize: MAX_BATCH_SIZE },
      { sizeBytes: layout.bitmap.size, writeSize: MAX_BATCH_SIZE },
      { sizeBytes: layout.pageTables.size, writeSize: pageSize },
    ];
  } catch (error) {
    // A minidump of a kind not known is sent like any other file.
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
