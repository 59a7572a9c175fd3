/**
 * Abbreviations: the shapes of a unit's entries.
 *
 * @module
 */

import { Attribute, Form } from "./constants.ts";
import { Cursor, DamagedDwarfError } from "./cursor.ts";

/** The shape of an entry: its tag and how each attribute is written. */
export interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly AttributeShape[];
  /** Whether it says where the entry behind its children is. */
  readonly hasSibling: boolean;
}

/** How one attribute of an entry is written. */
export interface AttributeShape {
  readonly name: number;
  readonly form: number;
  /** The value itself, where the form is DW_FORM_implicit_const. */
  readonly implicit: number;
}

const MAX_ABBREVIATIONS = 100_000;

/**
 * Reads the abbreviations that begin at an offset.
 *
 * @param only stop at this code: all that a unit's first entry needs
 * @throws {DamagedDwarfError}
 */
export function readAbbreviations(
  section: Uint8Array,
  offset: number,
  littleEndian: boolean,
  only?: number,
): Map<number, Abbreviation> {
  const cursor = new Cursor(section, littleEndian, offset);
  const found = new Map<number, Abbreviation>();
  for (;;) {
    const code = cursor.uleb();
    if (code === 0) return found;
    const tag = cursor.uleb();
    const hasChildren = cursor.u8() !== 0;
    const attributes: AttributeShape[] = [];
    for (;;) {
      const name = cursor.uleb();
      const form = cursor.uleb();
      const implicit = form === Form.IMPLICIT_CONST ? cursor.sleb() : 0;
      if (name === 0 && form === 0) break;
      attributes.push({ name, form, implicit });
    }
    const hasSibling = attributes.some((attribute) => attribute.name === Attribute.SIBLING);
    found.set(code, { tag, hasChildren, attributes, hasSibling });
    if (code === only) return found;
    if (found.size > MAX_ABBREVIATIONS) throw new DamagedDwarfError("too many abbreviations");
  }
}
