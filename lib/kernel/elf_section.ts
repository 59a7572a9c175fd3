/**
 * Section headers of ELF files.
 *
 * @module
 */

import type { ReadAt } from "../bytes/source.ts";
import { type ElfHeader, readAddress, readOffset } from "../kerneldump/elf/elf_header.ts";

/** A section of an ELF file. */
export interface ElfSection {
  /** Its number in the file's table. */
  readonly index: number;
  /** As the file has it: any byte may be in it. */
  readonly name: string;
  /** One of {@linkcode SectionType}, or another. */
  readonly type: number;
  /** Whether it is part of the loaded image (SHF_ALLOC). */
  readonly allocated: boolean;
  /** Whether it holds instructions (SHF_EXECINSTR). */
  readonly executable: boolean;
  /** Whether its bytes are compressed (SHF_COMPRESSED). */
  readonly compressed: boolean;
  readonly address: bigint;
  readonly offset: number;
  /** Bytes in the file, or in memory if it has none there. */
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly alignment: number;
  readonly entrySize: number;
}

/** The bytes of a section. */
export interface SectionBytes {
  readonly size: number;
  readonly readAt: ReadAt;
}

/** The types of sections that matter here. */
export const SectionType = {
  NULL: 0,
  PROGBITS: 1,
  SYMTAB: 2,
  STRTAB: 3,
  RELA: 4,
  NOTE: 7,
  NOBITS: 8,
  REL: 9,
  DYNSYM: 11,
  INIT_ARRAY: 14,
  FINI_ARRAY: 15,
  X86_64_UNWIND: 0x70000001,
} as const;

const FLAG_ALLOC = 2;
const FLAG_EXECUTABLE = 4;
const FLAG_COMPRESSED = 0x800;

/** The size of a section header of a class, in bytes. */
export function sectionHeaderSize(bits: 32 | 64): number {
  return bits === 64 ? 64 : 40;
}

/**
 * Decodes a section header; its name is still an offset.
 *
 * @param bytes at least {@linkcode sectionHeaderSize} bytes
 * @throws {SyntaxError} if an offset or size in it is absurd
 */
export function decodeSectionHeader(
  bytes: Uint8Array,
  header: ElfHeader,
  index: number,
): Omit<ElfSection, "name"> & { readonly nameOffset: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = header.byteOrder === "little";
  const wide = header.class === 64;
  const word = (at: number) => readOffset(view, at, header.class, little);
  // The low half of 64-bit flags has all that matter.
  const flags = Number(readAddress(view, 8, header.class, little) & 0xffffffffn);
  return {
    index,
    nameOffset: view.getUint32(0, little),
    type: view.getUint32(4, little),
    allocated: (flags & FLAG_ALLOC) !== 0,
    executable: (flags & FLAG_EXECUTABLE) !== 0,
    compressed: (flags & FLAG_COMPRESSED) !== 0,
    address: readAddress(view, wide ? 16 : 12, header.class, little),
    offset: word(wide ? 24 : 16),
    size: word(wide ? 32 : 20),
    link: view.getUint32(wide ? 40 : 24, little),
    info: view.getUint32(wide ? 44 : 28, little),
    alignment: word(wide ? 48 : 32),
    entrySize: word(wide ? 56 : 36),
  };
}
