/**
 * Types of a kernel's variables, as CTF and DWARF both describe them (reference kernel-symbols.md, sections 12 and 13).
 * A type refers to others by properties that are found when they are asked for: graphs may loop.
 *
 * @module
 */

/** A type of the C language. */
export type Type =
  | VoidType
  | BaseType
  | PointerType
  | ArrayType
  | StructType
  | EnumType
  | NamedType
  | QualifiedType
  | FunctionType;

/** No type: what `void *` points to, and what stands for types that cannot be read. */
export interface VoidType {
  readonly kind: "void";
}

/** An integer, character, boolean or floating-point number. */
export interface BaseType {
  readonly kind: "base";
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly encoding: "signed" | "unsigned" | "character" | "unsigned-character" | "boolean" | "float";
  /** Width in bits: less than `8 * size` in CTF's types of bit fields. */
  readonly bits: number;
}

/** A pointer. */
export interface PointerType {
  readonly kind: "pointer";
  /** Bytes. */
  readonly size: number;
  readonly target: Type;
}

/** An array; one of more than one dimension is an array of arrays. */
export interface ArrayType {
  readonly kind: "array";
  readonly element: Type;
  /** `null` for one whose length is not known (`extern int a[]`). */
  readonly count: number | null;
}

/** A struct or union. */
export interface StructType {
  readonly kind: "struct" | "union";
  /** `null` if it has no tag. */
  readonly name: string | null;
  /** Bytes; `null` for one that is declared only. */
  readonly size: number | null;
  readonly members: readonly Member[];
}

/** A member of a struct or union. */
export interface Member {
  /** `null` for an unnamed struct or union, whose members are looked up as if they were here. */
  readonly name: string | null;
  readonly type: Type;
  /** Bits from the start of the struct. */
  readonly bitOffset: number;
  /** Width of a bit field; `null` for whole members. */
  readonly bitSize: number | null;
}

/** An enumeration. */
export interface EnumType {
  readonly kind: "enum";
  readonly name: string | null;
  /** Bytes. */
  readonly size: number;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

/** A typedef. */
export interface NamedType {
  readonly kind: "typedef";
  readonly name: string;
  readonly target: Type;
}

/** A type with a qualifier, which changes nothing of its bytes. */
export interface QualifiedType {
  readonly kind: "const" | "volatile" | "restrict";
  readonly target: Type;
}

/** A function, for pointers to it. */
export interface FunctionType {
  readonly kind: "function";
  readonly returns: Type;
  readonly parameters: readonly Type[];
}

/** The types that a file describes. */
export interface Types {
  /** The struct or union of a tag, complete; `null` if there is none. The first, where several files have one. */
  struct(name: string): Promise<StructType | null>;
  /** The type of a typedef's name. */
  typedef(name: string): Promise<NamedType | null>;
  /** The type of a global variable. */
  variable(name: string): Promise<Type | null>;
}

/** The type that stands for all that has none. */
export const VOID: VoidType = { kind: "void" };

/** Chains of typedefs and qualifiers are shorter in any kernel; damaged ones loop. */
const MAX_CHAIN = 64;

/** Follows typedefs and qualifiers to the type behind them; void if they loop. */
export function resolveType(type: Type): Exclude<Type, NamedType | QualifiedType> {
  let at = type;
  for (let steps = 0; steps < MAX_CHAIN; steps++) {
    switch (at.kind) {
      case "typedef":
      case "const":
      case "volatile":
      case "restrict":
        at = at.target;
        break;
      default:
        return at;
    }
  }
  return VOID;
}

/** The size of a type's values in bytes; `null` where it is not known. */
export function sizeOfType(type: Type): number | null {
  let count = 1;
  let at = resolveType(type);
  for (let depth = 0; at.kind === "array"; depth++) {
    if (at.count === null || depth === MAX_CHAIN) return null;
    count *= at.count;
    at = resolveType(at.element);
  }
  if (at.kind === "void" || at.kind === "function" || at.size === null) return null;
  const size = count * at.size;
  return Number.isSafeInteger(size) ? size : null;
}

/** A member found by name, with its place in the struct that was searched. */
export type FoundMember = Omit<Member, "name">;

/** Unnamed structs are nested less deep than this. */
const MAX_NESTING = 16;

/** Finds a member, also inside unnamed structs and unions; its offset is from the start of the struct given. */
export function findMember(struct: StructType, name: string): FoundMember | null {
  return findNested(struct, name, 0);
}

function findNested(struct: StructType, name: string, depth: number): FoundMember | null {
  for (const member of struct.members) {
    if (member.name === name) {
      const { type, bitOffset, bitSize } = member;
      return { type, bitOffset, bitSize };
    }
    if (member.name !== null || depth === MAX_NESTING) continue;
    const inner = resolveType(member.type);
    if (inner.kind !== "struct" && inner.kind !== "union") continue;
    const found = findNested(inner, name, depth + 1);
    if (found !== null) return { ...found, bitOffset: member.bitOffset + found.bitOffset };
  }
  return null;
}
