/**
 * Values of attributes, in every form of DWARF 2 to 5.
 *
 * @module
 */

import type { AttributeShape } from "./abbreviations.ts";
import { Form } from "./constants.ts";
import { type Cursor, DamagedDwarfError } from "./cursor.ts";
import type { SharedSections } from "./sections.ts";

/** A value as it stands in the entry. Numbers of table entries are looked up by {@linkcode FormReader}. */
export type FormValue =
  | { readonly kind: "address"; readonly address: bigint }
  | { readonly kind: "address-index"; readonly index: number }
  /** `signed` only where the form says it. */
  | { readonly kind: "constant"; readonly value: bigint }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "string-index"; readonly index: number }
  | { readonly kind: "block"; readonly bytes: Uint8Array }
  /** Of another entry, from the start of the section. */
  | { readonly kind: "reference"; readonly offset: number }
  /** Into another section. */
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "list-index"; readonly index: number }
  /** What lies in files that are not read. */
  | { readonly kind: "elsewhere" };

/** What a unit's header says of the forms in it. */
export interface FormContext {
  readonly version: number;
  readonly is64: boolean;
  readonly addressSize: number;
  /** Where the unit begins in its section: references count from there. */
  readonly unitOffset: number;
  readonly shared: SharedSections;
}

/**
 * Reads a value.
 *
 * @throws {DamagedDwarfError}
 */
export function readForm(cursor: Cursor, shape: AttributeShape, unit: FormContext): FormValue {
  const { form } = shape;
  switch (form) {
    case Form.ADDR:
      return { kind: "address", address: cursor.unsigned(unit.addressSize) };
    case Form.ADDRX:
      return { kind: "address-index", index: cursor.uleb() };
    case Form.ADDRX1:
    case Form.ADDRX2:
    case Form.ADDRX3:
    case Form.ADDRX4:
      return { kind: "address-index", index: fixedIndex(cursor, form - Form.ADDRX1) };
    case Form.STRX:
      return { kind: "string-index", index: cursor.uleb() };
    case Form.STRX1:
    case Form.STRX2:
    case Form.STRX3:
    case Form.STRX4:
      return { kind: "string-index", index: fixedIndex(cursor, form - Form.STRX1) };
    case Form.STRING:
      return { kind: "string", text: cursor.string() };
    case Form.STRP:
      return { kind: "string", text: unit.shared.string(cursor.offset(unit.is64)) };
    case Form.LINE_STRP:
      return { kind: "string", text: unit.shared.lineString(cursor.offset(unit.is64)) };
    case Form.REF1:
    case Form.REF2:
    case Form.REF4:
    case Form.REF8:
      return reference(unit, Number(cursor.unsigned(1 << (form - Form.REF1))));
    case Form.REF_UDATA:
      return reference(unit, cursor.uleb());
    case Form.REF_ADDR:
      // DWARF 2 wrote it as wide as an address.
      return {
        kind: "reference",
        offset: unit.version === 2 ? Number(cursor.unsigned(unit.addressSize)) : cursor.offset(unit.is64),
      };
    case Form.SEC_OFFSET:
      return { kind: "offset", offset: cursor.offset(unit.is64) };
    case Form.LOCLISTX:
    case Form.RNGLISTX:
      return { kind: "list-index", index: cursor.uleb() };
    case Form.INDIRECT: {
      const actual = cursor.uleb();
      if (actual === Form.INDIRECT || actual === Form.IMPLICIT_CONST) {
        throw new DamagedDwarfError("an indirect form of an indirect form");
      }
      return readForm(cursor, { name: shape.name, form: actual, implicit: 0 }, unit);
    }
    default:
      return readPlain(cursor, shape, unit);
  }
}

function readPlain(cursor: Cursor, { form, implicit }: AttributeShape, unit: FormContext): FormValue {
  switch (form) {
    case Form.DATA1:
    case Form.FLAG:
      return { kind: "constant", value: BigInt(cursor.u8()) };
    case Form.DATA2:
      return { kind: "constant", value: BigInt(cursor.u16()) };
    case Form.DATA4:
      return { kind: "constant", value: BigInt(cursor.u32()) };
    case Form.DATA8:
      return { kind: "constant", value: cursor.u64() };
    case Form.SDATA:
      return { kind: "constant", value: cursor.slebBig() };
    case Form.UDATA:
      return { kind: "constant", value: cursor.ulebBig() };
    case Form.IMPLICIT_CONST:
      return { kind: "constant", value: BigInt(implicit) };
    case Form.FLAG_PRESENT:
      return { kind: "constant", value: 1n };
    case Form.DATA16:
      return { kind: "block", bytes: cursor.block(16) };
    case Form.BLOCK1:
      return { kind: "block", bytes: cursor.block(cursor.u8()) };
    case Form.BLOCK2:
      return { kind: "block", bytes: cursor.block(cursor.u16()) };
    case Form.BLOCK4:
      return { kind: "block", bytes: cursor.block(cursor.u32()) };
    case Form.BLOCK:
    case Form.EXPRLOC:
      return { kind: "block", bytes: cursor.block(cursor.uleb()) };
    case Form.REF_SIG8:
    case Form.REF_SUP8:
      cursor.skip(8);
      return { kind: "elsewhere" };
    case Form.REF_SUP4:
      cursor.skip(4);
      return { kind: "elsewhere" };
    case Form.STRP_SUP:
    case Form.GNU_REF_ALT:
    case Form.GNU_STRP_ALT:
      cursor.offset(unit.is64);
      return { kind: "elsewhere" };
    default:
      throw new DamagedDwarfError(`unknown form ${form}`);
  }
}

function fixedIndex(cursor: Cursor, width: number): number {
  switch (width) {
    case 0:
      return cursor.u8();
    case 1:
      return cursor.u16();
    case 2:
      return cursor.u24();
    default:
      return cursor.u32();
  }
}

function reference(unit: FormContext, offset: number): FormValue {
  return { kind: "reference", offset: unit.unitOffset + offset };
}

/** Whether a form's width is the same in every entry of a unit; its bytes then, else -1. */
function fixedFormSize(form: number, unit: FormContext): number {
  switch (form) {
    case Form.IMPLICIT_CONST:
    case Form.FLAG_PRESENT:
      return 0;
    case Form.DATA1:
    case Form.FLAG:
    case Form.REF1:
    case Form.STRX1:
    case Form.ADDRX1:
      return 1;
    case Form.DATA2:
    case Form.REF2:
    case Form.STRX2:
    case Form.ADDRX2:
      return 2;
    case Form.STRX3:
    case Form.ADDRX3:
      return 3;
    case Form.DATA4:
    case Form.REF4:
    case Form.STRX4:
    case Form.ADDRX4:
      return 4;
    case Form.DATA8:
    case Form.REF8:
    case Form.REF_SIG8:
      return 8;
    case Form.ADDR:
      return unit.addressSize;
    case Form.STRP:
    case Form.LINE_STRP:
    case Form.SEC_OFFSET:
      return unit.is64 ? 8 : 4;
    default:
      return -1;
  }
}

/** Moves behind a value whose width is not fixed. */
export function skipForm(cursor: Cursor, shape: AttributeShape, unit: FormContext): void {
  const size = fixedFormSize(shape.form, unit);
  if (size >= 0) {
    cursor.skip(size);
    return;
  }
  switch (shape.form) {
    case Form.STRING: {
      const end = cursor.bytes.indexOf(0, cursor.at);
      if (end < 0) throw new DamagedDwarfError("a string without an end");
      cursor.at = end + 1;
      return;
    }
    case Form.UDATA:
    case Form.SDATA:
    case Form.REF_UDATA:
    case Form.STRX:
    case Form.ADDRX:
      while (cursor.u8() >= 0x80);
      return;
    default:
      readForm(cursor, shape, unit);
  }
}
