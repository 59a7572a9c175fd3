/**
 * Types out of DWARF's entries (reference kernel-symbols.md, section 13).
 *
 * @module
 */

import {
  type ArrayType,
  type BaseType,
  type EnumType,
  type Member,
  type StructType,
  type Type,
  VOID,
} from "../types.ts";
import { Attribute, Tag } from "./constants.ts";
import { Cursor, DamagedDwarfError, unlessDamaged } from "./cursor.ts";
import { EntryCursor, readEntry } from "./entries.ts";
import type { FormValue } from "./forms.ts";
import { type AttributeValues, type LoadedUnit, numberOf, textOf } from "./unit.ts";

/** What a unit names at its top level; places are offsets of entries. */
export interface UnitNames {
  /** Structs and unions with members. */
  readonly structs: ReadonlyMap<string, number>;
  readonly typedefs: ReadonlyMap<string, number>;
  readonly variables: ReadonlyMap<string, number>;
}

/** Encodings of base types. */
const Encoding = { BOOLEAN: 2, FLOAT: 4, SIGNED: 5, SIGNED_CHAR: 6, UNSIGNED: 7, UNSIGNED_CHAR: 8 } as const;
const OP_PLUS_UCONST = 0x23;
const MAX_MEMBERS = 65_536;

/** The types of one unit, made when they are asked for. */
export class TypeTable {
  readonly #unit: LoadedUnit;
  readonly #types = new Map<number, Type>();

  constructor(unit: LoadedUnit) {
    this.#unit = unit;
  }

  /** The type that the entry at an offset describes; void where there is none that can be read. */
  type(offset: number): Type {
    const known = this.#types.get(offset);
    if (known !== undefined) return known;
    const type = unlessDamaged(() => this.#decode(offset), VOID);
    this.#types.set(offset, type);
    return type;
  }

  /** The type of the variable that the entry at an offset describes. */
  typeOfVariable(offset: number): Type | null {
    const values = unlessDamaged(() => readEntry(this.#unit, offset)?.values, undefined);
    const specification = values?.get(Attribute.SPECIFICATION);
    const declared = specification?.kind === "reference"
      ? unlessDamaged(() => readEntry(this.#unit, specification.offset)?.values, undefined)
      : undefined;
    const type = values?.get(Attribute.TYPE) ?? declared?.get(Attribute.TYPE);
    return type === undefined ? null : this.#referred(type);
  }

  #decode(offset: number): Type {
    const entry = readEntry(this.#unit, offset);
    if (entry === null) return VOID;
    const { tag, values } = entry;
    const name = textOf(this.#unit, values.get(Attribute.NAME));
    switch (tag) {
      case Tag.BASE_TYPE:
        return baseType(name ?? "", values);
      case Tag.POINTER_TYPE: {
        const size = numberOf(values.get(Attribute.BYTE_SIZE)) ?? this.#unit.addressSize;
        return this.#referring({ kind: "pointer" as const, size }, values);
      }
      case Tag.ARRAY_TYPE:
        return this.#array(offset, values);
      case Tag.STRUCTURE_TYPE:
      case Tag.CLASS_TYPE:
      case Tag.UNION_TYPE:
        return this.#struct(offset, tag === Tag.UNION_TYPE ? "union" : "struct", name, values);
      case Tag.ENUMERATION_TYPE:
        return this.#enum(offset, name, values);
      case Tag.TYPEDEF:
        return this.#referring({ kind: "typedef" as const, name: name ?? "" }, values);
      case Tag.CONST_TYPE:
        return this.#referring({ kind: "const" as const }, values);
      case Tag.VOLATILE_TYPE:
      case Tag.ATOMIC_TYPE:
        return this.#referring({ kind: "volatile" as const }, values);
      case Tag.RESTRICT_TYPE:
        return this.#referring({ kind: "restrict" as const }, values);
      case Tag.SUBROUTINE_TYPE:
        return this.#function(offset, values);
      default:
        return VOID;
    }
  }

  #referred(value: FormValue | undefined): Type {
    return value?.kind === "reference" ? this.type(value.offset) : VOID;
  }

  /** Adds the property that finds the type referred to when it is asked for. */
  #referring<T extends object>(type: T, values: AttributeValues): T & { readonly target: Type } {
    const target = values.get(Attribute.TYPE);
    const find = () => this.#referred(target);
    return Object.defineProperty(type, "target", { get: find, enumerable: true }) as T & { target: Type };
  }

  #array(offset: number, values: AttributeValues): Type {
    const counts: (number | null)[] = [];
    this.#forEachChild(offset, (tag, child) => {
      if (tag === Tag.SUBRANGE_TYPE) counts.push(countOf(child));
      return counts.length < 16;
    });
    const target = values.get(Attribute.TYPE);
    const innermost = () => this.#referred(target);
    const dimension = (depth: number): ArrayType => ({
      kind: "array",
      count: counts[depth] ?? null,
      get element() {
        return depth + 1 < counts.length ? dimension(depth + 1) : innermost();
      },
    });
    return dimension(0);
  }

  #struct(
    offset: number,
    kind: "struct" | "union",
    name: string | null,
    values: AttributeValues,
  ): StructType {
    const isDeclaration = values.has(Attribute.DECLARATION);
    const read = () => isDeclaration ? [] : this.#members(offset);
    let members: readonly Member[] | undefined;
    return {
      kind,
      name,
      size: isDeclaration ? null : numberOf(values.get(Attribute.BYTE_SIZE)),
      get members() {
        return members ??= read();
      },
    };
  }

  #members(offset: number): Member[] {
    const members: Member[] = [];
    this.#forEachChild(offset, (tag, values) => {
      if (tag === Tag.MEMBER) {
        const type = this.#referred(values.get(Attribute.TYPE));
        members.push({ name: textOf(this.#unit, values.get(Attribute.NAME)), type, ...this.#place(values) });
      }
      return members.length < MAX_MEMBERS;
    });
    return members;
  }

  /** Where a member is. Before DWARF 4 bit fields count from the high end of an integer of their own. */
  #place(values: AttributeValues): { bitOffset: number; bitSize: number | null } {
    const bitSize = numberOf(values.get(Attribute.BIT_SIZE));
    const bitOffset = numberOf(values.get(Attribute.DATA_BIT_OFFSET));
    if (bitOffset !== null) return { bitOffset, bitSize };
    const start = 8 * this.#memberOffset(values.get(Attribute.DATA_MEMBER_LOCATION));
    const fromHigh = numberOf(values.get(Attribute.BIT_OFFSET));
    if (bitSize === null || fromHigh === null) return { bitOffset: start, bitSize };
    if (!this.#unit.shared.littleEndian) return { bitOffset: start + fromHigh, bitSize };
    const storage = numberOf(values.get(Attribute.BYTE_SIZE)) ?? this.#sizeOfMember(values);
    return { bitOffset: start + 8 * storage - fromHigh - bitSize, bitSize };
  }

  #sizeOfMember(values: AttributeValues): number {
    let type = this.#referred(values.get(Attribute.TYPE));
    for (let i = 0; i < 16 && "target" in type && type.kind !== "pointer"; i++) type = type.target;
    return type.kind === "base" || type.kind === "enum" ? type.size : 4;
  }

  #memberOffset(value: FormValue | undefined): number {
    if (value?.kind !== "block") return numberOf(value) ?? 0;
    // DWARF 2 computes it.
    const cursor = new Cursor(value.bytes, this.#unit.shared.littleEndian);
    return unlessDamaged(() => cursor.u8() === OP_PLUS_UCONST ? cursor.uleb() : 0, 0);
  }

  #enum(offset: number, name: string | null, values: AttributeValues): EnumType {
    const constants: { name: string; value: bigint }[] = [];
    this.#forEachChild(offset, (tag, child) => {
      const value = child.get(Attribute.CONST_VALUE);
      if (tag === Tag.ENUMERATOR && value?.kind === "constant") {
        constants.push({ name: textOf(this.#unit, child.get(Attribute.NAME)) ?? "", value: value.value });
      }
      return constants.length < MAX_MEMBERS;
    });
    return { kind: "enum", name, size: numberOf(values.get(Attribute.BYTE_SIZE)) ?? 4, values: constants };
  }

  #function(offset: number, values: AttributeValues): Type {
    const parameters: Type[] = [];
    this.#forEachChild(offset, (tag, child) => {
      if (tag === Tag.FORMAL_PARAMETER) parameters.push(this.#referred(child.get(Attribute.TYPE)));
      return parameters.length < 256;
    });
    const returns = values.get(Attribute.TYPE);
    const find = () => this.#referred(returns);
    return {
      kind: "function",
      parameters,
      get returns() {
        return find();
      },
    };
  }

  /** Goes through an entry's children until `each` says to stop. */
  #forEachChild(offset: number, each: (tag: number, values: AttributeValues) => boolean): void {
    unlessDamaged(() => {
      const cursor = new EntryCursor(this.#unit, offset);
      if (cursor.next()?.hasChildren !== true) return;
      for (let shape = cursor.next(); shape !== null; shape = cursor.next()) {
        const values = cursor.attributes();
        if (!each(shape.tag, values)) return;
        cursor.skipChildren(values);
      }
    }, undefined);
  }
}

function baseType(name: string, values: AttributeValues): BaseType {
  const size = numberOf(values.get(Attribute.BYTE_SIZE)) ?? 0;
  const encodings: Readonly<Record<number, BaseType["encoding"]>> = {
    [Encoding.BOOLEAN]: "boolean",
    [Encoding.FLOAT]: "float",
    [Encoding.SIGNED]: "signed",
    [Encoding.SIGNED_CHAR]: "character",
    [Encoding.UNSIGNED_CHAR]: "unsigned-character",
  };
  const encoding = encodings[numberOf(values.get(Attribute.ENCODING)) ?? 0] ?? "unsigned";
  return { kind: "base", name, size, encoding, bits: 8 * size };
}

function countOf(values: AttributeValues): number | null {
  const count = numberOf(values.get(Attribute.COUNT));
  if (count !== null) return count;
  const last = numberOf(values.get(Attribute.UPPER_BOUND));
  // An array of no elements ends before its first one: the bound is -1, in as many bytes as the compiler chose.
  return last === null || last < -1 ? null : last === 0xffffffff ? 0 : last + 1;
}

/** Lists what a unit names at its top level. */
export function listUnitNames(unit: LoadedUnit): UnitNames {
  const structs = new Map<string, number>();
  const typedefs = new Map<string, number>();
  const variables = new Map<string, number>();
  const add = (names: Map<string, number>, name: string | null, offset: number) => {
    if (name !== null && !names.has(name)) names.set(name, offset);
  };
  unlessDamaged(() => {
    const cursor = new EntryCursor(unit);
    if (cursor.next()?.hasChildren !== true) return;
    for (let shape = cursor.next(); shape !== null; shape = cursor.next()) {
      if (cursor.depth < 1) throw new DamagedDwarfError("an entry out of its unit");
      const names = namesFor(shape.tag, { structs, typedefs, variables });
      if (names === null) {
        cursor.skipChildren();
        continue;
      }
      const values = cursor.attributes();
      if (!values.has(Attribute.DECLARATION)) {
        add(
          names,
          textOf(unit, values.get(Attribute.NAME)) ?? nameOfSpecification(unit, values),
          cursor.offset,
        );
      }
      cursor.skipChildren(values);
    }
  }, undefined);
  return { structs, typedefs, variables };
}

function namesFor(
  tag: number,
  names: { structs: Map<string, number>; typedefs: Map<string, number>; variables: Map<string, number> },
): Map<string, number> | null {
  switch (tag) {
    case Tag.STRUCTURE_TYPE:
    case Tag.UNION_TYPE:
      return names.structs;
    case Tag.TYPEDEF:
      return names.typedefs;
    case Tag.VARIABLE:
      return names.variables;
    default:
      return null;
  }
}

function nameOfSpecification(unit: LoadedUnit, values: AttributeValues): string | null {
  const specification = values.get(Attribute.SPECIFICATION);
  if (specification?.kind !== "reference") return null;
  const declared = unlessDamaged(() => readEntry(unit, specification.offset), null);
  return declared === null ? null : textOf(unit, declared.values.get(Attribute.NAME));
}
