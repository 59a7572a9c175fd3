/**
 * ELF files with symbols: kernels, their debug files and modules. They are read by offset, so that a kernel.debug of
 * 100 MB costs what is asked of it (reference kernel-symbols.md, section 2).
 *
 * @module
 */

import { type ReadAt, readAtWithin, readSpan } from "../bytes/source.ts";
import {
  decodeElfHeader,
  decodeProgramHeader,
  ELF_HEADER_SIZE,
  type ElfHeader,
  type ElfSegment,
  programHeaderSize,
} from "../kerneldump/elf/elf_header.ts";
import { decompressSection } from "./elf_compressed.ts";
import {
  decodeSectionHeader,
  type ElfSection,
  type SectionBytes,
  sectionHeaderSize,
  SectionType,
} from "./elf_section.ts";
import { decodeUtf8 } from "../text/utf8.ts";

/** An ELF file whose headers were read. */
export interface ElfFile {
  readonly header: ElfHeader;
  /** All sections, in the order of the file's table: the first is the null section. */
  readonly sections: readonly ElfSection[];
  /** All program headers, in the order of the file's table. */
  readonly segments: readonly (ElfSegment & { readonly type: number })[];
  /** The first section of a name. */
  section(name: string): ElfSection | null;
  /**
   * A section's bytes, decompressed if need be; `null` if the file has none of them (NOBITS) or they cannot be
   * decompressed. Reads never go beyond the section; they are short where the file ends.
   */
  contents(section: ElfSection): Promise<SectionBytes | null>;
  /** What the file loads at an address: fewer bytes where the file has no more there. */
  readVirtual(address: bigint, length: number): Promise<Uint8Array>;
}

/** A kernel with -ffunction-sections may have many; more than this is no kernel's table. */
const MAX_SECTIONS = 65_536;
const MAX_SEGMENTS = 1024;
const MAX_NAMES_BYTES = 4 * 2 ** 20;

/**
 * Reads an ELF file's headers.
 *
 * @throws {SyntaxError} if it is no ELF file, or the file ends inside its header
 */
export async function readElfFile(readAt: ReadAt): Promise<ElfFile> {
  const header = decodeElfHeader(await readAt(0, ELF_HEADER_SIZE));
  const segments = await readSegments(readAt, header);
  return new ReadElfFile(readAt, header, segments, await readSections(readAt, header));
}

class ReadElfFile implements ElfFile {
  readonly header: ElfHeader;
  readonly sections: readonly ElfSection[];
  readonly segments: ElfFile["segments"];
  readonly #readAt: ReadAt;
  readonly #byName = new Map<string, ElfSection>();
  readonly #decompressed = new Map<number, Promise<SectionBytes | null>>();

  constructor(
    readAt: ReadAt,
    header: ElfHeader,
    segments: ElfFile["segments"],
    sections: readonly ElfSection[],
  ) {
    this.#readAt = readAt;
    this.header = header;
    this.segments = segments;
    this.sections = sections;
    for (const section of sections) {
      if (!this.#byName.has(section.name)) this.#byName.set(section.name, section);
    }
  }

  section(name: string): ElfSection | null {
    return this.#byName.get(name) ?? null;
  }

  contents(section: ElfSection): Promise<SectionBytes | null> {
    if (section.type === SectionType.NOBITS || section.type === SectionType.NULL) {
      return Promise.resolve(null);
    }
    const stored = { size: section.size, readAt: readAtWithin(this.#readAt, section) };
    if (!section.compressed) return Promise.resolve(stored);
    let contents = this.#decompressed.get(section.index);
    if (contents === undefined) {
      contents = decompressSection(stored, this.header);
      this.#decompressed.set(section.index, contents);
    }
    return contents;
  }

  async readVirtual(address: bigint, length: number): Promise<Uint8Array> {
    // Of a debug file's program headers only the addresses are true: its sections say what it has.
    const place = this.sections.some((section) => section.allocated)
      ? this.sections.find((s) =>
        s.allocated && s.type !== SectionType.NOBITS && contains(s.address, s.size, address)
      )
      : this.segments.find((s) => s.type === 1 && contains(s.virtualAddress, s.fileSize, address));
    if (place === undefined) return new Uint8Array(0);
    const [start, size] = "address" in place
      ? [place.address, place.size]
      : [place.virtualAddress, place.fileSize];
    const inside = Number(address - start);
    return await readSpan(this.#readAt, place.offset + inside, Math.min(length, size - inside));
  }
}

function contains(start: bigint, size: number, address: bigint): boolean {
  return address >= start && address < start + BigInt(size);
}

async function readSegments(readAt: ReadAt, header: ElfHeader): Promise<ElfFile["segments"]> {
  const { offset, count, entrySize } = header.programHeaders;
  if (count > MAX_SEGMENTS || entrySize !== programHeaderSize(header.class)) return [];
  const table = await readAt(offset, count * entrySize);
  return entriesOf(table, entrySize, (entry) => decodeProgramHeader(entry, header));
}

async function readSections(readAt: ReadAt, header: ElfHeader): Promise<ElfSection[]> {
  const { offset, entrySize } = header.sectionHeaders;
  if (offset === 0 || entrySize !== sectionHeaderSize(header.class)) return [];
  const first = await readAt(offset, entrySize);
  if (first.byteLength < entrySize) return [];
  // Where there are more than the header's 16 bits can say, the null section says it.
  const [extended] = entriesOf(first, entrySize, (entry) => decodeSectionHeader(entry, header, 0));
  const count = header.sectionHeaders.count || (extended?.size ?? 0);
  const namesIndex = header.namesSection === 0xffff ? extended?.link : header.namesSection;
  const table = await readSpan(readAt, offset, Math.min(count, MAX_SECTIONS) * entrySize);
  const raw = entriesOf(table, entrySize, (entry, index) => decodeSectionHeader(entry, header, index));
  const names = raw.find((section) => section.index === namesIndex);
  const strings = names === undefined
    ? new Uint8Array(0)
    : await readSpan(readAtWithin(readAt, names), 0, Math.min(names.size, MAX_NAMES_BYTES));
  return raw.map(({ nameOffset, ...section }) => ({ ...section, name: stringAt(strings, nameOffset) }));
}

/** Decodes a table's entries; those that cannot be right are left out. */
function entriesOf<T>(table: Uint8Array, size: number, decode: (entry: Uint8Array, index: number) => T): T[] {
  const entries: T[] = [];
  for (let index = 0; (index + 1) * size <= table.byteLength; index++) {
    try {
      entries.push(decode(table.subarray(index * size, (index + 1) * size), index));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return entries;
}

/** Names are longer in no compiler's output; what is longer is cut. */
const MAX_STRING_BYTES = 4096;

/** The string that begins at an offset of a string table, to its NUL; empty outside it. Any byte may be in it. */
export function stringAt(table: Uint8Array, offset: number): string {
  if (offset >= table.byteLength) return "";
  const rest = table.subarray(offset, offset + MAX_STRING_BYTES);
  const end = rest.indexOf(0);
  return decodeUtf8(end < 0 ? rest : rest.subarray(0, end));
}
