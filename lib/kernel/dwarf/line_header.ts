/**
 * Headers of line programs: their tables of directories and files, versions 2 to 5.
 *
 * @module
 */

import { Cursor, DamagedDwarfError } from "./cursor.ts";
import { type FormContext, type FormValue, readForm } from "./forms.ts";
import type { SharedSections } from "./sections.ts";

/** What a line program's header says. */
export interface LineHeader {
  readonly version: number;
  readonly addressSize: 4 | 8;
  readonly minimumInstruction: number;
  /** Operations in an instruction: 1 but for VLIW machines. */
  readonly operationsPerInstruction: number;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** How many operands each standard opcode has, from opcode 1. */
  readonly operandCounts: readonly number[];
  /** Paths by number: the first file of older versions is 1, of version 5 it is 0. */
  readonly files: readonly (string | null)[];
  /** Where the program begins and ends, in the bytes given. */
  readonly programStart: number;
  readonly programEnd: number;
}

const MAX_FILES = 100_000;
const ContentType = { PATH: 1, DIRECTORY_INDEX: 2 } as const;

/**
 * Decodes a header.
 *
 * @param bytes the program with its length in front
 * @param unitAddressSize for versions that do not say it
 * @throws {DamagedDwarfError}
 */
export function decodeLineHeader(
  bytes: Uint8Array,
  shared: SharedSections,
  unitAddressSize: 4 | 8,
): LineHeader {
  const cursor = new Cursor(bytes, shared.littleEndian);
  const { length, is64 } = cursor.initialLength();
  const programEnd = Math.min(bytes.byteLength, cursor.at + length);
  const version = cursor.u16();
  if (version < 2 || version > 5) throw new DamagedDwarfError(`line program version ${version}`);
  let addressSize: number = unitAddressSize;
  if (version === 5) {
    addressSize = cursor.u8();
    cursor.skip(1);
  }
  if (addressSize !== 4 && addressSize !== 8) {
    throw new DamagedDwarfError(`addresses of ${addressSize} bytes`);
  }
  const headerLength = cursor.offset(is64);
  const programStart = cursor.at + headerLength;
  const minimumInstruction = cursor.u8();
  const operationsPerInstruction = version >= 4 ? cursor.u8() : 1;
  cursor.skip(1);
  const lineBase = cursor.i8();
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  if (lineRange === 0 || opcodeBase === 0) throw new DamagedDwarfError("a line range or opcode base of 0");
  const operandCounts = Array.from({ length: opcodeBase - 1 }, () => cursor.u8());
  const context = { version, is64, addressSize, unitOffset: 0, shared };
  return {
    version,
    addressSize,
    minimumInstruction,
    operationsPerInstruction: operationsPerInstruction || 1,
    lineBase,
    lineRange,
    opcodeBase,
    operandCounts,
    files: version === 5 ? readFiles5(cursor, context) : readFiles2(cursor),
    programStart,
    programEnd,
  };
}

/** Joins as compilers mean it: what lies in the directory of compilation is named without it. */
function joinPath(directory: string | undefined, name: string): string {
  if (directory === undefined || directory === "" || name.startsWith("/")) return name;
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

function readFiles2(cursor: Cursor): (string | null)[] {
  const directories: string[] = [""];
  for (let name = cursor.string(); name !== ""; name = cursor.string()) {
    if (directories.push(name) > MAX_FILES) throw new DamagedDwarfError("too many directories");
  }
  const files: (string | null)[] = [null];
  for (let name = cursor.string(); name !== ""; name = cursor.string()) {
    const directory = cursor.uleb();
    cursor.uleb();
    cursor.uleb();
    if (files.push(joinPath(directories[directory], name)) > MAX_FILES) {
      throw new DamagedDwarfError("too many files");
    }
  }
  return files;
}

function readFiles5(cursor: Cursor, context: FormContext): (string | null)[] {
  const directories = readTable5(cursor, context).map(({ path }) => path);
  // Directory 0 is that of the compilation.
  directories[0] = "";
  return readTable5(cursor, context).map(({ path, directory }) => joinPath(directories[directory], path));
}

function readTable5(cursor: Cursor, context: FormContext): { path: string; directory: number }[] {
  const formats = Array.from({ length: cursor.u8() }, () => ({ type: cursor.uleb(), form: cursor.uleb() }));
  const count = cursor.uleb();
  if (count > MAX_FILES || (formats.length === 0 && count > 0)) throw new DamagedDwarfError("too many files");
  return Array.from({ length: count }, () => {
    let path = "";
    let directory = 0;
    for (const { type, form } of formats) {
      const value = readForm(cursor, { name: 0, form, implicit: 0 }, context);
      if (type === ContentType.PATH) path = pathOf(value);
      if (type === ContentType.DIRECTORY_INDEX && value.kind === "constant") directory = Number(value.value);
    }
    return { path, directory };
  });
}

function pathOf(value: FormValue): string {
  return value.kind === "string" ? value.text : "";
}
