/** Small CTF containers of either version and byte order, for tests. */
import { deflateSync } from "node:zlib";
import { ByteWriter, StringTable } from "./elf_writer.ts";

/** A type to write, by its kind's fields. Types are numbered from 1. */
export type WrittenType =
  | { kind: "integer" | "float"; name: string; size: number; bits?: number; encoding?: number }
  | { kind: "pointer" | "const" | "volatile" | "restrict"; target: number }
  | { kind: "typedef"; name: string; target: number }
  | { kind: "forward"; name: string }
  | { kind: "unknown" }
  | { kind: "array"; element: number; index: number; count: number }
  | { kind: "function"; returns: number; parameters: number[] }
  | {
    kind: "struct" | "union";
    name: string;
    size: number;
    members: { name: string; type: number; bitOffset: number }[];
  }
  | { kind: "enum"; name: string; size: number; values: [string, number][] };

/** A container to write. */
export interface WrittenCtf {
  readonly version: 2 | 3;
  readonly littleEndian?: boolean;
  readonly compressed?: boolean;
  readonly types: readonly WrittenType[];
  readonly labels?: readonly [name: string, lastType: number][];
  readonly objects?: readonly number[];
  /** `null` for a function without data. */
  readonly functions?: readonly ({ returns: number; parameters: number[] } | null)[];
  readonly parentName?: string;
}

const KINDS = {
  unknown: 0,
  integer: 1,
  float: 2,
  pointer: 3,
  array: 4,
  function: 5,
  struct: 6,
  union: 7,
  enum: 8,
  forward: 9,
  typedef: 10,
  volatile: 11,
  const: 12,
  restrict: 13,
} as const;

/** Writes the container. */
export function writeCtf(ctf: WrittenCtf): Uint8Array {
  const strings = new StringTable();
  const word = ctf.version === 2 ? 2 : 4;
  const writer = () => new ByteWriter(ctf.littleEndian);
  const labels = writer();
  for (const [name, last] of ctf.labels ?? []) labels.u32(strings.offsetOf(name)).u32(last);
  const objects = writer();
  for (const id of ctf.objects ?? []) objects.integer(word, id);
  const functions = writer();
  for (const type of ctf.functions ?? []) {
    if (type === null) {
      functions.integer(word, 0);
      continue;
    }
    functions.integer(word, info(ctf.version, KINDS.function, type.parameters.length));
    for (const id of [type.returns, ...type.parameters]) functions.integer(word, id);
  }
  const types = writer();
  for (const type of ctf.types) writeType(types, type, ctf.version, strings);
  const parent = ctf.parentName === undefined ? 0 : strings.offsetOf(ctf.parentName);
  const body = writer().bytes(labels.done()).bytes(objects.done());
  const functionsAt = body.length;
  body.bytes(functions.done()).align(4);
  const typesAt = body.length;
  body.bytes(types.done());
  const stringsAt = body.length;
  body.bytes(strings.done());
  const header = writer().u16(0xcff1).u8(ctf.version, ctf.compressed ? 1 : 0).u32(0).u32(parent).u32(0);
  header.u32(labels.length).u32(functionsAt).u32(typesAt).u32(stringsAt).u32(body.length - stringsAt);
  return header.bytes(ctf.compressed ? deflateSync(body.done()) : body.done()).done();
}

function info(version: 2 | 3, kind: number, count: number): number {
  return version === 2 ? (kind << 11) | 0x400 | count : kind * 2 ** 26 + 2 ** 25 + count;
}

function writeType(out: ByteWriter, type: WrittenType, version: 2 | 3, strings: StringTable): void {
  const word = version === 2 ? 2 : 4;
  const head = (name: string, count: number, sizeOrType: number) => {
    const long = version === 2 ? 0xffff : 0xffffffff;
    out.u32(strings.offsetOf(name)).integer(word, info(version, KINDS[type.kind], count));
    if (sizeOrType < long) out.integer(word, sizeOrType);
    else out.integer(word, long).u32(Math.floor(sizeOrType / 2 ** 32)).u32(sizeOrType % 2 ** 32);
  };
  switch (type.kind) {
    case "integer":
    case "float":
      head(type.name, 0, type.size);
      out.u32((type.encoding ?? 1) * 2 ** 24 + (type.bits ?? 8 * type.size));
      break;
    case "pointer":
    case "const":
    case "volatile":
    case "restrict":
      head("", 0, type.target);
      break;
    case "typedef":
      head(type.name, 0, type.target);
      break;
    case "forward":
      head(type.name, 0, 0);
      break;
    case "unknown":
      head("", 0, 0);
      break;
    case "array":
      head("", 0, 0);
      out.integer(word, type.element).integer(word, type.index).u32(type.count);
      break;
    case "function":
      head("", type.parameters.length, type.returns);
      for (const id of type.parameters) out.integer(word, id);
      if (version === 2 && type.parameters.length % 2 === 1) out.u16(0);
      break;
    case "struct":
    case "union": {
      head(type.name, type.members.length, type.size);
      const long = type.size >= (version === 2 ? 8192 : 2 ** 29);
      for (const member of type.members) {
        out.u32(strings.offsetOf(member.name)).integer(word, member.type);
        if (!long) out.integer(word, member.bitOffset);
        else {
          if (version === 2) out.u16(0);
          out.u32(Math.floor(member.bitOffset / 2 ** 32)).u32(member.bitOffset % 2 ** 32);
        }
      }
      break;
    }
    case "enum":
      head(type.name, type.values.length, type.size);
      for (const [name, value] of type.values) out.u32(strings.offsetOf(name)).u32(value);
  }
}
