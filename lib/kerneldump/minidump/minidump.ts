/**
 * The header of a minidump, the default FreeBSD kernel dump: all architectures, versions and byte orders, and where
 * its sections lie (reference kernel-dump-formats.md, sections 3.1 and 3.2).
 *
 * @module
 */

import { type Extent, roundUp } from "../../bytes/source.ts";

/** What every minidump begins with; the architecture follows. */
export const MINIDUMP_MAGIC = "minidump FreeBSD/";

/** Bytes that {@linkcode decodeMinidump} needs: the longest header struct. */
export const MINIDUMP_HEADER_SIZE = 144;

/** Architectures as minidumps name them: `aarch64` is `arm64` here, `armv7` is `arm`. */
export type MinidumpArchitecture = "amd64" | "arm64" | "riscv" | "i386" | "arm" | "mips" | "powerpc64";

/** A decoded minidump header. What the architecture or version lacks is `null`. */
export interface Minidump {
  readonly architecture: MinidumpArchitecture;
  readonly version: number;
  readonly littleEndian: boolean;
  /** Bytes of a pointer and of a bitmap word on the machine that crashed. */
  readonly wordSize: 4 | 8;
  readonly pageSize: number;
  /** Bytes of message text, the control structure behind it excluded (section 4.1). */
  readonly messageBufferSize: number;
  readonly bitmapSize: number;
  readonly pageTableSize: number;
  readonly dumpAvailSize: number | null;
  /** Bottom of the kernel's address space, not the address of the kernel's text. */
  readonly kernelBase: bigint;
  readonly kernelEnd: bigint | null;
  /** Physical address of the first byte of the direct map, where that is not zero by definition. */
  readonly directMapPhysical: bigint | null;
  readonly directMapBase: bigint | null;
  readonly directMapEnd: bigint | null;
  /** i386: whether page table entries are 8 bytes. */
  readonly paeMode: boolean | null;
  /** arm: 0 unknown, 1 ARMv4, 2 ARMv6/v7, 3 LPAE. */
  readonly mmuFormat: number | null;
  /** powerpc64: `mmu_g5`, `mmu_phyp`, `mmu_radix`... as found, unfiltered. */
  readonly mmuName: string | null;
  /** powerpc64: whether the direct map is the hardware's. */
  readonly hardwareDirectMap: boolean | null;
  readonly startKernel: bigint | null;
  readonly endKernel: bigint | null;
}

/** The fields after the four sizes, by name; `u32` or `u64` by the set they are in. */
interface Layout {
  readonly versionOffset: number;
  readonly newestVersion: number;
  readonly wordSize: 4 | 8;
  readonly u64: Partial<Record<AddressField, number>>;
  readonly u32: Partial<Record<NumberField, number>>;
  /** Where the size of dump_avail stands, and the first version that has it. */
  readonly dumpAvail: readonly [offset: number, sinceVersion: number];
}
type AddressField =
  | "kernelBase"
  | "kernelEnd"
  | "directMapPhysical"
  | "directMapBase"
  | "directMapEnd"
  | "startKernel"
  | "endKernel";
type NumberField = "kernelBase" | "paeMode" | "mmuFormat" | "hardwareDirectMap";

const DIRECT_MAP_WITH_PHYSICAL = {
  kernelBase: 40,
  directMapPhysical: 48,
  directMapBase: 56,
  directMapEnd: 64,
} as const;

/** Section 3.2. */
const LAYOUTS: Readonly<Record<MinidumpArchitecture, Layout>> = {
  amd64: {
    versionOffset: 24,
    newestVersion: 3,
    wordSize: 8,
    u64: { kernelBase: 40, directMapBase: 48, directMapEnd: 56 },
    u32: {},
    dumpAvail: [64, 3],
  },
  arm64: {
    versionOffset: 24,
    newestVersion: 3,
    wordSize: 8,
    u64: DIRECT_MAP_WITH_PHYSICAL,
    u32: {},
    dumpAvail: [72, 2],
  },
  riscv: {
    versionOffset: 24,
    newestVersion: 2,
    wordSize: 8,
    u64: DIRECT_MAP_WITH_PHYSICAL,
    u32: {},
    dumpAvail: [72, 2],
  },
  i386: {
    versionOffset: 24,
    newestVersion: 2,
    wordSize: 4,
    u64: {},
    u32: { kernelBase: 40, paeMode: 44 },
    dumpAvail: [48, 2],
  },
  arm: {
    versionOffset: 24,
    newestVersion: 2,
    wordSize: 4,
    u64: {},
    u32: { kernelBase: 40, mmuFormat: 48 },
    dumpAvail: [52, 2],
  },
  mips: {
    versionOffset: 24,
    newestVersion: 2,
    wordSize: 8,
    u64: { kernelBase: 40, directMapBase: 48, directMapEnd: 56 },
    u32: {},
    dumpAvail: [64, 2],
  },
  powerpc64: {
    versionOffset: 64,
    newestVersion: 2,
    wordSize: 8,
    u64: {
      kernelBase: 80,
      kernelEnd: 88,
      directMapBase: 96,
      directMapEnd: 104,
      startKernel: 120,
      endKernel: 128,
    },
    u32: { hardwareDirectMap: 112 },
    dumpAvail: [136, 2],
  },
};

const POWERPC64_MMU_NAME = [32, 32] as const;
const ARM64_FLAGS = 76;
const PAGE_SIZE = 4096;
/** arm64 version 3, flags bits 0 and 1; 3 is not assigned. */
const ARM64_PAGE_SIZES = [4096, 16384, 65536] as const;

/** Tells whether the bytes begin like a minidump, of whatever architecture. */
export function hasMinidumpMagic(bytes: Uint8Array): boolean {
  return bytes.byteLength >= MINIDUMP_MAGIC.length &&
    latin1(bytes.subarray(0, MINIDUMP_MAGIC.length)) === MINIDUMP_MAGIC;
}

/**
 * Decodes a minidump header. Sizes and addresses are as found: `checkMinidump` judges them.
 *
 * @param bytes the first {@linkcode MINIDUMP_HEADER_SIZE} bytes of the dump, or more
 * @throws {SyntaxError} if it is too short, not a minidump, or of an architecture or version not known
 */
export function decodeMinidump(bytes: Uint8Array): Minidump {
  if (bytes.byteLength < MINIDUMP_HEADER_SIZE) {
    throw new SyntaxError(
      `Cannot read minidump header: ${bytes.byteLength} bytes, expected ${MINIDUMP_HEADER_SIZE}`,
    );
  }
  if (!hasMinidumpMagic(bytes)) {
    throw new SyntaxError("Cannot read minidump header: the magic is not a minidump's");
  }
  const architecture = readArchitecture(bytes);
  const layout = LAYOUTS[architecture];
  const view = new DataView(bytes.buffer, bytes.byteOffset, MINIDUMP_HEADER_SIZE);
  // Versions are small, so the first byte tells the byte order: file(1) does the same.
  const littleEndian = bytes[layout.versionOffset] !== 0;
  const u32 = (at: number) => view.getUint32(at, littleEndian);
  const version = u32(layout.versionOffset);
  if (version < 1 || version > layout.newestVersion) {
    throw new SyntaxError(
      `Cannot read minidump header: version ${version} for ${architecture}, expected 1 to ${layout.newestVersion}`,
    );
  }
  const number = (field: NumberField) => layout.u32[field] === undefined ? null : u32(layout.u32[field]);
  const address = (field: AddressField) =>
    layout.u64[field] === undefined ? null : view.getBigUint64(layout.u64[field], littleEndian);
  const sizes = layout.versionOffset + 4;
  const [dumpAvailOffset, dumpAvailSince] = layout.dumpAvail;
  const kernelBase = address("kernelBase") ?? BigInt(number("kernelBase") ?? 0);
  return {
    architecture,
    version,
    littleEndian,
    wordSize: architecture === "mips" ? mipsWordSize(kernelBase) : layout.wordSize,
    pageSize: architecture === "arm64" && version >= 3 ? readArm64PageSize(u32(ARM64_FLAGS)) : PAGE_SIZE,
    messageBufferSize: u32(sizes),
    bitmapSize: u32(sizes + 4),
    pageTableSize: u32(sizes + 8),
    dumpAvailSize: version < dumpAvailSince ? null : u32(dumpAvailOffset),
    kernelBase,
    kernelEnd: address("kernelEnd"),
    directMapPhysical: address("directMapPhysical"),
    directMapBase: address("directMapBase"),
    directMapEnd: address("directMapEnd"),
    paeMode: toBoolean(number("paeMode")),
    mmuFormat: number("mmuFormat"),
    mmuName: architecture === "powerpc64" ? readString(bytes, ...POWERPC64_MMU_NAME) : null,
    hardwareDirectMap: toBoolean(number("hardwareDirectMap")),
    startKernel: address("startKernel"),
    endKernel: address("endKernel"),
  };
}

/** Where the sections of a minidump lie: they follow each other with no gap (section 3.1). */
export interface MinidumpLayout {
  readonly header: Extent;
  /** Rounded up to pages: the control structure may stand behind the text. */
  readonly messageBuffer: Extent;
  readonly dumpAvail: Extent | null;
  readonly bitmap: Extent;
  readonly pageTables: Extent;
  /** Where the first dumped page lies; their number is the bitmap's. */
  readonly pagesOffset: number;
}

/** Computes where the sections of a minidump lie. All sums stay far below 2^53, whatever the header says. */
export function minidumpLayout(minidump: Minidump): MinidumpLayout {
  let offset = 0;
  const next = (size: number): Extent => {
    const extent = { offset, size: roundUp(size, minidump.pageSize) };
    offset += extent.size;
    return extent;
  };
  return {
    header: next(minidump.pageSize),
    messageBuffer: next(minidump.messageBufferSize),
    dumpAvail: minidump.dumpAvailSize === null ? null : next(minidump.dumpAvailSize),
    bitmap: next(minidump.bitmapSize),
    pageTables: next(minidump.pageTableSize),
    pagesOffset: offset,
  };
}

/** Tells whether an architecture's minidumps are known. */
export function isMinidumpArchitecture(name: string): name is MinidumpArchitecture {
  return Object.hasOwn(LAYOUTS, name);
}

/** The newest version of an architecture's minidumps that is known. */
export function newestMinidumpVersion(architecture: MinidumpArchitecture): number {
  return LAYOUTS[architecture].newestVersion;
}

/** Where in the header the version stands. */
export function versionOffsetOf(architecture: MinidumpArchitecture): number {
  return LAYOUTS[architecture].versionOffset;
}

function readArchitecture(bytes: Uint8Array): MinidumpArchitecture {
  const name = readString(bytes, MINIDUMP_MAGIC.length, 15);
  if (isMinidumpArchitecture(name)) return name;
  throw new SyntaxError(
    `Cannot read minidump header: the architecture is not one of ${Object.keys(LAYOUTS).join(", ")}`,
  );
}

function readArm64PageSize(flags: number): number {
  const pageSize = ARM64_PAGE_SIZES[flags & 3];
  if (pageSize !== undefined) return pageSize;
  throw new SyntaxError(`Cannot read minidump header: flags 0x${flags.toString(16)} name no page size`);
}

/** The header does not tell 32-bit from 64-bit mips, but the kernel's address space begins above 4 GiB only on the latter. */
function mipsWordSize(kernelBase: bigint): 4 | 8 {
  return kernelBase > 0xffffffffn ? 8 : 4;
}

function toBoolean(value: number | null): boolean | null {
  return value === null ? null : value !== 0;
}

function readString(bytes: Uint8Array, at: number, size: number): string {
  const field = bytes.subarray(at, at + size);
  const nul = field.indexOf(0);
  return latin1(nul < 0 ? field : field.subarray(0, nul));
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
