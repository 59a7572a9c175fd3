/**
 * The table of types in a CTF container (reference kernel-symbols.md, section 12.2).
 *
 * @module
 */

import {
  type EnumType,
  type Member,
  type NamedType,
  resolveType,
  type StructType,
  type Type,
  VOID,
} from "./types.ts";

/** What the table's numbers mean. */
export interface CtfFormat {
  readonly version: 2 | 3;
  readonly littleEndian: boolean;
  readonly pointerSize: 4 | 8;
  /** Whether low numbers are a parent's types. */
  readonly isChild: boolean;
  readonly nameAt: (offset: number) => string;
  readonly parentType: (id: number) => Type;
}

/** Kinds of types. */
const Kind = {
  INTEGER: 1,
  FLOAT: 2,
  POINTER: 3,
  ARRAY: 4,
  FUNCTION: 5,
  STRUCT: 6,
  UNION: 7,
  ENUM: 8,
  FORWARD: 9,
  TYPEDEF: 10,
  VOLATILE: 11,
  CONST: 12,
  RESTRICT: 13,
} as const;

const ENCODING_SIGNED = 1;
const ENCODING_CHARACTER = 2;
const ENCODING_BOOLEAN = 4;

/** A type's entry, its variable part not yet read. */
interface Entry {
  readonly name: number;
  readonly kind: number;
  readonly count: number;
  /** Size, or the number of the type referred to. */
  readonly sizeOrType: number;
  /** Where the variable part begins. */
  readonly at: number;
}

/** The widths that differ between the versions. */
const WIDTHS = {
  2: { word: 2, head: 8, longSize: 0xffff, longStruct: 8192, firstChildId: 0x8000 },
  3: { word: 4, head: 12, longSize: 0xffffffff, longStruct: 2 ** 29, firstChildId: 0x80000000 },
} as const;

/** Types by number and by name. A damaged table is read up to the damage. */
export class CtfTypeTable {
  readonly #view: DataView;
  readonly #format: CtfFormat;
  readonly #widths: (typeof WIDTHS)[2 | 3];
  /** Where each entry begins, from number 1. */
  readonly #starts: number[] = [];
  readonly #structs = new Map<string, number>();
  readonly #typedefs = new Map<string, number>();
  readonly #types = new Map<number, Type>();

  constructor(bytes: Uint8Array, format: CtfFormat) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#format = format;
    this.#widths = WIDTHS[format.version];
    for (let at = 0; at + this.#widths.head <= bytes.byteLength;) {
      const entry = this.#entry(at);
      const end = entry === null ? Infinity : entry.at + this.#variableBytes(entry);
      if (entry === null || end > bytes.byteLength) break;
      this.#starts.push(at);
      this.#index(entry, this.#starts.length);
      at = end;
    }
  }

  /** How many types the table describes. */
  get count(): number {
    return this.#starts.length;
  }

  /** The first struct or union of a tag. */
  struct(name: string): StructType | null {
    const type = this.type(this.#fullId(this.#structs.get(name) ?? 0));
    return type.kind === "struct" || type.kind === "union" ? type : null;
  }

  /** A typedef by its name. */
  typedef(name: string): NamedType | null {
    const type = this.type(this.#fullId(this.#typedefs.get(name) ?? 0));
    return type.kind === "typedef" ? type : null;
  }

  /** A type by its number; void for 0 and what is not there. */
  type(id: number): Type {
    if (id === 0) return VOID;
    const { firstChildId } = this.#widths;
    if (this.#format.isChild && id < firstChildId) return this.#format.parentType(id);
    const index = this.#format.isChild ? id - firstChildId : id;
    const known = this.#types.get(index);
    if (known !== undefined) return known;
    const start = this.#starts[index - 1];
    const entry = start === undefined ? null : this.#entry(start);
    const type = entry === null ? VOID : this.#decode(entry);
    this.#types.set(index, type);
    return type;
  }

  #fullId(index: number): number {
    return index === 0 || !this.#format.isChild ? index : index + this.#widths.firstChildId;
  }

  #index(entry: Entry, index: number): void {
    if (entry.name === 0) return;
    const isStruct = entry.kind === Kind.STRUCT || entry.kind === Kind.UNION;
    const names = isStruct ? this.#structs : entry.kind === Kind.TYPEDEF ? this.#typedefs : null;
    if (names === null) return;
    const name = this.#format.nameAt(entry.name);
    if (!names.has(name)) names.set(name, index);
  }

  #entry(at: number): Entry | null {
    const { word, head, longSize } = this.#widths;
    const info = this.#word(at + 4);
    const short = this.#word(at + 4 + word);
    const isLong = short === longSize;
    if (isLong && at + head + 8 > this.#view.byteLength) return null;
    return {
      name: this.#u32(at),
      kind: word === 2 ? info >>> 11 : info >>> 26,
      count: word === 2 ? info & 0x3ff : info & 0xffffff,
      sizeOrType: isLong ? this.#long(at + head) : short,
      at: at + head + (isLong ? 8 : 0),
    };
  }

  /** Bytes of the variable part. */
  #variableBytes({ kind, count, sizeOrType }: Entry): number {
    const { word } = this.#widths;
    switch (kind) {
      case Kind.INTEGER:
      case Kind.FLOAT:
        return 4;
      case Kind.ARRAY:
        return 2 * word + 4;
      case Kind.FUNCTION:
        return word === 2 ? 2 * (count + count % 2) : 4 * count;
      case Kind.STRUCT:
      case Kind.UNION:
        return count * this.#memberBytes(sizeOrType);
      case Kind.ENUM:
        return 8 * count;
      default:
        return 0;
    }
  }

  #memberBytes(structSize: number): number {
    const { word, longStruct } = this.#widths;
    return structSize >= longStruct ? 16 : 4 + word * 2;
  }

  #decode(entry: Entry): Type {
    const { kind, sizeOrType } = entry;
    const name = this.#format.nameAt(entry.name);
    switch (kind) {
      case Kind.INTEGER:
      case Kind.FLOAT:
        return this.#decodeNumber(entry, name);
      case Kind.POINTER:
        return this.#referring({ kind: "pointer", size: this.#format.pointerSize }, "target", sizeOrType);
      case Kind.ARRAY: {
        const element = this.#word(entry.at);
        const count = this.#u32(entry.at + 2 * this.#widths.word);
        return this.#referring({ kind: "array", count }, "element", element);
      }
      case Kind.FUNCTION:
        return this.#decodeFunction(entry);
      case Kind.STRUCT:
      case Kind.UNION:
        return this.#decodeStruct(entry, name || null);
      case Kind.ENUM:
        return this.#decodeEnum(entry, name || null);
      case Kind.FORWARD:
        return { kind: "struct", name: name || null, size: null, members: [] };
      case Kind.TYPEDEF:
        return this.#referring({ kind: "typedef", name }, "target", sizeOrType);
      case Kind.VOLATILE:
        return this.#referring({ kind: "volatile" }, "target", sizeOrType);
      case Kind.CONST:
        return this.#referring({ kind: "const" }, "target", sizeOrType);
      case Kind.RESTRICT:
        return this.#referring({ kind: "restrict" }, "target", sizeOrType);
      default:
        return VOID;
    }
  }

  /** Adds a property that finds the type referred to when it is asked for. */
  #referring<T extends object, K extends string>(type: T, property: K, id: number): T & Record<K, Type> {
    const find = () => this.type(id);
    return Object.defineProperty(type, property, { get: find, enumerable: true }) as T & Record<K, Type>;
  }

  #decodeNumber(entry: Entry, name: string): Type {
    const data = this.#u32(entry.at);
    const [encoding, bits] = [data >>> 24, data & 0xffff];
    const base = { kind: "base", name, size: entry.sizeOrType, bits } as const;
    if (entry.kind === Kind.FLOAT) return { ...base, encoding: "float" };
    if ((encoding & ENCODING_BOOLEAN) !== 0) return { ...base, encoding: "boolean" };
    const signed = (encoding & ENCODING_SIGNED) !== 0;
    if ((encoding & ENCODING_CHARACTER) !== 0) {
      return { ...base, encoding: signed ? "character" : "unsigned-character" };
    }
    return { ...base, encoding: signed ? "signed" : "unsigned" };
  }

  #decodeFunction({ at, count, sizeOrType }: Entry): Type {
    const { word } = this.#widths;
    const ids = Array.from({ length: count }, (_, i) => this.#word(at + i * word));
    const find = (id: number) => this.type(id);
    return {
      kind: "function",
      get returns() {
        return find(sizeOrType);
      },
      get parameters() {
        return ids.map(find);
      },
    };
  }

  #decodeStruct(entry: Entry, name: string | null): StructType {
    let members: readonly Member[] | undefined;
    const read = () => this.#members(entry);
    return {
      kind: entry.kind === Kind.STRUCT ? "struct" : "union",
      name,
      size: entry.sizeOrType,
      get members() {
        return members ??= read();
      },
    };
  }

  #members({ at, count, sizeOrType }: Entry): Member[] {
    const { word } = this.#widths;
    const size = this.#memberBytes(sizeOrType);
    return Array.from({ length: count }, (_, i) => {
      const start = at + i * size;
      const type = this.type(this.#word(start + 4));
      const resolved = resolveType(type);
      const isBitField = resolved.kind === "base" && resolved.encoding !== "float" &&
        resolved.bits !== 8 * resolved.size;
      return {
        name: this.#format.nameAt(this.#u32(start)) || null,
        type,
        bitOffset: size === 16 ? this.#long(start + 8) : this.#word(start + 4 + word),
        bitSize: isBitField ? resolved.bits : null,
      };
    });
  }

  #decodeEnum({ at, count, sizeOrType }: Entry, name: string | null): EnumType {
    const values = Array.from({ length: count }, (_, i) => ({
      name: this.#format.nameAt(this.#u32(at + 8 * i)),
      value: BigInt(this.#view.getInt32(at + 8 * i + 4, this.#format.littleEndian)),
    }));
    return { kind: "enum", name, size: sizeOrType, values };
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, this.#format.littleEndian);
  }

  #word(at: number): number {
    return this.#widths.word === 2 ? this.#view.getUint16(at, this.#format.littleEndian) : this.#u32(at);
  }

  /** Two words, the high one first whatever the byte order. */
  #long(at: number): number {
    return this.#u32(at) * 2 ** 32 + this.#u32(at + 4);
  }
}
