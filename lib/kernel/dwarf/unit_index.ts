/**
 * Which unit an address belongs to: by .debug_aranges where it tells, else by every unit's first entry, since clang
 * writes no .debug_aranges (reference kernel-symbols.md, section 13).
 *
 * @module
 */

import { countUpTo } from "../../bytes/sorted.ts";
import { roundUp } from "../../bytes/source.ts";
import type { SectionBytes } from "../elf_section.ts";
import { Cursor, unlessDamaged } from "./cursor.ts";
import { type DebugSections, readWhole, type SharedSections } from "./sections.ts";
import { readUnit, type Unit } from "./unit.ts";

interface UnitRange {
  readonly start: bigint;
  readonly end: bigint;
  /** The unit's place in the section. */
  readonly offset: number;
}

/** A GENERIC kernel has some 4,000 units. */
const MAX_UNITS = 100_000;
const MAX_RANGES = 1_000_000;

/** The units of a file, found when they are asked for. */
export class UnitIndex {
  readonly #info: SectionBytes;
  readonly #sections: DebugSections;
  readonly #shared: SharedSections;
  #aranges: Promise<RangeTable> | undefined;
  #scan: Promise<{ readonly units: ReadonlyMap<number, Unit>; readonly ranges: RangeTable }> | undefined;
  readonly #units = new Map<number, Promise<Unit | null>>();

  constructor(info: SectionBytes, sections: DebugSections, shared: SharedSections) {
    this.#info = info;
    this.#sections = sections;
    this.#shared = shared;
  }

  /** The unit that an address belongs to. */
  async at(pc: bigint): Promise<Unit | null> {
    this.#aranges ??= readWhole(this.#sections, ".debug_aranges")
      .then((bytes) => decodeAranges(bytes, this.#shared.littleEndian));
    const told = (await this.#aranges).find(pc);
    const unit = told === null ? null : await this.#unitAt(told);
    if (unit !== null) return unit;
    const { units, ranges } = await this.#scanned();
    const found = ranges.find(pc);
    return found === null ? null : units.get(found) ?? null;
  }

  /** All units, in the order of the file. */
  async all(): Promise<Unit[]> {
    return [...(await this.#scanned()).units.values()];
  }

  #unitAt(offset: number): Promise<Unit | null> {
    let unit = this.#units.get(offset);
    if (unit === undefined) {
      unit = readUnit(this.#info, offset, this.#shared).then((read) => read?.unit ?? null);
      this.#units.set(offset, unit);
    }
    return unit;
  }

  #scanned(): Promise<{ readonly units: ReadonlyMap<number, Unit>; readonly ranges: RangeTable }> {
    return this.#scan ??= this.#readAll();
  }

  async #readAll(): Promise<{ readonly units: ReadonlyMap<number, Unit>; readonly ranges: RangeTable }> {
    const units = new Map<number, Unit>();
    const ranges: UnitRange[] = [];
    let offset = 0;
    while (offset < this.#info.size && units.size < MAX_UNITS) {
      const read = await readUnit(this.#info, offset, this.#shared);
      if (read === null) break;
      if (read.unit !== null) {
        units.set(offset, read.unit);
        for (const { start, end } of read.unit.ranges.slice(0, MAX_RANGES - ranges.length)) {
          ranges.push({ start, end, offset });
        }
      }
      offset = read.next;
    }
    return { units, ranges: new RangeTable(ranges) };
  }
}

/** How many ranges before the nearest one are looked at: where units share code, ranges lie in each other. */
const MAX_STEPS_BACK = 64;

class RangeTable {
  readonly #ranges: readonly UnitRange[];

  constructor(ranges: UnitRange[]) {
    this.#ranges = ranges.sort((a, b) => a.start < b.start ? -1 : a.start > b.start ? 1 : 0);
  }

  /** The offset of the unit that an address belongs to. */
  find(pc: bigint): number | null {
    const count = countUpTo(this.#ranges.length, (i) => this.#ranges[i]!.start <= pc);
    for (let i = count - 1; i >= 0 && i >= count - MAX_STEPS_BACK; i--) {
      if (pc < this.#ranges[i]!.end) return this.#ranges[i]!.offset;
    }
    return null;
  }
}

function decodeAranges(bytes: Uint8Array, littleEndian: boolean): RangeTable {
  const ranges: UnitRange[] = [];
  let at = 0;
  unlessDamaged(() => {
    while (at < bytes.byteLength) {
      const cursor = new Cursor(bytes, littleEndian, at);
      const { length, is64 } = cursor.initialLength();
      const end = cursor.at + length;
      const version = cursor.u16();
      const offset = cursor.offset(is64);
      const addressSize = cursor.u8();
      const segmentSize = cursor.u8();
      if (version === 2 && segmentSize === 0 && (addressSize === 4 || addressSize === 8)) {
        cursor.at = at + roundUp(cursor.at - at, 2 * addressSize);
        while (cursor.at + 2 * addressSize <= end && ranges.length < MAX_RANGES) {
          const start = cursor.unsigned(addressSize);
          const size = cursor.unsigned(addressSize);
          if (size > 0n) ranges.push({ start, end: start + size, offset });
        }
      }
      at = end;
    }
  }, undefined);
  return new RangeTable(ranges);
}
