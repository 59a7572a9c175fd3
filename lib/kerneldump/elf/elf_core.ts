/**
 * Full kernel dumps: an ELF core with one segment per stretch of physical memory (reference
 * kernel-dump-formats.md, section 5).
 *
 * @module
 */

import { checkFileSize, type DumpFile } from "../file_size.ts";
import { type Problem, problem } from "../problem.ts";
import type { ReadAt } from "../../bytes/source.ts";
import {
  decodeElfHeader,
  decodeProgramHeader,
  ELF_HEADER_SIZE,
  type ElfHeader,
  type ElfSegment,
  programHeaderSize,
} from "./elf_header.ts";

/** A decoded ELF core. */
export interface ElfCore {
  readonly class: 32 | 64;
  readonly byteOrder: "little" | "big";
  /** The machine's name as FreeBSD's MACHINE_ARCH, `machine N` if it is not known. */
  readonly machine: string;
  readonly type: number;
  readonly osAbi: number;
  readonly version: number;
  /** The loadable segments, in the order of the file's table. */
  readonly segments: readonly ElfSegment[];
  /** Whether there are notes: processes' cores have them, kernel dumps never. */
  readonly hasNotes: boolean;
  /** arm: what the static kernel's virtual addresses are to physical ones. */
  readonly dumpDelta: { readonly virtualAddress: bigint; readonly physicalAddress: bigint } | null;
}

/** ELFOSABI_STANDALONE: what the kernel writes. */
const OSABI_STANDALONE = 255;
/** ELFOSABI_FREEBSD: what the core of a process carries. */
const OSABI_FREEBSD = 9;
const TYPE_CORE = 4;
const SEGMENT_LOAD = 1;
const SEGMENT_NOTE = 4;
const SEGMENT_DUMP_DELTA = 0x6fb5d000;

/** The kernel writes at most 20 ranges; this bounds what a header that lies makes us read. */
const SEGMENT_LIMIT = 1024;

/**
 * Reads an ELF core's header and segment table.
 *
 * @throws {SyntaxError} if it is not an ELF core, or its tables cannot be right
 */
export async function readElfCore(readAt: ReadAt): Promise<ElfCore> {
  const header = await readAt(0, ELF_HEADER_SIZE);
  const { tableOffset, tableSize } = segmentTable(header);
  return decodeElfCore(header, await readAt(tableOffset, tableSize));
}

/**
 * Where the segment table lies, in bytes.
 *
 * @throws {SyntaxError} if it is not an ELF core, or the table cannot be right
 */
export function segmentTable(header: Uint8Array): { tableOffset: number; tableSize: number } {
  return tableOf(decodeElfHeader(header));
}

/**
 * Decodes an ELF core. Segments are as found: {@linkcode checkElfCore} judges them.
 *
 * @param header the first 64 bytes of the file
 * @param table the segment table, complete
 * @throws {SyntaxError} if it is not an ELF core, or its tables cannot be right
 */
export function decodeElfCore(header: Uint8Array, table: Uint8Array): ElfCore {
  const elf = decodeElfHeader(header);
  const { tableSize } = tableOf(elf);
  if (table.byteLength < tableSize) throw cannotRead("the file ends inside its segment table");
  const entrySize = programHeaderSize(elf.class);
  const entries = Array.from(
    { length: tableSize / entrySize },
    (_, i) => decodeProgramHeader(table.subarray(i * entrySize, (i + 1) * entrySize), elf),
  );
  const delta = entries.find((entry) => entry.type === SEGMENT_DUMP_DELTA);
  return {
    class: elf.class,
    byteOrder: elf.byteOrder,
    machine: elf.machine,
    type: elf.type,
    osAbi: elf.osAbi,
    version: elf.version,
    segments: entries.filter((entry) => entry.type === SEGMENT_LOAD).map(({ type: _, ...segment }) =>
      segment
    ),
    hasNotes: entries.some((entry) => entry.type === SEGMENT_NOTE),
    dumpDelta: delta === undefined
      ? null
      : { virtualAddress: delta.virtualAddress, physicalAddress: delta.physicalAddress },
  };
}

function tableOf(elf: ElfHeader): { tableOffset: number; tableSize: number } {
  const { offset, count, entrySize } = elf.programHeaders;
  const expected = programHeaderSize(elf.class);
  if (count > SEGMENT_LIMIT) throw cannotRead(`${count} segments, expected at most ${SEGMENT_LIMIT}`);
  if (count > 0 && entrySize !== expected) {
    throw cannotRead(`segment entries of ${entrySize} bytes, expected ${expected}`);
  }
  return { tableOffset: offset, tableSize: count * expected };
}

/** Tells a kernel's full dump from the core of a process and other people's cores (section 10.1). */
export function isKernelDump(core: ElfCore): boolean {
  return core.type === TYPE_CORE && core.osAbi === OSABI_STANDALONE && !core.hasNotes;
}

/** Whether it is the core of a process (FreeBSD's or another system's), which is no kernel dump. */
export function isProcessCore(core: ElfCore): boolean {
  return core.type === TYPE_CORE && (core.osAbi === OSABI_FREEBSD || core.hasNotes);
}

/** The size that the segments of a full dump add up to. */
export function elfCoreSize(core: ElfCore): number {
  return core.segments.reduce((end, segment) => Math.max(end, segment.offset + segment.fileSize), 0);
}

/** Lists everything that is wrong with a full dump as a whole. */
export function checkElfCore(core: ElfCore, file: DumpFile): Problem[] {
  return [
    ...checkSegments(core),
    ...checkFileSize(file, {
      size: elfCoreSize(core),
      parts: "segments",
      zerosFrom: core.segments[0]?.offset ?? 0,
      partAt: (offset) => partAt(core.segments, offset),
    }),
  ];
}

function checkSegments(core: ElfCore): Problem[] {
  const { segments } = core;
  if (segments.length === 0) return [problem("elf-segments", "The ELF core has no segments")];
  for (const [i, segment] of segments.entries()) {
    const name = `Segment ${i + 1} of the ELF core`;
    const previous = segments[i - 1];
    if (segment.fileSize !== segment.memorySize) {
      const sizes = `${segment.fileSize} bytes of file for ${segment.memorySize} of memory`;
      return [problem("elf-segments", `${name} has ${sizes}`)];
    }
    if (previous !== undefined && segment.offset !== previous.offset + previous.fileSize) {
      return [problem("elf-segments", `${name} does not follow the one before it in the file`)];
    }
    if (previous !== undefined && !follows(core, previous, segment)) {
      return [problem("elf-segments", `${name} overlaps the one before it in memory or is out of order`)];
    }
  }
  return [];
}

/** Whether a segment has a physical address: powerpc before 13 wrote all ones for none (section 3.6). */
export function hasPhysicalAddress(core: ElfCore, segment: ElfSegment): boolean {
  return segment.physicalAddress !== (core.class === 64 ? 0xffffffffffffffffn : 0xffffffffn);
}

function follows(core: ElfCore, previous: ElfSegment, segment: ElfSegment): boolean {
  const address = hasPhysicalAddress(core, segment) && hasPhysicalAddress(core, previous)
    ? (s: ElfSegment) => s.physicalAddress
    : (s: ElfSegment) => s.virtualAddress;
  return address(segment) >= address(previous) + BigInt(previous.memorySize);
}

function partAt(segments: readonly ElfSegment[], offset: number): string {
  const index = segments.findIndex((segment) => offset < segment.offset + segment.fileSize);
  const inside = index >= 0 && offset >= segments[index]!.offset;
  return inside ? `segment ${index + 1} of ${segments.length}` : "the headers";
}

function cannotRead(why: string): SyntaxError {
  return new SyntaxError(`Cannot read ELF core: ${why}`);
}
