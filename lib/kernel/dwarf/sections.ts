/**
 * The debug sections of a file: large ones by offset, those that everything refers to as a whole.
 *
 * @module
 */

import { readSpan } from "../../bytes/source.ts";
import type { SectionBytes } from "../elf_section.ts";
import { stringAt } from "../elf_file.ts";
import { Cursor } from "./cursor.ts";

/** Where debug sections come from: a file as it is, or a relocatable one as placed. */
export interface DebugSections {
  readonly littleEndian: boolean;
  readonly addressSize: 4 | 8;
  /** A section's bytes; `null` if there are none. */
  section(name: string): Promise<SectionBytes | null>;
}

/** What one section may take of memory where it is read as a whole; a GENERIC kernel's take some MiB. */
const MAX_WHOLE_BYTES = 64 * 2 ** 20;

/** The sections that units refer to, in memory. Empty where the file has none. */
export class SharedSections {
  readonly littleEndian: boolean;
  readonly abbreviations: Uint8Array;
  readonly ranges: Uint8Array;
  readonly rangeLists: Uint8Array;
  readonly #strings: Uint8Array;
  readonly #lineStrings: Uint8Array;
  readonly #stringOffsets: Uint8Array;
  readonly #addresses: Uint8Array;

  private constructor(littleEndian: boolean, contents: readonly Uint8Array[]) {
    this.littleEndian = littleEndian;
    const [abbreviations, ranges, rangeLists, strings, lineStrings, stringOffsets, addresses] = contents;
    this.abbreviations = abbreviations!;
    this.ranges = ranges!;
    this.rangeLists = rangeLists!;
    this.#strings = strings!;
    this.#lineStrings = lineStrings!;
    this.#stringOffsets = stringOffsets!;
    this.#addresses = addresses!;
  }

  static async read(sections: DebugSections): Promise<SharedSections> {
    const names = ["abbrev", "ranges", "rnglists", "str", "line_str", "str_offsets", "addr"];
    const contents: Uint8Array[] = [];
    for (const name of names) contents.push(await readWhole(sections, `.debug_${name}`));
    return new SharedSections(sections.littleEndian, contents);
  }

  string(offset: number): string {
    return stringAt(this.#strings, offset);
  }

  lineString(offset: number): string {
    return stringAt(this.#lineStrings, offset);
  }

  /** A string by its number in the table that begins at `base`. */
  indexedString(base: number, index: number, is64: boolean): string {
    const cursor = new Cursor(this.#stringOffsets, this.littleEndian, base + index * (is64 ? 8 : 4));
    return this.string(cursor.offset(is64));
  }

  /** An address by its number in the table that begins at `base`. */
  indexedAddress(base: number, index: number, size: number): bigint {
    return new Cursor(this.#addresses, this.littleEndian, base + index * size).unsigned(size);
  }
}

/** Reads a section as a whole, at most so much that memory stays bounded; empty if there is none. */
export async function readWhole(sections: DebugSections, name: string): Promise<Uint8Array> {
  const contents = await sections.section(name);
  if (contents === null || contents.size > MAX_WHOLE_BYTES) return new Uint8Array(0);
  return await readSpan(contents.readAt, 0, contents.size);
}
