/**
 * Units in memory with the tables made of them; the ones used last are kept, within bounds.
 *
 * @module
 */

import { readSpan } from "../../bytes/source.ts";
import type { SectionBytes } from "../elf_section.ts";
import { Cursor, unlessDamaged } from "./cursor.ts";
import { FunctionTable } from "./functions.ts";
import { type LineTable, readLineTable } from "./lines.ts";
import type { DebugSections } from "./sections.ts";
import { listUnitNames, TypeTable, type UnitNames } from "./types.ts";
import { type LoadedUnit, loadUnit, type Unit } from "./unit.ts";

/** What is made of a unit when it is asked for. */
export interface UnitTables {
  functions(): FunctionTable;
  /** `null` if the unit has no line program that can be read. */
  lines(): Promise<LineTable | null>;
  types(): TypeTable;
  names(): UnitNames;
}

/** Bytes of units that are kept. What is made of them takes a few times as much. */
const MAX_KEPT_BYTES = 16 * 2 ** 20;
/** The program of a large unit has some 100 KB. */
const MAX_PROGRAM_BYTES = 8 * 2 ** 20;

/** The units of a file that were loaded last. */
export class LoadedUnits {
  readonly #info: SectionBytes;
  readonly #sections: DebugSections;
  readonly #kept = new Map<number, Promise<UnitTables | null>>();
  readonly #sizes = new Map<number, number>();
  #keptBytes = 0;

  constructor(info: SectionBytes, sections: DebugSections) {
    this.#info = info;
    this.#sections = sections;
  }

  /** Loads a unit; `null` if it cannot be read. */
  tables(unit: Unit): Promise<UnitTables | null> {
    const offset = unit.unitOffset;
    const known = this.#kept.get(offset);
    // The ones used last come last.
    if (known !== undefined) this.#kept.delete(offset);
    const tables = known ??
      loadUnit(this.#info, unit).then((loaded) => loaded === null ? null : tablesOf(loaded, this.#sections));
    this.#kept.set(offset, tables);
    if (known === undefined) this.#makeRoom(offset, unit.end - offset);
    return tables;
  }

  #makeRoom(offset: number, size: number): void {
    this.#sizes.set(offset, size);
    this.#keptBytes += size;
    for (const oldest of this.#kept.keys()) {
      if (this.#keptBytes <= MAX_KEPT_BYTES || oldest === offset) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= this.#sizes.get(oldest) ?? 0;
      this.#sizes.delete(oldest);
    }
  }
}

function tablesOf(unit: LoadedUnit, sections: DebugSections): UnitTables {
  let functions: FunctionTable | undefined;
  let lines: Promise<LineTable | null> | undefined;
  let types: TypeTable | undefined;
  let names: UnitNames | undefined;
  return {
    functions: () => functions ??= new FunctionTable(unit),
    lines: () => lines ??= readLines(unit, sections),
    types: () => types ??= new TypeTable(unit),
    names: () => names ??= listUnitNames(unit),
  };
}

async function readLines(unit: LoadedUnit, sections: DebugSections): Promise<LineTable | null> {
  const section = unit.lineProgram === null ? null : await sections.section(".debug_line");
  if (section === null || unit.lineProgram === null) return null;
  const start = await section.readAt(unit.lineProgram, 12);
  const size = unlessDamaged(() => {
    const cursor = new Cursor(start, unit.shared.littleEndian);
    const { length } = cursor.initialLength();
    return cursor.at + length;
  }, 0);
  const bytes = await readSpan(section.readAt, unit.lineProgram, Math.min(size, MAX_PROGRAM_BYTES));
  return readLineTable(bytes, unit.shared, unit.addressSize);
}
