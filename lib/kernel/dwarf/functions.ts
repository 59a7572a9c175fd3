/**
 * The functions of a unit and what was inlined in them (reference kernel-symbols.md, section 13).
 *
 * @module
 */

import { Attribute, Tag } from "./constants.ts";
import { unlessDamaged } from "./cursor.ts";
import { EntryCursor, readEntry } from "./entries.ts";
import type { AddressRange } from "./ranges.ts";
import { type AttributeValues, type LoadedUnit, numberOf, rangesOf, textOf } from "./unit.ts";

/** A function that an address lies in: the outermost, or one inlined in another. */
export interface FunctionAt {
  readonly name: string | null;
  /** Where it was called, if it was inlined: a number in the table of files. */
  readonly call: { readonly file: number | null; readonly line: number | null } | null;
}

/** A function or an inlined copy of one, and those inlined in it. */
interface FunctionNode {
  readonly entry: number;
  readonly isInline: boolean;
  readonly ranges: readonly AddressRange[];
  readonly callFile: number | null;
  readonly callLine: number | null;
  readonly inlined: FunctionNode[];
}

/** Functions lie less deep in each other in any compiler's output. */
const MAX_DEPTH = 256;
/** A name is given by an entry that another refers to, twice removed at most. */
const MAX_REFERENCES = 8;

/** The functions of one unit. */
export class FunctionTable {
  readonly #unit: LoadedUnit;
  readonly #functions: FunctionNode[] = [];
  readonly #names = new Map<number, string | null>();

  constructor(unit: LoadedUnit) {
    this.#unit = unit;
    unlessDamaged(() => this.#read(), undefined);
  }

  /** The functions that an address lies in, the innermost first. */
  at(pc: bigint): FunctionAt[] {
    const found: FunctionAt[] = [];
    let among = this.#functions;
    for (;;) {
      const node = among.find(({ ranges }) => ranges.some(({ start, end }) => pc >= start && pc < end));
      if (node === undefined) return found;
      found.unshift({
        name: this.#name(node.entry, 0),
        call: node.isInline ? { file: node.callFile, line: node.callLine } : null,
      });
      among = node.inlined;
    }
  }

  #read(): void {
    const cursor = new EntryCursor(this.#unit);
    /** The open functions: at each depth of entries the one that encloses it. */
    const open: { readonly depth: number; readonly node: FunctionNode }[] = [];
    for (let shape = cursor.next(); shape !== null; shape = cursor.next()) {
      while (open.length > 0 && open.at(-1)!.depth >= cursor.depth) open.pop();
      if (shape.tag === Tag.SUBPROGRAM || shape.tag === Tag.INLINED_SUBROUTINE) {
        const values = cursor.attributes();
        const node = this.#node(cursor.offset, shape.tag === Tag.INLINED_SUBROUTINE, values);
        if (node.ranges.length === 0 || open.length >= MAX_DEPTH) {
          // A declaration, or the pattern of inlined copies.
          cursor.skipChildren(values);
          continue;
        }
        (open.at(-1)?.node.inlined ?? this.#functions).push(node);
        if (shape.hasChildren) open.push({ depth: cursor.depth, node });
      } else if (cursor.depth > 0 && shape.tag !== Tag.LEXICAL_BLOCK) {
        cursor.skipChildren();
      }
    }
  }

  #node(entry: number, isInline: boolean, values: AttributeValues): FunctionNode {
    return {
      entry,
      isInline,
      ranges: rangesOf(this.#unit, values),
      callFile: numberOf(values.get(Attribute.CALL_FILE)),
      callLine: numberOf(values.get(Attribute.CALL_LINE)),
      inlined: [],
    };
  }

  #name(offset: number, references: number): string | null {
    const known = this.#names.get(offset);
    if (known !== undefined) return known;
    const entry = unlessDamaged(() => readEntry(this.#unit, offset), null);
    const values = entry?.values;
    let name = values === undefined ? null : textOf(this.#unit, values.get(Attribute.NAME));
    const other = values?.get(Attribute.ABSTRACT_ORIGIN) ?? values?.get(Attribute.SPECIFICATION);
    if (name === null && other?.kind === "reference" && references < MAX_REFERENCES) {
      name = this.#name(other.offset, references + 1);
    }
    this.#names.set(offset, name);
    return name;
  }
}
