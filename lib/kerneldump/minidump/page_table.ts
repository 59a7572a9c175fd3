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
  /** amd64: the page table that decides is itself a dumped page; its entry for the address stands here. */
  | { readonly kind: "table"; readonly entryAddress: number }
  | { readonly kind: "invalid"; readonly reason: string };

/** How the page table section of one kind of minidump is indexed and read. */
export interface PageTableFormat {
  /** Bytes of an entry of the section. */
  readonly entrySize: 4 | 8;
  /** Bits of an address that one entry covers. */
  readonly shift: bigint;
  /** Decodes an entry of the section for an address. */
  decode(entry: bigint, address: bigint): Entry;
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
      return { unsupported: "hashed page tables are not searched" };
  }
}

/** Decodes an entry of an amd64 page table that is a dumped page: the second step of a {@linkcode Entry} `table`. */
export function decodeAmd64Entry(entry: bigint, address: bigint): Entry {
  return AMD64_ENTRIES.decode(entry, address);
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
    return { kind: "table", entryAddress: Number((entry & FRAME_52) + ((address >> 12n) & 511n) * 8n) };
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
