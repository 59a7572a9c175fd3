/**
 * Walks the entries of a unit in their order.
 *
 * @module
 */

import type { Abbreviation } from "./abbreviations.ts";
import { Attribute } from "./constants.ts";
import { Cursor, DamagedDwarfError } from "./cursor.ts";
import { readForm, skipForm } from "./forms.ts";
import type { AttributeValues, LoadedUnit } from "./unit.ts";

/** A position in a unit's entries. Everything throws {@linkcode DamagedDwarfError}. */
export class EntryCursor {
  /** Where the entry begins, in the section. */
  offset = 0;
  /** How deep the entry lies: 0 for the first one. */
  depth = 0;
  readonly #unit: LoadedUnit;
  readonly #cursor: Cursor;
  #current: Abbreviation | null = null;
  #attributesRead = true;

  /** @param offset of an entry in the section: depths count from it */
  constructor(unit: LoadedUnit, offset = unit.firstEntry) {
    this.#unit = unit;
    if (offset < unit.firstEntry || offset >= unit.end) {
      throw new DamagedDwarfError("a reference out of its unit");
    }
    this.#cursor = new Cursor(unit.bytes, unit.shared.littleEndian, offset - unit.unitOffset);
  }

  /** Goes to the next entry; `null` behind the last. */
  next(): Abbreviation | null {
    const previous = this.#current;
    if (previous !== null) {
      this.#leaveAttributes();
      if (previous.hasChildren) this.depth++;
    }
    while (this.#cursor.left > 0) {
      this.offset = this.#unit.unitOffset + this.#cursor.at;
      const code = this.#cursor.uleb();
      if (code !== 0) {
        const abbreviation = this.#unit.abbreviations.get(code);
        if (abbreviation === undefined) throw new DamagedDwarfError("an entry of no known shape");
        this.#current = abbreviation;
        this.#attributesRead = false;
        return abbreviation;
      }
      if (--this.depth <= 0) break;
    }
    this.#current = null;
    return null;
  }

  /** Reads the entry's attributes; once. */
  attributes(): AttributeValues {
    const values: AttributeValues = new Map();
    for (const shape of this.#current?.attributes ?? []) {
      values.set(shape.name, readForm(this.#cursor, shape, this.#unit));
    }
    this.#attributesRead = true;
    return values;
  }

  /**
   * Goes behind the entry's children without reading them, if the entry says where that is: the next entry then is its
   * sibling. Else they are walked through.
   *
   * @param values the entry's attributes, if they were read
   */
  skipChildren(values?: AttributeValues): void {
    const current = this.#current;
    if (current === null || !current.hasChildren) return;
    const depth = this.depth;
    const sibling = current.hasSibling ? (values ?? this.attributes()).get(Attribute.SIBLING) : undefined;
    if (sibling?.kind === "reference" && sibling.offset > this.offset && sibling.offset <= this.#unit.end) {
      this.#cursor.at = sibling.offset - this.#unit.unitOffset;
      this.#current = null;
      return;
    }
    this.#leaveAttributes();
    this.#current = null;
    for (let open = depth + 1; open > depth;) {
      const code = this.#cursor.uleb();
      if (code === 0) {
        open--;
        continue;
      }
      const abbreviation = this.#unit.abbreviations.get(code);
      if (abbreviation === undefined) throw new DamagedDwarfError("an entry of no known shape");
      for (const shape of abbreviation.attributes) skipForm(this.#cursor, shape, this.#unit);
      if (abbreviation.hasChildren) open++;
    }
  }

  #leaveAttributes(): void {
    if (this.#attributesRead) return;
    for (const shape of this.#current?.attributes ?? []) skipForm(this.#cursor, shape, this.#unit);
    this.#attributesRead = true;
  }
}

/** Reads the entry at an offset of a unit. */
export function readEntry(
  unit: LoadedUnit,
  offset: number,
): { readonly tag: number; readonly values: AttributeValues } | null {
  const cursor = new EntryCursor(unit, offset);
  const shape = cursor.next();
  return shape === null ? null : { tag: shape.tag, values: cursor.attributes() };
}
