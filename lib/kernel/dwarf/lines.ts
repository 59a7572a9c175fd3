/**
 * Line programs, versions 2 to 5: the file and line of an instruction (reference kernel-symbols.md, section 13).
 *
 * @module
 */

import { countUpTo } from "../../bytes/sorted.ts";
import { Cursor, DamagedDwarfError } from "./cursor.ts";
import { decodeLineHeader, type LineHeader } from "./line_header.ts";
import type { SharedSections } from "./sections.ts";

/** Files and lines of the instructions of one unit. */
export interface LineTable {
  /** The file's path as the compiler wrote it, and the line; `null` where the program says nothing. */
  at(pc: bigint): { readonly file: string | null; readonly line: number } | null;
  /** A file by its number in the program. */
  file(number: number): string | null;
}

/** A unit of 100,000 lines has fewer. */
const MAX_ROWS = 1_000_000;

/** Standard opcodes. */
const Opcode = {
  EXTENDED: 0,
  COPY: 1,
  ADVANCE_PC: 2,
  ADVANCE_LINE: 3,
  SET_FILE: 4,
  CONST_ADD_PC: 8,
  FIXED_ADVANCE_PC: 9,
} as const;
/** Extended opcodes. */
const Extended = { END_SEQUENCE: 1, SET_ADDRESS: 2 } as const;

/**
 * Runs a line program. A damaged one gives the rows up to the damage.
 *
 * @param bytes the program with its length in front
 * @param addressSize the unit's, for versions that do not say it
 * @returns `null` if its header cannot be read
 */
export function readLineTable(
  bytes: Uint8Array,
  shared: SharedSections,
  addressSize: 4 | 8,
): LineTable | null {
  let header: LineHeader;
  const rows = new Rows();
  try {
    header = decodeLineHeader(bytes, shared, addressSize);
  } catch (error) {
    if (error instanceof DamagedDwarfError) return null;
    throw error;
  }
  try {
    runProgram(
      new Cursor(bytes.subarray(0, header.programEnd), shared.littleEndian, header.programStart),
      header,
      rows,
    );
  } catch (error) {
    if (!(error instanceof DamagedDwarfError)) throw error;
    rows.endSequence(null);
  }
  return {
    at(pc) {
      const row = rows.at(pc);
      return row === null || row.line === 0 ? null : { file: header.files[row.file] ?? null, line: row.line };
    },
    file: (number) => header.files[number] ?? null,
  };
}

/** Rows of a program in their sequences: addresses that rise, up to an end. */
class Rows {
  readonly #addresses: bigint[] = [];
  readonly #files: number[] = [];
  readonly #lines: number[] = [];
  readonly #sequences: { readonly first: number; readonly last: number; readonly end: bigint }[] = [];
  #first = 0;

  /** Code that belongs to no line (0), as clang moves and merges it, stays with the row before it, as gdb has it. */
  add(address: bigint, file: number, line: number): void {
    if (line === 0 && this.#addresses.length > this.#first) return;
    if (this.#addresses.length >= MAX_ROWS) throw new DamagedDwarfError("too many rows");
    this.#addresses.push(address);
    this.#files.push(file);
    this.#lines.push(line);
  }

  /** @param end behind the last instruction; `null` if the program was damaged before it said so */
  endSequence(end: bigint | null): void {
    const last = this.#addresses.length - 1;
    if (last >= this.#first) {
      this.#sequences.push({ first: this.#first, last, end: end ?? this.#addresses[last]! + 1n });
    }
    this.#first = last + 1;
  }

  at(pc: bigint): { file: number; line: number } | null {
    for (const { first, last, end } of this.#sequences) {
      if (pc < this.#addresses[first]! || pc >= end) continue;
      const row = first - 1 + countUpTo(last - first + 1, (i) => this.#addresses[first + i]! <= pc);
      return { file: this.#files[row]!, line: this.#lines[row]! };
    }
    return null;
  }
}

/** The program's registers that matter here. */
interface State {
  address: bigint;
  operation: number;
  file: number;
  line: number;
}

function runProgram(cursor: Cursor, header: LineHeader, rows: Rows): void {
  const start = (): State => ({ address: 0n, operation: 0, file: 1, line: 1 });
  let state = start();
  while (cursor.left > 0) {
    const opcode = cursor.u8();
    if (opcode >= header.opcodeBase) {
      const adjusted = opcode - header.opcodeBase;
      advance(state, Math.floor(adjusted / header.lineRange), header);
      state.line += header.lineBase + adjusted % header.lineRange;
      rows.add(state.address, state.file, state.line);
    } else if (opcode !== Opcode.EXTENDED) {
      runStandard(opcode, cursor, state, header, rows);
    } else if (runExtended(cursor, state, header)) {
      rows.endSequence(state.address);
      state = start();
    }
  }
  rows.endSequence(null);
}

function advance(state: State, operations: number, header: LineHeader): void {
  const perInstruction = header.operationsPerInstruction;
  const total = state.operation + operations;
  state.address += BigInt(header.minimumInstruction * Math.floor(total / perInstruction));
  state.operation = total % perInstruction;
}

function runStandard(opcode: number, cursor: Cursor, state: State, header: LineHeader, rows: Rows): void {
  switch (opcode) {
    case Opcode.COPY:
      rows.add(state.address, state.file, state.line);
      break;
    case Opcode.ADVANCE_PC:
      advance(state, cursor.uleb(), header);
      break;
    case Opcode.ADVANCE_LINE:
      state.line += cursor.sleb();
      break;
    case Opcode.SET_FILE:
      state.file = cursor.uleb();
      break;
    case Opcode.CONST_ADD_PC:
      advance(state, Math.floor((255 - header.opcodeBase) / header.lineRange), header);
      break;
    case Opcode.FIXED_ADVANCE_PC:
      state.address += BigInt(cursor.u16());
      state.operation = 0;
      break;
    default:
      for (let i = 0; i < (header.operandCounts[opcode - 1] ?? 0); i++) cursor.ulebBig();
  }
}

/** Whether the sequence ended. */
function runExtended(cursor: Cursor, state: State, header: LineHeader): boolean {
  const length = cursor.uleb();
  const end = cursor.at + length;
  if (length === 0) return false;
  const opcode = cursor.u8();
  if (opcode === Extended.SET_ADDRESS) {
    const size = length - 1;
    state.address = cursor.unsigned(size === 4 || size === 8 ? size : header.addressSize);
    state.operation = 0;
  }
  cursor.skip(end - cursor.at);
  return opcode === Extended.END_SEQUENCE;
}
