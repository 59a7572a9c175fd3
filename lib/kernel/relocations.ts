/**
 * Relocations of debug sections: those of relocatable files hold places, not addresses (reference kernel-symbols.md,
 * section 13).
 *
 * @module
 */

import { readAtOf, readSpan } from "../bytes/source.ts";
import type { DebugSections } from "./dwarf/sections.ts";
import type { ElfFile } from "./elf_file.ts";
import { type ElfSection, type SectionBytes, SectionType } from "./elf_section.ts";
import { type ElfSymbol, readElfSymbols } from "./elf_symbols.ts";

/** The debug sections of a file as it is. */
export function plainSections(file: ElfFile): DebugSections {
  return {
    ...formatOf(file),
    section(name) {
      const section = file.section(name);
      return section === null ? Promise.resolve(null) : file.contents(section);
    },
  };
}

/**
 * The debug sections of a relocatable file, its sections placed.
 *
 * @param addresses where its sections lie, by number; debug sections themselves lie at 0
 */
export function relocatedSections(file: ElfFile, addresses: ReadonlyMap<number, bigint>): DebugSections {
  const sections = new Map<string, Promise<SectionBytes | null>>();
  let symbols: Promise<readonly ElfSymbol[]> | undefined;
  const readSymbols = () => {
    const table = file.sections.find((section) => section.type === SectionType.SYMTAB);
    return symbols ??= table === undefined ? Promise.resolve([]) : readElfSymbols(file, table);
  };
  return {
    ...formatOf(file),
    section(name) {
      let section = sections.get(name);
      if (section === undefined) {
        section = readRelocated(file, name, addresses, readSymbols);
        sections.set(name, section);
      }
      return section;
    },
  };
}

function formatOf({ header }: ElfFile): { readonly littleEndian: boolean; readonly addressSize: 4 | 8 } {
  return { littleEndian: header.byteOrder === "little", addressSize: header.class === 64 ? 8 : 4 };
}

/** What a section may take of memory; the debug sections of the largest modules have some MiB. */
const MAX_SECTION_BYTES = 48 * 2 ** 20;

async function readRelocated(
  file: ElfFile,
  name: string,
  addresses: ReadonlyMap<number, bigint>,
  readSymbols: () => Promise<readonly ElfSymbol[]>,
): Promise<SectionBytes | null> {
  const section = file.section(name);
  const bytes = section === null ? null : await readBounded(file, section);
  if (section === null || bytes === null) return null;
  const tables = file.sections.filter((table) =>
    (table.type === SectionType.RELA || table.type === SectionType.REL) && table.info === section.index
  );
  // The bytes may be the file's own, in memory.
  const relocated = tables.length === 0 ? bytes : bytes.slice();
  for (const table of tables) {
    const entries = await readBounded(file, table);
    if (entries !== null) {
      applyRelocations(relocated, entries, table, file, await readSymbols(), addresses, section);
    }
  }
  return { size: relocated.byteLength, readAt: readAtOf(relocated) };
}

async function readBounded(file: ElfFile, section: ElfSection): Promise<Uint8Array | null> {
  const contents = await file.contents(section);
  if (contents === null || contents.size > MAX_SECTION_BYTES) return null;
  return await readSpan(contents.readAt, 0, contents.size);
}

/** What a relocation writes: how many bytes, and how the value is made. */
interface RelocationKind {
  readonly size: 1 | 2 | 4 | 8;
  /** `set` the value, relative to its place with `relative`; `add` or `subtract` it from what is there. */
  readonly how: "set" | "relative" | "add" | "subtract";
  /** Bits that it changes, where not all of the bytes. */
  readonly mask?: number;
}

const set = (size: 1 | 2 | 4 | 8): RelocationKind => ({ size, how: "set" });
const relative = (size: 4 | 8): RelocationKind => ({ size, how: "relative" });
const add = (size: 1 | 2 | 4 | 8): RelocationKind => ({ size, how: "add" });
const subtract = (size: 1 | 2 | 4 | 8): RelocationKind => ({ size, how: "subtract" });

/** Those that occur in debug sections, by FreeBSD's names of machines. */
const KINDS: Readonly<Record<string, Readonly<Record<number, RelocationKind>>>> = {
  amd64: { 1: set(8), 2: relative(4), 10: set(4), 11: set(4), 24: relative(8) },
  i386: { 1: set(4), 2: relative(4) },
  aarch64: { 257: set(8), 258: set(4), 259: set(2), 260: relative(8), 261: relative(4) },
  riscv64: {
    1: set(4),
    2: set(8),
    33: add(1),
    34: add(2),
    35: add(4),
    36: add(8),
    37: subtract(1),
    38: subtract(2),
    39: subtract(4),
    40: subtract(8),
    52: { size: 1, how: "subtract", mask: 0x3f },
    53: { size: 1, how: "set", mask: 0x3f },
    54: set(1),
    55: set(2),
    56: set(4),
    57: relative(4),
  },
};

function applyRelocations(
  bytes: Uint8Array,
  entries: Uint8Array,
  table: ElfSection,
  file: ElfFile,
  symbols: readonly ElfSymbol[],
  addresses: ReadonlyMap<number, bigint>,
  section: ElfSection,
): void {
  const { header } = file;
  const kinds = KINDS[header.machine] ?? {};
  const little = header.byteOrder === "little";
  const wide = header.class === 64;
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const target = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hasAddends = table.type === SectionType.RELA;
  const size = (wide ? 16 : 8) + (hasAddends ? (wide ? 8 : 4) : 0);
  for (let at = 0; at + size <= entries.byteLength; at += size) {
    const offset = wide ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);
    const info = wide ? view.getBigUint64(at + 8, little) : BigInt(view.getUint32(at + 4, little));
    const [number, type] = wide ? [info >> 32n, info & 0xffffffffn] : [info >> 8n, info & 0xffn];
    const kind = kinds[Number(type)];
    if (kind === undefined || offset + kind.size > bytes.byteLength) continue;
    const symbol = symbols[Number(number)];
    const addend = !hasAddends
      ? BigInt.asIntN(8 * kind.size, readInteger(target, offset, kind.size, little))
      : wide
      ? view.getBigInt64(at + 16, little)
      : BigInt(view.getInt32(at + 8, little));
    const value = (symbol === undefined ? 0n : symbol.value + (addresses.get(symbol.sectionIndex) ?? 0n)) +
      addend;
    const place = (addresses.get(section.index) ?? 0n) + BigInt(offset);
    apply(target, offset, kind, kind.how === "relative" ? value - place : value, little);
  }
}

function apply(target: DataView, offset: number, kind: RelocationKind, value: bigint, little: boolean): void {
  const there = readInteger(target, offset, kind.size, little);
  const whole = kind.how === "add" ? there + value : kind.how === "subtract" ? there - value : value;
  const mask = kind.mask === undefined ? null : BigInt(kind.mask);
  const masked = mask === null ? whole : (there & ~mask) | (whole & mask);
  for (let i = 0; i < kind.size; i++) {
    const shift = BigInt(8 * (little ? i : kind.size - 1 - i));
    target.setUint8(offset + i, Number((masked >> shift) & 0xffn));
  }
}

function readInteger(view: DataView, at: number, size: 1 | 2 | 4 | 8, little: boolean): bigint {
  switch (size) {
    case 1:
      return BigInt(view.getUint8(at));
    case 2:
      return BigInt(view.getUint16(at, little));
    case 4:
      return BigInt(view.getUint32(at, little));
    case 8:
      return view.getBigUint64(at, little);
  }
}
