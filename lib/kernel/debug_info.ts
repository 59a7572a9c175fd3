/**
 * What debug files add to symbols: files and lines, inline functions, rules of how frames were made, types (reference
 * kernel-symbols.md, sections 10 and 13). Nothing of it throws for what a file holds: what is damaged is not found.
 *
 * @module
 */

import { type FrameRow, FrameTable } from "./dwarf/frames.ts";
import { type DebugSections, readWhole, SharedSections } from "./dwarf/sections.ts";
import { DwarfTypes } from "./dwarf/types_by_name.ts";
import type { Unit } from "./dwarf/unit.ts";
import { LoadedUnits, type UnitTables } from "./dwarf/loaded_units.ts";
import { UnitIndex } from "./dwarf/unit_index.ts";
import type { ElfFile } from "./elf_file.ts";
import { isRelocatable, layoutModule } from "./module_layout.ts";
import { plainSections, relocatedSections } from "./relocations.ts";
import type { Types } from "./types.ts";

/** A function of the source that an address lies in. */
export interface SourceFrame {
  /** Its name as the source has it; `null` where debug info has a line but no function (assembler). */
  readonly function: string | null;
  /** The path as the compiler wrote it, often relative. */
  readonly file: string | null;
  readonly line: number | null;
  /** Whether it was inlined in the next of the list. */
  readonly inline: boolean;
}

/** What a file's DWARF sections say. Addresses are those in memory. */
export interface DebugInfo {
  /**
   * The functions that an instruction belongs to, the innermost first; the last of them is no inline one. Empty where
   * nothing is known. Of a return address give the one before it, so that the call is found.
   */
  sourceFrames(pc: bigint): Promise<readonly SourceFrame[]>;
  /** How to find the caller's registers from those at an instruction; `null` where nothing says it. */
  frameRow(pc: bigint): Promise<FrameRow | null>;
  readonly types: Types;
}

/**
 * Opens a file's debug sections. Nothing is read before it is asked for.
 *
 * @param base where a module was loaded: its sections are placed from there, or its addresses count from there; 0 for
 *   a kernel
 */
export function openDebugInfo(file: ElfFile, base: bigint = 0n): DebugInfo {
  if (!isRelocatable(file)) return new DwarfDebugInfo(file, plainSections(file), base);
  const { addresses } = layoutModule(file, base);
  return new DwarfDebugInfo(file, relocatedSections(file, addresses), 0n, addresses);
}

/** How many answers are kept: threads that sleep lie in the same functions. */
const MAX_KEPT_ANSWERS = 65_536;

class DwarfDebugInfo implements DebugInfo {
  readonly types: Types;
  readonly #file: ElfFile;
  readonly #sections: DebugSections;
  readonly #addresses: ReadonlyMap<number, bigint> | undefined;
  /** What addresses in memory are more than in the file. */
  readonly #shift: bigint;
  readonly #units: () => Promise<Units | null>;
  readonly #answers = new Map<bigint, readonly SourceFrame[]>();
  #frames: Promise<readonly FrameTable[]> | undefined;

  constructor(
    file: ElfFile,
    sections: DebugSections,
    shift: bigint,
    addresses?: ReadonlyMap<number, bigint>,
  ) {
    this.#file = file;
    this.#sections = sections;
    this.#shift = shift;
    this.#addresses = addresses;
    let units: Promise<Units | null> | undefined;
    this.#units = () => units ??= openUnits(sections);
    this.types = new DwarfTypes(this.#units);
  }

  async sourceFrames(pc: bigint): Promise<readonly SourceFrame[]> {
    const known = this.#answers.get(pc);
    if (known !== undefined) return known;
    const units = await this.#units();
    const unit = await units?.index.at(pc - this.#shift) ?? null;
    const tables = unit === null ? null : await units!.loaded.tables(unit);
    const frames = unit === null || tables === null ? [] : await framesOf(unit, tables, pc - this.#shift);
    if (this.#answers.size < MAX_KEPT_ANSWERS) this.#answers.set(pc, frames);
    return frames;
  }

  async frameRow(pc: bigint): Promise<FrameRow | null> {
    for (const table of await (this.#frames ??= this.#readFrames())) {
      const row = table.rowAt(pc - this.#shift);
      if (row !== null) return { ...row, start: row.start + this.#shift, end: row.end + this.#shift };
    }
    return null;
  }

  async #readFrames(): Promise<FrameTable[]> {
    const { littleEndian, addressSize } = this.#sections;
    const tables: FrameTable[] = [];
    for (const name of [".debug_frame", ".eh_frame"]) {
      const bytes = await readWhole(this.#sections, name);
      const section = this.#file.section(name);
      if (section === null || bytes.byteLength === 0) continue;
      const address = this.#addresses?.get(section.index) ?? section.address;
      tables.push(new FrameTable({ bytes, address, isEh: name === ".eh_frame", littleEndian, addressSize }));
    }
    return tables;
  }
}

/** The units of a file. */
interface Units {
  readonly index: UnitIndex;
  readonly loaded: LoadedUnits;
}

async function openUnits(sections: DebugSections): Promise<Units | null> {
  const info = await sections.section(".debug_info");
  if (info === null) return null;
  const shared = await SharedSections.read(sections);
  return { index: new UnitIndex(info, sections, shared), loaded: new LoadedUnits(info, sections) };
}

async function framesOf(unit: Unit, tables: UnitTables, pc: bigint): Promise<SourceFrame[]> {
  const lines = await tables.lines();
  let place: { readonly file: string | null; readonly line: number | null } | null = lines?.at(pc) ?? null;
  const functions = tables.functions().at(pc);
  if (functions.length === 0) {
    return place === null
      ? []
      : [{ function: null, file: place.file ?? unit.name, line: place.line, inline: false }];
  }
  return functions.map(({ name, call }) => {
    const frame = {
      function: name,
      file: place?.file ?? null,
      line: place?.line ?? null,
      inline: call !== null,
    };
    place = call === null
      ? null
      : { file: call.file === null ? null : lines?.file(call.file) ?? null, line: call.line };
    return frame;
  });
}
