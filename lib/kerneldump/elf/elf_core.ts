/**
 * Full kernel dumps: an ELF core with one segment per stretch of physical memory (reference
 * kernel-dump-formats.md, section 5).
 *
 * @module
 */

import { checkFileSize, type DumpFile } from "../file_size.ts";
import { type Problem, problem } from "../problem.ts";
import type { ReadAt } from "../../bytes/source.ts";

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

/** A loadable segment. */
export interface ElfSegment {
  readonly offset: number;
  /** Equal to the physical address, but for powerpc before 13 (section 3.6). */
  readonly virtualAddress: bigint;
  readonly physicalAddress: bigint;
  readonly fileSize: number;
  readonly memorySize: number;
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

const MACHINES: Readonly<Record<number, string>> = {
  3: "i386",
  8: "mips",
  20: "powerpc",
  21: "powerpc64",
  40: "arm",
  43: "sparc64",
  50: "ia64",
  62: "amd64",
  183: "aarch64",
  243: "riscv64",
  258: "loongarch64",
  0x9026: "alpha",
};

/** Where the fields of the two classes are. */
interface Layout {
  readonly headerSize: number;
  readonly entrySize: number;
  readonly header: { readonly phoff: number; readonly phentsize: number; readonly phnum: number };
  readonly entry: {
    readonly offset: number;
    readonly vaddr: number;
    readonly paddr: number;
    readonly filesz: number;
    readonly memsz: number;
  };
}
const LAYOUT_32: Layout = {
  headerSize: 52,
  entrySize: 32,
  header: { phoff: 28, phentsize: 42, phnum: 44 },
  entry: { offset: 4, vaddr: 8, paddr: 12, filesz: 16, memsz: 20 },
};
const LAYOUT_64: Layout = {
  headerSize: 64,
  entrySize: 56,
  header: { phoff: 32, phentsize: 54, phnum: 56 },
  entry: { offset: 8, vaddr: 16, paddr: 24, filesz: 32, memsz: 40 },
};

/** Tells whether the bytes begin with the ELF magic. */
export function hasElfMagic(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/**
 * Reads an ELF core's header and segment table.
 *
 * @throws {SyntaxError} if it is not an ELF core, or its tables cannot be right
 */
export async function readElfCore(readAt: ReadAt): Promise<ElfCore> {
  const header = await readAt(0, LAYOUT_64.headerSize);
  const { tableOffset, tableSize } = segmentTable(header);
  return decodeElfCore(header, await readAt(tableOffset, tableSize));
}

/**
 * Where the segment table lies, in bytes.
 *
 * @throws {SyntaxError} if it is not an ELF core, or the table cannot be right
 */
export function segmentTable(header: Uint8Array): { tableOffset: number; tableSize: number } {
  const { layout, view, little } = open(header);
  const count = view.getUint16(layout.header.phnum, little);
  const entrySize = view.getUint16(layout.header.phentsize, little);
  if (count > SEGMENT_LIMIT) throw cannotRead(`${count} segments, expected at most ${SEGMENT_LIMIT}`);
  if (count > 0 && entrySize !== layout.entrySize) {
    throw cannotRead(`segment entries of ${entrySize} bytes, expected ${layout.entrySize}`);
  }
  return {
    tableOffset: readWord(view, layout.header.phoff, layout, little),
    tableSize: count * layout.entrySize,
  };
}

/**
 * Decodes an ELF core. Segments are as found: {@linkcode checkElfCore} judges them.
 *
 * @param header the first 64 bytes of the file
 * @param table the segment table, complete
 * @throws {SyntaxError} if it is not an ELF core, or its tables cannot be right
 */
export function decodeElfCore(header: Uint8Array, table: Uint8Array): ElfCore {
  const { layout, view, little } = open(header);
  const { tableSize } = segmentTable(header);
  if (table.byteLength < tableSize) throw cannotRead("the file ends inside its segment table");
  const machine = view.getUint16(18, little);
  const entries = Array.from(
    { length: tableSize / layout.entrySize },
    (_, i) => decodeEntry(table.subarray(i * layout.entrySize, (i + 1) * layout.entrySize), layout, little),
  );
  const delta = entries.find((entry) => entry.type === SEGMENT_DUMP_DELTA);
  return {
    class: layout === LAYOUT_64 ? 64 : 32,
    byteOrder: little ? "little" : "big",
    machine: machineName(machine, layout, little),
    type: view.getUint16(16, little),
    osAbi: view.getUint8(7),
    version: view.getUint32(20, little),
    segments: entries.filter((entry) => entry.type === SEGMENT_LOAD).map(({ type: _, ...segment }) =>
      segment
    ),
    hasNotes: entries.some((entry) => entry.type === SEGMENT_NOTE),
    dumpDelta: delta === undefined
      ? null
      : { virtualAddress: delta.virtualAddress, physicalAddress: delta.physicalAddress },
  };
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

function open(header: Uint8Array): { layout: Layout; view: DataView; little: boolean } {
  if (!hasElfMagic(header)) throw cannotRead("the magic is not ELF's");
  const [fileClass, order] = [header[4], header[5]];
  const layout = fileClass === 2 ? LAYOUT_64 : LAYOUT_32;
  if (fileClass !== 1 && fileClass !== 2) throw cannotRead(`class ${fileClass}, expected 1 or 2`);
  if (order !== 1 && order !== 2) throw cannotRead(`byte order ${order}, expected 1 or 2`);
  if (header.byteLength < layout.headerSize) throw cannotRead("the file ends inside its header");
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  return { layout, view, little: order === 1 };
}

function decodeEntry(bytes: Uint8Array, layout: Layout, little: boolean): ElfSegment & { type: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const address = (at: number) =>
    layout === LAYOUT_64 ? view.getBigUint64(at, little) : BigInt(view.getUint32(at, little));
  return {
    type: view.getUint32(0, little),
    offset: readWord(view, layout.entry.offset, layout, little),
    virtualAddress: address(layout.entry.vaddr),
    physicalAddress: address(layout.entry.paddr),
    fileSize: readWord(view, layout.entry.filesz, layout, little),
    memorySize: readWord(view, layout.entry.memsz, layout, little),
  };
}

/** Offsets and sizes stay below 2^52, so that the sum of any two is exact. */
function readWord(view: DataView, at: number, layout: Layout, little: boolean): number {
  const value = layout === LAYOUT_64 ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  if (value >= 2 ** 52) throw cannotRead(`an offset or size of 0x${value.toString(16)} is absurd`);
  return value;
}

function machineName(machine: number, layout: Layout, little: boolean): string {
  if (machine === 21 && little) return "powerpc64le";
  if (machine === 8 && layout === LAYOUT_64) return little ? "mips64el" : "mips64";
  if (machine === 8 && little) return "mipsel";
  return MACHINES[machine] ?? `machine ${machine}`;
}

function cannotRead(why: string): SyntaxError {
  return new SyntaxError(`Cannot read ELF core: ${why}`);
}
