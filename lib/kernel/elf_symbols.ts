/**
 * Entries of ELF symbol tables, whether they lie in a file or in a dump's memory (reference kernel-symbols.md,
 * sections 3.2 and 4).
 *
 * @module
 */

import { readSpan } from "../bytes/source.ts";
import { readAddress } from "../kerneldump/elf/elf_header.ts";
import { type ElfFile, stringAt } from "./elf_file.ts";
import { type ElfSection, SectionType } from "./elf_section.ts";

/** An entry of a symbol table. */
export interface ElfSymbol {
  /** Any byte may be in it; empty for sections' symbols. */
  readonly name: string;
  /** An address; in relocatable files an offset into the section. */
  readonly value: bigint;
  readonly size: bigint;
  /** 0 NOTYPE, 1 OBJECT, 2 FUNC, 3 SECTION, 4 FILE. */
  readonly type: number;
  /** 0 local, 1 global, 2 weak. */
  readonly binding: number;
  /** The section it belongs to: 0 undefined, 0xfff1 absolute. */
  readonly sectionIndex: number;
}

/** Kernels have some 100,000 symbols: this bounds what a size that lies makes us read. */
const MAX_TABLE_BYTES = 64 * 2 ** 20;

/** The size of a symbol of a class, in bytes. */
export function symbolSize(bits: 32 | 64): number {
  return bits === 64 ? 24 : 16;
}

/**
 * Decodes a symbol table; an incomplete last entry is left out.
 *
 * @param strings the table of names
 */
export function decodeElfSymbols(
  table: Uint8Array,
  strings: Uint8Array,
  format: { readonly class: 32 | 64; readonly byteOrder: "little" | "big" },
): ElfSymbol[] {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const little = format.byteOrder === "little";
  const size = symbolSize(format.class);
  const wide = format.class === 64;
  return Array.from({ length: Math.floor(table.byteLength / size) }, (_, i) => {
    const at = i * size;
    const info = view.getUint8(at + (wide ? 4 : 12));
    return {
      name: stringAt(strings, view.getUint32(at, little)),
      value: readAddress(view, at + (wide ? 8 : 4), format.class, little),
      size: readAddress(view, at + (wide ? 16 : 8), format.class, little),
      type: info & 15,
      binding: info >> 4,
      sectionIndex: view.getUint16(at + (wide ? 6 : 14), little),
    };
  });
}

/** Reads a symbol table section with its names; empty if the file has not the bytes. */
export async function readElfSymbols(file: ElfFile, section: ElfSection): Promise<ElfSymbol[]> {
  const names = file.sections.find((s) => s.index === section.link && s.type === SectionType.STRTAB);
  const table = await contentsOf(file, section);
  if (table === null) return [];
  const strings = names === undefined ? null : await contentsOf(file, names);
  return decodeElfSymbols(table, strings ?? new Uint8Array(0), file.header);
}

async function contentsOf(file: ElfFile, section: ElfSection): Promise<Uint8Array | null> {
  const contents = await file.contents(section);
  if (contents === null) return null;
  return await readSpan(contents.readAt, 0, Math.min(contents.size, MAX_TABLE_BYTES));
}
