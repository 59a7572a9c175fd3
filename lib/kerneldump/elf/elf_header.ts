/**
 * The headers of ELF files, of either class and byte order: dumps, kernels and modules begin with them.
 *
 * @module
 */

/** What an ELF file's header says. Its tables are as found: whoever reads them bounds them. */
export interface ElfHeader {
  readonly class: 32 | 64;
  readonly byteOrder: "little" | "big";
  /** The machine's name as FreeBSD's MACHINE_ARCH, `machine N` if it is not known. */
  readonly machine: string;
  /** 1 relocatable, 2 executable, 3 shared, 4 core. */
  readonly type: number;
  readonly osAbi: number;
  readonly version: number;
  readonly programHeaders: ElfTable;
  readonly sectionHeaders: ElfTable;
  /** The section that holds the names of sections. */
  readonly namesSection: number;
}

/** Where a table of headers lies in the file. */
export interface ElfTable {
  readonly offset: number;
  readonly count: number;
  readonly entrySize: number;
}

/** A loadable segment. */
export interface ElfSegment {
  readonly offset: number;
  /** Equal to the physical address in full dumps, but for powerpc before 13 (kernel-dump-formats.md, section 3.6). */
  readonly virtualAddress: bigint;
  readonly physicalAddress: bigint;
  readonly fileSize: number;
  readonly memorySize: number;
}

/** The largest header, in bytes: 64 for class 64, 52 for class 32. */
export const ELF_HEADER_SIZE = 64;

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
const HEADER_LAYOUT = {
  32: { size: 52, phoff: 28, shoff: 32, phentsize: 42 },
  64: { size: 64, phoff: 32, shoff: 40, phentsize: 54 },
} as const;
const PROGRAM_HEADER_LAYOUT = {
  32: { size: 32, offset: 4, vaddr: 8, paddr: 12, filesz: 16, memsz: 20 },
  64: { size: 56, offset: 8, vaddr: 16, paddr: 24, filesz: 32, memsz: 40 },
} as const;

/** Tells whether the bytes begin with the ELF magic. */
export function hasElfMagic(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/**
 * Decodes an ELF file's header.
 *
 * @param bytes the first {@linkcode ELF_HEADER_SIZE} bytes of the file, fewer if it is shorter
 * @throws {SyntaxError} if it is no ELF header, or the file ends inside it
 */
export function decodeElfHeader(bytes: Uint8Array): ElfHeader {
  if (!hasElfMagic(bytes)) throw cannotRead("the magic is not ELF's");
  const [fileClass, order] = [bytes[4], bytes[5]];
  if (fileClass !== 1 && fileClass !== 2) throw cannotRead(`class ${fileClass}, expected 1 or 2`);
  if (order !== 1 && order !== 2) throw cannotRead(`byte order ${order}, expected 1 or 2`);
  const bits = fileClass === 2 ? 64 : 32;
  const layout = HEADER_LAYOUT[bits];
  if (bytes.byteLength < layout.size) throw cannotRead("the file ends inside its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = order === 1;
  const sizes = [0, 2, 4, 6, 8].map((at) => view.getUint16(layout.phentsize + at, little));
  return {
    class: bits,
    byteOrder: little ? "little" : "big",
    machine: machineName(view.getUint16(18, little), bits, little),
    type: view.getUint16(16, little),
    osAbi: view.getUint8(7),
    version: view.getUint32(20, little),
    programHeaders: {
      offset: readOffset(view, layout.phoff, bits, little),
      entrySize: sizes[0]!,
      count: sizes[1]!,
    },
    sectionHeaders: {
      offset: readOffset(view, layout.shoff, bits, little),
      entrySize: sizes[2]!,
      count: sizes[3]!,
    },
    namesSection: sizes[4]!,
  };
}

/** The size of a program header of a class, in bytes. */
export function programHeaderSize(bits: 32 | 64): number {
  return PROGRAM_HEADER_LAYOUT[bits].size;
}

/**
 * Decodes a program header.
 *
 * @param bytes at least {@linkcode programHeaderSize} bytes
 * @throws {SyntaxError} if an offset or size in it is absurd
 */
export function decodeProgramHeader(bytes: Uint8Array, header: ElfHeader): ElfSegment & { type: number } {
  const layout = PROGRAM_HEADER_LAYOUT[header.class];
  const little = header.byteOrder === "little";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    type: view.getUint32(0, little),
    offset: readOffset(view, layout.offset, header.class, little),
    virtualAddress: readAddress(view, layout.vaddr, header.class, little),
    physicalAddress: readAddress(view, layout.paddr, header.class, little),
    fileSize: readOffset(view, layout.filesz, header.class, little),
    memorySize: readOffset(view, layout.memsz, header.class, little),
  };
}

/** Reads an address of a class's width. */
export function readAddress(view: DataView, at: number, bits: 32 | 64, little: boolean): bigint {
  return bits === 64 ? view.getBigUint64(at, little) : BigInt(view.getUint32(at, little));
}

/**
 * Reads an offset or a size of a class's width. They stay below 2^52, so that the sum of any two is exact.
 *
 * @throws {SyntaxError} if it is larger
 */
export function readOffset(view: DataView, at: number, bits: 32 | 64, little: boolean): number {
  const value = bits === 64 ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
  if (value >= 2 ** 52) throw cannotRead(`an offset or size of 0x${value.toString(16)} is absurd`);
  return value;
}

function machineName(machine: number, bits: 32 | 64, little: boolean): string {
  if (machine === 21 && little) return "powerpc64le";
  if (machine === 8 && bits === 64) return little ? "mips64el" : "mips64";
  if (machine === 8 && little) return "mipsel";
  return MACHINES[machine] ?? `machine ${machine}`;
}

function cannotRead(why: string): SyntaxError {
  return new SyntaxError(`Cannot read ELF file: ${why}`);
}
