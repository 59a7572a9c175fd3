/**
 * Call frame information: how to find a caller's registers (reference kernel-symbols.md, section 10).
 *
 * @module
 */

import { countUpTo } from "../../bytes/sorted.ts";
import { Cursor, DamagedDwarfError } from "./cursor.ts";
import {
  type CommonEntry,
  decodeCommonEntry,
  type FrameSection,
  type FunctionEntry,
  listFunctionEntries,
} from "./frame_entries.ts";

/** A row of call frame information: how a function's caller looked when the function was at an instruction. */
export interface FrameRow {
  /** The first address of the function that the row belongs to, and the one behind its last. */
  readonly start: bigint;
  readonly end: bigint;
  /** How to compute the canonical frame address: the stack pointer's value at the call. */
  readonly cfa:
    | { readonly kind: "register"; readonly register: number; readonly offset: number }
    | { readonly kind: "expression"; readonly expression: Uint8Array };
  /** By DWARF's number of a register (section 10.2). What is not here keeps its value. */
  readonly rules: ReadonlyMap<number, RegisterRule>;
  /** The register that stands for the return address. */
  readonly returnRegister: number;
  /** Whether the frame is a trap's: its return address is the interrupted instruction, not behind a call. */
  readonly isSignalFrame: boolean;
  readonly addressSize: 4 | 8;
  readonly littleEndian: boolean;
}

/** How to find a register's value in the caller. */
export type RegisterRule =
  | { readonly kind: "undefined" | "same" }
  | { readonly kind: "offset" | "value-offset"; readonly offset: number }
  | { readonly kind: "register"; readonly register: number }
  | { readonly kind: "expression" | "value-expression"; readonly expression: Uint8Array };

/** The functions that one section tells of. */
export class FrameTable {
  readonly #section: FrameSection;
  readonly #entries: readonly FunctionEntry[];
  readonly #common = new Map<number, CommonEntry | null>();

  constructor(section: FrameSection) {
    this.#section = section;
    this.#entries = listFunctionEntries(section, (offset) => this.#commonAt(offset));
  }

  /** The row of an instruction; `null` if the section does not tell. */
  rowAt(pc: bigint): FrameRow | null {
    const entry = this.#find(pc);
    const common = entry === null ? null : this.#commonAt(entry.common);
    if (entry === null || common === null) return null;
    try {
      return this.#row(entry, common, pc);
    } catch (error) {
      if (error instanceof DamagedDwarfError) return null;
      throw error;
    }
  }

  #commonAt(offset: number): CommonEntry | null {
    let common = this.#common.get(offset);
    if (common === undefined) {
      common = decodeCommonEntry(this.#section, offset);
      this.#common.set(offset, common);
    }
    return common;
  }

  #find(pc: bigint): FunctionEntry | null {
    const entry = this.#entries[countUpTo(this.#entries.length, (i) => this.#entries[i]!.start <= pc) - 1];
    return entry !== undefined && pc < entry.end ? entry : null;
  }

  #row(entry: FunctionEntry, common: CommonEntry, pc: bigint): FrameRow | null {
    const { littleEndian, bytes } = this.#section;
    const program = new FrameProgram(common, entry.start, pc);
    program.run(new Cursor(common.instructions, littleEndian));
    program.keepInitial();
    program.run(new Cursor(bytes.subarray(entry.instructionsAt, entry.instructionsEnd), littleEndian));
    const { cfa, rules } = program;
    if (cfa === null) return null;
    return {
      start: entry.start,
      end: entry.end,
      cfa,
      rules,
      returnRegister: common.returnRegister,
      isSignalFrame: common.isSignalFrame,
      addressSize: common.addressSize,
      littleEndian,
    };
  }
}

/** Instructions of call frame information. Those of the first three carry an operand in their low 6 bits. */
const Instruction = {
  ADVANCE: 0x40,
  OFFSET: 0x80,
  RESTORE: 0xc0,
  NOP: 0x00,
  SET_LOCATION: 0x01,
  ADVANCE1: 0x02,
  ADVANCE2: 0x03,
  ADVANCE4: 0x04,
  OFFSET_EXTENDED: 0x05,
  RESTORE_EXTENDED: 0x06,
  UNDEFINED: 0x07,
  SAME_VALUE: 0x08,
  REGISTER: 0x09,
  REMEMBER_STATE: 0x0a,
  RESTORE_STATE: 0x0b,
  DEFINE_CFA: 0x0c,
  DEFINE_CFA_REGISTER: 0x0d,
  DEFINE_CFA_OFFSET: 0x0e,
  DEFINE_CFA_EXPRESSION: 0x0f,
  EXPRESSION: 0x10,
  OFFSET_EXTENDED_SIGNED: 0x11,
  DEFINE_CFA_SIGNED: 0x12,
  DEFINE_CFA_OFFSET_SIGNED: 0x13,
  VALUE_OFFSET: 0x14,
  VALUE_OFFSET_SIGNED: 0x15,
  VALUE_EXPRESSION: 0x16,
  /** arm64: return addresses from here on are signed, or no longer. Their bits are stripped in any case. */
  NEGATE_RETURN_STATE: 0x2d,
  GNU_ARGUMENTS_SIZE: 0x2e,
  GNU_NEGATIVE_OFFSET_EXTENDED: 0x2f,
} as const;

/** States are remembered less often in each other in any compiler's output. */
const MAX_REMEMBERED = 256;

/** Runs instructions up to an address. */
class FrameProgram {
  cfa: FrameRow["cfa"] | null = null;
  rules = new Map<number, RegisterRule>();
  readonly #common: CommonEntry;
  readonly #pc: bigint;
  #location: bigint;
  #initial: ReadonlyMap<number, RegisterRule> = new Map();
  readonly #remembered: { cfa: FrameRow["cfa"] | null; rules: Map<number, RegisterRule> }[] = [];

  constructor(common: CommonEntry, start: bigint, pc: bigint) {
    this.#common = common;
    this.#location = start;
    this.#pc = pc;
  }

  /** From here on, restoring a register means the rules that there are now. */
  keepInitial(): void {
    this.#initial = new Map(this.rules);
  }

  run(cursor: Cursor): void {
    while (cursor.left > 0 && this.#location <= this.#pc) {
      const byte = cursor.u8();
      const operand = byte & 0x3f;
      switch (byte & 0xc0) {
        case Instruction.ADVANCE:
          this.#advance(operand);
          break;
        case Instruction.OFFSET:
          this.#offset(operand, cursor.uleb());
          break;
        case Instruction.RESTORE:
          this.#restore(operand);
          break;
        default:
          if (!this.#moveOn(operand, cursor) && !this.#cfa(operand, cursor)) this.#register(operand, cursor);
      }
    }
  }

  #advance(delta: number): void {
    this.#location += BigInt(delta) * BigInt(this.#common.codeAlignment);
  }

  #offset(register: number, factored: number): void {
    this.rules.set(register, { kind: "offset", offset: factored * this.#common.dataAlignment });
  }

  #restore(register: number): void {
    const rule = this.#initial.get(register);
    if (rule === undefined) this.rules.delete(register);
    else this.rules.set(register, rule);
  }

  /** Instructions that move on, and those of states. */
  #moveOn(instruction: number, cursor: Cursor): boolean {
    switch (instruction) {
      case Instruction.NOP:
      case Instruction.NEGATE_RETURN_STATE:
        return true;
      case Instruction.SET_LOCATION:
        this.#location = cursor.unsigned(this.#common.addressSize);
        return true;
      case Instruction.ADVANCE1:
        this.#advance(cursor.u8());
        return true;
      case Instruction.ADVANCE2:
        this.#advance(cursor.u16());
        return true;
      case Instruction.ADVANCE4:
        this.#advance(cursor.u32());
        return true;
      case Instruction.GNU_ARGUMENTS_SIZE:
        cursor.uleb();
        return true;
      case Instruction.REMEMBER_STATE:
        if (this.#remembered.length >= MAX_REMEMBERED) throw new DamagedDwarfError("too many states");
        this.#remembered.push({ cfa: this.cfa, rules: new Map(this.rules) });
        return true;
      case Instruction.RESTORE_STATE: {
        const state = this.#remembered.pop();
        if (state === undefined) throw new DamagedDwarfError("no state to restore");
        this.cfa = state.cfa;
        this.rules = state.rules;
        return true;
      }
      default:
        return false;
    }
  }

  /** Instructions that say how to compute the CFA. */
  #cfa(instruction: number, cursor: Cursor): boolean {
    const { dataAlignment } = this.#common;
    const current = this.cfa?.kind === "register" ? this.cfa : null;
    switch (instruction) {
      case Instruction.DEFINE_CFA:
        this.cfa = { kind: "register", register: cursor.uleb(), offset: cursor.uleb() };
        return true;
      case Instruction.DEFINE_CFA_SIGNED:
        this.cfa = { kind: "register", register: cursor.uleb(), offset: cursor.sleb() * dataAlignment };
        return true;
      case Instruction.DEFINE_CFA_REGISTER:
        this.cfa = { kind: "register", register: cursor.uleb(), offset: current?.offset ?? 0 };
        return true;
      case Instruction.DEFINE_CFA_OFFSET:
        this.cfa = this.#withOffset(current, cursor.uleb());
        return true;
      case Instruction.DEFINE_CFA_OFFSET_SIGNED:
        this.cfa = this.#withOffset(current, cursor.sleb() * dataAlignment);
        return true;
      case Instruction.DEFINE_CFA_EXPRESSION:
        this.cfa = { kind: "expression", expression: cursor.block(cursor.uleb()) };
        return true;
      default:
        return false;
    }
  }

  #withOffset(current: { register: number } | null, offset: number): FrameRow["cfa"] {
    if (current === null) throw new DamagedDwarfError("an offset from no register");
    return { kind: "register", register: current.register, offset };
  }

  /** Instructions that say where one register is. */
  #register(instruction: number, cursor: Cursor): void {
    const { dataAlignment } = this.#common;
    const register = cursor.uleb();
    const set = (rule: RegisterRule) => this.rules.set(register, rule);
    switch (instruction) {
      case Instruction.OFFSET_EXTENDED:
        this.#offset(register, cursor.uleb());
        break;
      case Instruction.OFFSET_EXTENDED_SIGNED:
        this.#offset(register, cursor.sleb());
        break;
      case Instruction.GNU_NEGATIVE_OFFSET_EXTENDED:
        this.#offset(register, -cursor.uleb());
        break;
      case Instruction.RESTORE_EXTENDED:
        this.#restore(register);
        break;
      case Instruction.UNDEFINED:
        set({ kind: "undefined" });
        break;
      case Instruction.SAME_VALUE:
        set({ kind: "same" });
        break;
      case Instruction.REGISTER:
        set({ kind: "register", register: cursor.uleb() });
        break;
      case Instruction.EXPRESSION:
        set({ kind: "expression", expression: cursor.block(cursor.uleb()) });
        break;
      case Instruction.VALUE_EXPRESSION:
        set({ kind: "value-expression", expression: cursor.block(cursor.uleb()) });
        break;
      case Instruction.VALUE_OFFSET:
        set({ kind: "value-offset", offset: cursor.uleb() * dataAlignment });
        break;
      case Instruction.VALUE_OFFSET_SIGNED:
        set({ kind: "value-offset", offset: cursor.sleb() * dataAlignment });
        break;
      default:
        throw new DamagedDwarfError(`call frame instruction ${instruction}`);
    }
  }
}
