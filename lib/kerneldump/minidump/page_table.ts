/**
 * Page table entries of the kernel's address space, as minidumps of each architecture hold them (reference
 * kernel-dump-formats.md, section 3.3).
 *
 * @module
 */

import type { Minidump } from "./minidump.ts";

/** What a page table entry says of one virtual address. */
export type Entry =
  | { readonly kind: "page"; readonly physicalAddress: number }
  /** The page table that decides is itself a dumped page: its entry for the address, of 8 bytes, stands here. */
  | { readonly kind: "table"; readonly entryAddress: number; readonly decode: DecodeEntry }
  | { readonly kind: "invalid"; readonly reason: string };

/** Decodes an entry for an address. Tables below tables are finite by construction: the last one's has none. */
export type DecodeEntry = (entry: bigint, address: bigint) => Entry;

/** How the page table section of one kind of minidump is indexed and read. */
export interface PageTableFormat {
  /** Bytes of an entry of the section. */
  readonly entrySize: 4 | 8;
  /** Bits of an address that one entry covers. */
  readonly shift: bigint;
  /** The address that the section's first entry is for, if not the kernel's base. */
  readonly start?: bigint;
  /** Set if entries are big-endian whatever the machine is. */
  readonly bigEndian?: true;
  /** Decodes an entry of the section. */
  readonly decode: DecodeEntry;
}

/** Page tables that this program does not walk, and why. */
export interface UnsupportedPageTables {
  readonly unsupported: string;
}

/** The format of a minidump's page tables. */
export function pageTableFormat(minidump: Minidump): PageTableFormat | UnsupportedPageTables {
  switch (minidump.architecture) {
    case "amd64":
      return minidump.version === 1 ? AMD64_ENTRIES : AMD64_DIRECTORY;
    case "arm64":
      return arm64Entries(BigInt(minidump.pageSize));
    case "riscv":
      return RISCV_ENTRIES;
    case "i386":
      return minidump.paeMode ? I386_PAE_ENTRIES : I386_ENTRIES;
    case "arm":
      return minidump.mmuFormat === ARM_LPAE
        ? { unsupported: "LPAE page tables are not searched" }
        : ARM_ENTRIES;
    case "mips":
      return minidump.wordSize === 8 ? MIPS64_ENTRIES : MIPS32_ENTRIES;
    case "powerpc64":
      return minidump.mmuName === POWERPC64_RADIX
        ? RADIX_ROOT
        : { unsupported: "hashed page tables are not searched" };
  }
}

const INVALID: Entry = { kind: "invalid", reason: "its page table entry is not valid" };

function page(frame: bigint, address: bigint, offsetMask: bigint): Entry {
  return { kind: "page", physicalAddress: Number(frame | (address & offsetMask)) };
}

const FRAME_52 = 0x000ffffffffff000n;

const AMD64_ENTRIES: PageTableFormat = {
  entrySize: 8,
  shift: 12n,
  decode: (entry, address) => (entry & 1n) === 0n ? INVALID : page(entry & FRAME_52, address, 0xfffn),
};

const AMD64_DIRECTORY: PageTableFormat = {
  entrySize: 8,
  shift: 21n,
  decode: (entry, address) => {
    if ((entry & 1n) === 0n) return INVALID;
    if ((entry & 0x80n) !== 0n) return page(entry & 0x000fffffffe00000n, address, 0x1fffffn);
    const entryAddress = Number((entry & FRAME_52) + ((address >> 12n) & 511n) * 8n);
    return { kind: "table", entryAddress, decode: AMD64_ENTRIES.decode };
  },
};

function arm64Entries(pageSize: bigint): PageTableFormat {
  const offsetMask = pageSize - 1n;
  return {
    entrySize: 8,
    shift: BigInt(offsetMask.toString(2).length),
    decode: (entry, address) =>
      (entry & 3n) !== 3n ? INVALID : page(entry & 0x0003fffffffff000n & ~offsetMask, address, offsetMask),
  };
}

const RISCV_ENTRIES: PageTableFormat = {
  entrySize: 8,
  shift: 12n,
  // Valid, and readable, writable or executable: otherwise it points to a table, which minidumps never hold here.
  decode: (entry, address) =>
    (entry & 1n) === 0n || (entry & 0xen) === 0n
      ? INVALID
      : page((entry & 0x003ffffffffffc00n) << 2n, address, 0xfffn),
};

const I386_LARGE: Entry = { kind: "invalid", reason: "its page table entry is marked as a large page" };

function i386Entries(entrySize: 4 | 8, frame: bigint): PageTableFormat {
  return {
    entrySize,
    shift: 12n,
    decode: (entry, address) => {
      if ((entry & 1n) === 0n) return INVALID;
      return (entry & 0x80n) !== 0n ? I386_LARGE : page(entry & frame, address, 0xfffn);
    },
  };
}
const I386_ENTRIES = i386Entries(4, 0xfffff000n);
const I386_PAE_ENTRIES = i386Entries(8, FRAME_52);

const ARM_LPAE = 3;

const ARM_ENTRIES: PageTableFormat = {
  entrySize: 4,
  shift: 12n,
  decode: (entry, address) => {
    const type = entry & 3n;
    if (type === 0n) return INVALID;
    return type === 1n
      ? page(entry & 0xffff0000n, address, 0xffffn)
      : page(entry & 0xfffff000n, address, 0xfffn);
  },
};

/** The frame number stands from bit 6 on, above the cache and status bits; bit 1 is "valid". */
function mipsEntries(entrySize: 4 | 8, frame: bigint): PageTableFormat {
  return {
    entrySize,
    shift: 12n,
    decode: (entry, address) => (entry & 2n) === 0n ? INVALID : page((entry & frame) << 6n, address, 0xfffn),
  };
}
const MIPS32_ENTRIES = mipsEntries(4, 0x1fffffc0n);
const MIPS64_ENTRIES = mipsEntries(8, 0x3ffffffc0n);

const POWERPC64_RADIX = "mmu_radix";

/**
 * An entry of one level of a radix tree, whose levels cover 39, 30, 21 and 12 bits: a leaf maps all that it covers, any
 * other leads to a table of 512 entries for the level below. Bit 63 is "valid", bit 62 "leaf".
 */
function radixLevel(shift: bigint, below: { readonly shift: bigint; readonly decode: DecodeEntry } | null) {
  const decode: DecodeEntry = (entry, address) => {
    if ((entry >> 63n) === 0n) return INVALID;
    const offsetMask = (1n << shift) - 1n;
    if ((entry >> 62n & 1n) === 1n) {
      return page(entry & 0x00fffffffffff000n & ~offsetMask, address, offsetMask);
    }
    if (below === null) return INVALID;
    const table = entry & 0x00ffffffffffff00n;
    return {
      kind: "table",
      entryAddress: Number(table + (address >> below.shift & 511n) * 8n),
      decode: below.decode,
    };
  };
  return { shift, decode };
}

/** The section is the root: 8192 entries for the 52 bits of the quadrant that kernels live in. */
const RADIX_ROOT: PageTableFormat = {
  ...radixLevel(39n, radixLevel(30n, radixLevel(21n, radixLevel(12n, null)))),
  entrySize: 8,
  start: 0xc000000000000000n,
  bigEndian: true,
};
