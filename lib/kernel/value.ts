/**
 * A variable's bytes by its type: values in values, bounded in depth and number (reference kernel-symbols.md,
 * section 14).
 *
 * @module
 */

import {
  type ArrayType,
  type BaseType,
  type Member,
  resolveType,
  sizeOfType,
  type StructType,
  type Type,
} from "./types.ts";

/** A value of a C type. */
export type Value =
  | { readonly kind: "integer"; readonly value: bigint; readonly isCharacter: boolean }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "enum"; readonly name: string | null; readonly value: bigint }
  | {
    readonly kind: "pointer";
    readonly address: bigint;
    /** What lies there, e.g. `doadump` or `allproc+0x8`. */
    readonly symbol: string | null;
    /** The string there, of a `char *`. */
    readonly text: Text | null;
  }
  | { readonly kind: "text"; readonly text: Text }
  | {
    readonly kind: "struct";
    readonly members: readonly { readonly name: string | null; readonly value: Value }[];
  }
  | { readonly kind: "array"; readonly elements: readonly Value[]; readonly count: number }
  /** Bytes of a type that is not known or has no values of its own. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** Not there: behind a limit of depth or number, or the dump has no such bytes. */
  | { readonly kind: "omitted"; readonly why: "limit" | "missing" };

/** Bytes of a string up to its NUL. */
export interface Text {
  readonly bytes: Uint8Array;
  /** Whether it goes on. */
  readonly isCut: boolean;
}

/** What values are read with. */
export interface ValueContext {
  readonly littleEndian: boolean;
  /** What lies at an address, for people; `null` if nothing is known. */
  symbolAt(address: bigint): string | null;
  /** Memory of the dump: fewer bytes or `null` where it is not there. */
  readMemory(address: bigint, length: number): Promise<Uint8Array | null>;
}

/** The most bytes of a variable that are worth reading: more than {@linkcode decodeValue} shows of it. */
export const MAX_VALUE_BYTES = 2 ** 20;
const MAX_DEPTH = 8;
/** Values in all, each number counted. */
const MAX_VALUES = 10_000;
const MAX_ELEMENTS = 1024;
const MAX_TEXT_BYTES = 512;

/**
 * Reads a value.
 *
 * @param bytes what the dump has of it, from its first byte; what is missing at the end is told in the value
 */
export async function decodeValue(type: Type, bytes: Uint8Array, context: ValueContext): Promise<Value> {
  return await new ValueReader(context).read(type, bytes, 0);
}

class ValueReader {
  readonly #context: ValueContext;
  #left = MAX_VALUES;

  constructor(context: ValueContext) {
    this.#context = context;
  }

  async read(type: Type, bytes: Uint8Array, depth: number): Promise<Value> {
    if (this.#left-- <= 0 || depth > MAX_DEPTH) return { kind: "omitted", why: "limit" };
    const actual = resolveType(type);
    if (actual.kind === "array") return await this.#array(actual, bytes, depth);
    if (actual.kind === "void" || actual.kind === "function" || actual.size === null) {
      return { kind: "bytes", bytes: bytes.subarray(0, MAX_TEXT_BYTES) };
    }
    if (actual.kind === "struct" || actual.kind === "union") return await this.#struct(actual, bytes, depth);
    if (bytes.byteLength < actual.size) return { kind: "omitted", why: "missing" };
    const own = bytes.subarray(0, actual.size);
    switch (actual.kind) {
      case "base":
        return this.#base(actual, own);
      case "enum": {
        const value = this.#integer(own, true);
        // An enumeration's values may be written unsigned.
        const unsigned = BigInt.asUintN(8 * actual.size, value);
        const named = actual.values.find((constant) =>
          constant.value === value || constant.value === unsigned
        );
        return { kind: "enum", name: named?.name ?? null, value };
      }
      case "pointer": {
        const address = this.#integer(own, false);
        const text = isText(actual.target) && address !== 0n ? await this.#textAt(address) : null;
        return { kind: "pointer", address, symbol: this.#context.symbolAt(address), text };
      }
    }
  }

  #base(type: BaseType, bytes: Uint8Array): Value {
    if (type.encoding === "float") return this.#float(bytes);
    const signed = type.encoding === "signed" || type.encoding === "character";
    return this.#number(type, this.#integer(bytes, signed));
  }

  #number(type: BaseType, value: bigint): Value {
    if (type.encoding === "boolean") return { kind: "boolean", value: value !== 0n };
    return { kind: "integer", value, isCharacter: type.encoding === "character" || isCharacter(type) };
  }

  #float(bytes: Uint8Array): Value {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const { littleEndian } = this.#context;
    if (bytes.byteLength === 4) return { kind: "float", value: view.getFloat32(0, littleEndian) };
    if (bytes.byteLength === 8) return { kind: "float", value: view.getFloat64(0, littleEndian) };
    return { kind: "bytes", bytes };
  }

  #integer(bytes: Uint8Array, signed: boolean): bigint {
    let value = 0n;
    const inOrder = this.#context.littleEndian ? bytes.toReversed() : bytes;
    for (const byte of inOrder.subarray(0, 64)) value = value << 8n | BigInt(byte);
    return signed ? BigInt.asIntN(8 * bytes.byteLength, value) : value;
  }

  async #array(type: ArrayType, bytes: Uint8Array, depth: number): Promise<Value> {
    const size = sizeOfType(type.element);
    const count = type.count ?? 0;
    if (size === null || size === 0) return { kind: "array", elements: [], count };
    if (isText(type.element)) return textValue(bytes.subarray(0, count), count);
    const elements: Value[] = [];
    for (let i = 0; i < count && i < MAX_ELEMENTS && this.#left > 0; i++) {
      const start = i * size;
      if (start >= bytes.byteLength) {
        elements.push({ kind: "omitted", why: "missing" });
        break;
      }
      elements.push(await this.read(type.element, bytes.subarray(start, start + size), depth + 1));
    }
    return { kind: "array", elements, count };
  }

  async #struct(type: StructType, bytes: Uint8Array, depth: number): Promise<Value> {
    const members: { name: string | null; value: Value }[] = [];
    for (const member of type.members) {
      if (this.#left <= 0) break;
      const value = member.bitSize === null
        ? await this.read(member.type, bytes.subarray(Math.floor(member.bitOffset / 8)), depth + 1)
        : this.#bitField(member, member.bitSize, bytes);
      members.push({ name: member.name, value });
    }
    return { kind: "struct", members };
  }

  #bitField(member: Member, bitSize: number, bytes: Uint8Array): Value {
    this.#left--;
    const first = Math.floor(member.bitOffset / 8);
    const end = Math.ceil((member.bitOffset + bitSize) / 8);
    if (bitSize > 64 || end > bytes.byteLength) return { kind: "omitted", why: "missing" };
    const whole = this.#integer(bytes.subarray(first, end), false);
    const before = member.bitOffset - 8 * first;
    const shift = this.#context.littleEndian ? before : 8 * (end - first) - before - bitSize;
    const value = BigInt.asUintN(bitSize, whole >> BigInt(shift));
    const type = resolveType(member.type);
    if (type.kind === "enum") {
      const named = type.values.find((constant) => BigInt.asUintN(bitSize, constant.value) === value);
      return { kind: "enum", name: named?.name ?? null, value };
    }
    if (type.kind !== "base") return { kind: "integer", value, isCharacter: false };
    const signed = type.encoding === "signed" || type.encoding === "character";
    return this.#number({ ...type, name: "" }, signed ? BigInt.asIntN(bitSize, value) : value);
  }

  async #textAt(address: bigint): Promise<Text | null> {
    const bytes = await this.#context.readMemory(address, MAX_TEXT_BYTES);
    if (bytes === null || bytes.byteLength === 0) return null;
    return textOf(bytes, bytes.byteLength >= MAX_TEXT_BYTES);
  }
}

function isCharacter(type: BaseType): boolean {
  return type.size === 1 && type.name === "char";
}

/** Whether values in a row are a string: `char`, not `unsigned char`, which is bytes. */
function isText(type: Type): boolean {
  const actual = resolveType(type);
  return actual.kind === "base" && isCharacter(actual);
}

function textValue(bytes: Uint8Array, count: number): Value {
  if (bytes.byteLength === 0 && count > 0) return { kind: "omitted", why: "missing" };
  const shown = bytes.subarray(0, MAX_TEXT_BYTES);
  return { kind: "text", text: textOf(shown, shown.byteLength < count) };
}

function textOf(bytes: Uint8Array, goesOn: boolean): Text {
  const end = bytes.indexOf(0);
  return end < 0 ? { bytes, isCut: goesOn } : { bytes: bytes.subarray(0, end), isCut: false };
}
