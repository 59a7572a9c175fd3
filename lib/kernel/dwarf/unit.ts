/**
 * Units of .debug_info: their headers and what their first entry says (reference kernel-symbols.md, section 13).
 *
 * @module
 */

import { readSpan } from "../../bytes/source.ts";
import type { SectionBytes } from "../elf_section.ts";
import { type Abbreviation, readAbbreviations } from "./abbreviations.ts";
import { Attribute, Tag } from "./constants.ts";
import { Cursor, DamagedDwarfError, unlessDamaged } from "./cursor.ts";
import { type FormContext, type FormValue, readForm } from "./forms.ts";
import { type AddressRange, readRanges } from "./ranges.ts";
import type { SharedSections } from "./sections.ts";

/** A unit's header: what is needed to read its entries, or to leave it out. */
export interface UnitHeader extends FormContext {
  readonly addressSize: 4 | 8;
  /** Behind its last byte, in the section. */
  readonly end: number;
  /** Where its first entry begins, in the section. */
  readonly firstEntry: number;
  readonly abbreviationsOffset: number;
}

/** A unit, as its first entry tells of it. */
export interface Unit extends UnitHeader {
  readonly isPartial: boolean;
  /** The source file, as given to the compiler. */
  readonly name: string | null;
  /** Where the compiler ran. */
  readonly directory: string | null;
  /** Its program in .debug_line. */
  readonly lineProgram: number | null;
  readonly ranges: readonly AddressRange[];
  /** What ranges in it are relative to. */
  readonly baseAddress: bigint;
  readonly bases: Bases;
}

/** Where the unit's parts of shared tables begin. */
export interface Bases {
  readonly strings: number;
  readonly addresses: number;
  readonly rangeLists: number;
}

/** A unit whose entries are in memory. */
export interface LoadedUnit extends Unit {
  /** The unit from its header on. */
  readonly bytes: Uint8Array;
  readonly abbreviations: ReadonlyMap<number, Abbreviation>;
}

const LONGEST_HEADER_BYTES = 40;
/** The first entry is shorter, but for one with long strings in it. */
const FIRST_READ_BYTES = 512;
const SECOND_READ_BYTES = 65_536;
/** The largest unit of a GENERIC kernel has some MiB. */
const MAX_UNIT_BYTES = 32 * 2 ** 20;

/** Kinds of units since DWARF 5. */
const UnitType = { COMPILE: 1, TYPE: 2, PARTIAL: 3, SKELETON: 4, SPLIT_COMPILE: 5, SPLIT_TYPE: 6 } as const;

/**
 * Reads the unit at an offset; `next` is where the next one begins, whether or not this one could be read.
 *
 * @returns `null` where no unit can begin: the end of what can be read
 */
export async function readUnit(
  section: SectionBytes,
  offset: number,
  shared: SharedSections,
): Promise<{ readonly unit: Unit | null; readonly next: number } | null> {
  for (const size of [FIRST_READ_BYTES, SECOND_READ_BYTES]) {
    const bytes = await section.readAt(offset, size);
    const header = unlessDamaged(() => decodeHeader(bytes, offset, shared), null);
    if (header === null || header.end > section.size) return null;
    const unit = unlessDamaged(() => decodeUnit(bytes, header), null);
    if (unit !== null || bytes.byteLength < size) return { unit, next: header.end };
    if (size === SECOND_READ_BYTES) return { unit, next: header.end };
  }
  return null;
}

/** Loads a unit's entries; `null` if they cannot be read. */
export async function loadUnit(section: SectionBytes, unit: Unit): Promise<LoadedUnit | null> {
  const size = unit.end - unit.unitOffset;
  if (size > MAX_UNIT_BYTES) return null;
  const bytes = await readSpan(section.readAt, unit.unitOffset, size);
  const { shared, abbreviationsOffset } = unit;
  const abbreviations = unlessDamaged(
    () => readAbbreviations(shared.abbreviations, abbreviationsOffset, shared.littleEndian),
    null,
  );
  return abbreviations === null ? null : { ...unit, bytes, abbreviations };
}

function decodeHeader(bytes: Uint8Array, unitOffset: number, shared: SharedSections): UnitHeader {
  const cursor = new Cursor(bytes.subarray(0, LONGEST_HEADER_BYTES), shared.littleEndian);
  const { length, is64 } = cursor.initialLength();
  const end = unitOffset + cursor.at + length;
  const version = cursor.u16();
  if (version < 2 || version > 5) throw new DamagedDwarfError(`version ${version}`);
  const type = version === 5 ? cursor.u8() : UnitType.COMPILE;
  const newAddressSize = version === 5 ? cursor.u8() : 0;
  const abbreviationsOffset = cursor.offset(is64);
  const addressSize = version === 5 ? newAddressSize : cursor.u8();
  if (addressSize !== 4 && addressSize !== 8) {
    throw new DamagedDwarfError(`addresses of ${addressSize} bytes`);
  }
  if (type === UnitType.SKELETON || type === UnitType.SPLIT_COMPILE) cursor.skip(8);
  if (type === UnitType.TYPE || type === UnitType.SPLIT_TYPE) cursor.skip(8 + (is64 ? 8 : 4));
  const firstEntry = unitOffset + cursor.at;
  return { version, is64, addressSize, unitOffset, end, firstEntry, abbreviationsOffset, shared };
}

function decodeUnit(bytes: Uint8Array, header: UnitHeader): Unit {
  const { shared } = header;
  const cursor = new Cursor(bytes, shared.littleEndian, header.firstEntry - header.unitOffset);
  const code = cursor.uleb();
  const shape = readAbbreviations(shared.abbreviations, header.abbreviationsOffset, shared.littleEndian, code)
    .get(code);
  if (shape === undefined) throw new DamagedDwarfError("a unit without an entry");
  const values: AttributeValues = new Map();
  for (const attribute of shape.attributes) values.set(attribute.name, readForm(cursor, attribute, header));
  const bases = {
    // Without the attribute a table begins behind its header.
    strings: offsetOf(values.get(Attribute.STR_OFFSETS_BASE)) ?? (header.is64 ? 16 : 8),
    addresses: offsetOf(values.get(Attribute.ADDR_BASE)) ?? (header.is64 ? 16 : 8),
    rangeLists: offsetOf(values.get(Attribute.RNGLISTS_BASE)) ?? (header.is64 ? 20 : 12),
  };
  const unit = { ...header, bases, baseAddress: 0n };
  const baseAddress = addressOf(unit, values.get(Attribute.LOW_PC)) ?? 0n;
  return {
    ...unit,
    baseAddress,
    isPartial: shape.tag !== Tag.COMPILE_UNIT,
    name: textOf(unit, values.get(Attribute.NAME)),
    directory: textOf(unit, values.get(Attribute.COMP_DIR)),
    lineProgram: offsetOf(values.get(Attribute.STMT_LIST)),
    ranges: rangesOf({ ...unit, baseAddress }, values),
  };
}

/** The attributes of an entry. */
export type AttributeValues = Map<number, FormValue>;

/** What is needed to follow values into shared tables. */
type ValueContext = UnitHeader & Pick<Unit, "bases" | "baseAddress">;

/** A value as a string. */
export function textOf(unit: ValueContext, value: FormValue | undefined): string | null {
  if (value?.kind === "string") return value.text;
  if (value?.kind !== "string-index") return null;
  return unlessDamaged(() => unit.shared.indexedString(unit.bases.strings, value.index, unit.is64), null);
}

/** A value as an address. */
export function addressOf(unit: ValueContext, value: FormValue | undefined): bigint | null {
  if (value?.kind === "address") return value.address;
  if (value?.kind !== "address-index") return null;
  const { bases, addressSize } = unit;
  return unlessDamaged(() => unit.shared.indexedAddress(bases.addresses, value.index, addressSize), null);
}

/** A value as an offset into another section: before DWARF 4 it was written as a plain number. */
export function offsetOf(value: FormValue | undefined): number | null {
  if (value?.kind === "offset") return value.offset;
  return value?.kind === "constant" ? Number(value.value) : null;
}

/** A value as a number that fits 2^53. */
export function numberOf(value: FormValue | undefined): number | null {
  if (value?.kind !== "constant") return null;
  const number = Number(value.value);
  return Number.isSafeInteger(number) ? number : null;
}

/** The addresses of an entry, by its low and high pc or by its list of ranges. */
export function rangesOf(unit: ValueContext, values: AttributeValues): readonly AddressRange[] {
  const list = values.get(Attribute.RANGES);
  if (list !== undefined) return readRanges(unit, list);
  const low = addressOf(unit, values.get(Attribute.LOW_PC));
  const high = values.get(Attribute.HIGH_PC);
  if (low === null || high === undefined) return [];
  // Since DWARF 4 it may be a length.
  const end = high.kind === "constant" ? low + high.value : addressOf(unit, high);
  return end === null || end <= low ? [] : [{ start: low, end }];
}
