/**
 * DWARF expressions, as far as call frame information and places of variables need them.
 *
 * @module
 */

import { Cursor, DamagedDwarfError } from "./cursor.ts";

/** What an expression may look at. */
export interface ExpressionContext {
  readonly littleEndian: boolean;
  readonly addressSize: 4 | 8;
  /** A register's value by DWARF's number; `null` if it is unknown. */
  register(number: number): bigint | null;
  /** Memory; fewer bytes or `null` if it is not there. */
  readMemory(address: bigint, length: number): Promise<Uint8Array | null>;
}

/** Longer computations are no compiler's. */
const MAX_STEPS = 10_000;
const MAX_STACK = 1024;

/** Operations by their opcodes. */
const Op = {
  ADDR: 0x03,
  DEREF: 0x06,
  CONST1U: 0x08,
  CONSTU: 0x10,
  CONSTS: 0x11,
  DUP: 0x12,
  DROP: 0x13,
  OVER: 0x14,
  PICK: 0x15,
  SWAP: 0x16,
  ROT: 0x17,
  ABS: 0x19,
  AND: 0x1a,
  DIV: 0x1b,
  MINUS: 0x1c,
  MOD: 0x1d,
  MUL: 0x1e,
  NEG: 0x1f,
  NOT: 0x20,
  OR: 0x21,
  PLUS: 0x22,
  PLUS_UCONST: 0x23,
  SHL: 0x24,
  SHR: 0x25,
  SHRA: 0x26,
  XOR: 0x27,
  BRA: 0x28,
  EQ: 0x29,
  NE: 0x2e,
  SKIP: 0x2f,
  LIT0: 0x30,
  LIT31: 0x4f,
  BREG0: 0x70,
  BREG31: 0x8f,
  BREGX: 0x92,
  DEREF_SIZE: 0x94,
  NOP: 0x96,
} as const;

/**
 * Evaluates an expression.
 *
 * @param initial what lies on the stack before
 * @returns the value on top; `null` if something is unknown, not in memory or damaged
 */
export async function evaluateExpression(
  expression: Uint8Array,
  context: ExpressionContext,
  initial: readonly bigint[] = [],
): Promise<bigint | null> {
  try {
    return await new StackMachine(expression, context, initial).run();
  } catch (error) {
    if (error instanceof DamagedDwarfError) return null;
    throw error;
  }
}

class StackMachine {
  readonly #cursor: Cursor;
  readonly #context: ExpressionContext;
  readonly #stack: bigint[];
  readonly #bits: number;

  constructor(expression: Uint8Array, context: ExpressionContext, initial: readonly bigint[]) {
    this.#cursor = new Cursor(expression, context.littleEndian);
    this.#context = context;
    this.#stack = [...initial];
    this.#bits = 8 * context.addressSize;
  }

  async run(): Promise<bigint> {
    for (let steps = 0; this.#cursor.left > 0; steps++) {
      if (steps === MAX_STEPS) throw new DamagedDwarfError("an endless expression");
      const op = this.#cursor.u8();
      if (op === Op.DEREF) await this.#dereference(this.#context.addressSize);
      else if (op === Op.DEREF_SIZE) await this.#dereference(this.#cursor.u8());
      else if (!this.#pushValue(op) && !this.#move(op)) this.#compute(op);
    }
    return this.#pop();
  }

  #push(value: bigint): void {
    if (this.#stack.length >= MAX_STACK) throw new DamagedDwarfError("a stack that grows");
    this.#stack.push(BigInt.asUintN(this.#bits, value));
  }

  #pop(): bigint {
    const value = this.#stack.pop();
    if (value === undefined) throw new DamagedDwarfError("an empty stack");
    return value;
  }

  #pick(depth: number): bigint {
    const value = this.#stack[this.#stack.length - 1 - depth];
    if (value === undefined) throw new DamagedDwarfError("an empty stack");
    return value;
  }

  async #dereference(size: number): Promise<void> {
    const bytes = await this.#context.readMemory(this.#pop(), size);
    if (bytes === null || bytes.byteLength < size) throw new DamagedDwarfError("memory that is not there");
    this.#push(new Cursor(bytes, this.#context.littleEndian).unsigned(size));
  }

  #register(number: number, offset: number): void {
    const value = this.#context.register(number);
    if (value === null) throw new DamagedDwarfError("an unknown register");
    this.#push(value + BigInt(offset));
  }

  /** Constants and registers. */
  #pushValue(op: number): boolean {
    const cursor = this.#cursor;
    if (op >= Op.LIT0 && op <= Op.LIT31) this.#push(BigInt(op - Op.LIT0));
    else if (op >= Op.BREG0 && op <= Op.BREG31) this.#register(op - Op.BREG0, cursor.sleb());
    else if (op === Op.BREGX) this.#register(cursor.uleb(), cursor.sleb());
    else if (op === Op.ADDR) this.#push(cursor.unsigned(this.#context.addressSize));
    else if (op === Op.CONSTU) this.#push(cursor.ulebBig());
    else if (op === Op.CONSTS) this.#push(cursor.slebBig());
    else if (op >= Op.CONST1U && op < Op.CONSTU) {
      const size = 1 << ((op - Op.CONST1U) >> 1);
      const value = cursor.unsigned(size);
      this.#push((op - Op.CONST1U) % 2 === 1 ? BigInt.asIntN(8 * size, value) : value);
    } else return false;
    return true;
  }

  /** What moves values on the stack, or goes elsewhere in the expression. */
  #move(op: number): boolean {
    const cursor = this.#cursor;
    switch (op) {
      case Op.NOP:
        return true;
      case Op.DUP:
        this.#push(this.#pick(0));
        return true;
      case Op.DROP:
        this.#pop();
        return true;
      case Op.OVER:
        this.#push(this.#pick(1));
        return true;
      case Op.PICK:
        this.#push(this.#pick(cursor.u8()));
        return true;
      case Op.SWAP:
      case Op.ROT: {
        const top = this.#pop();
        const rest = op === Op.SWAP ? [this.#pop()] : [this.#pop(), this.#pop()].reverse();
        for (const value of [top, ...rest]) this.#push(value);
        return true;
      }
      case Op.SKIP:
      case Op.BRA: {
        const distance = BigInt.asIntN(16, BigInt(cursor.u16()));
        if (op === Op.BRA && this.#pop() === 0n) return true;
        cursor.at += Number(distance);
        return true;
      }
      default:
        return false;
    }
  }

  #compute(op: number): void {
    const top = this.#pop();
    const signed = (value: bigint) => BigInt.asIntN(this.#bits, value);
    switch (op) {
      case Op.ABS:
        return this.#push(signed(top) < 0n ? -signed(top) : top);
      case Op.NEG:
        return this.#push(-top);
      case Op.NOT:
        return this.#push(~top);
      case Op.PLUS_UCONST:
        return this.#push(top + this.#cursor.ulebBig());
    }
    const second = this.#pop();
    if ((op === Op.DIV || op === Op.MOD) && top === 0n) throw new DamagedDwarfError("a division by 0");
    const shift = top > BigInt(this.#bits) ? BigInt(this.#bits) : top;
    switch (op) {
      case Op.AND:
        return this.#push(second & top);
      case Op.OR:
        return this.#push(second | top);
      case Op.XOR:
        return this.#push(second ^ top);
      case Op.PLUS:
        return this.#push(second + top);
      case Op.MINUS:
        return this.#push(second - top);
      case Op.MUL:
        return this.#push(second * top);
      case Op.DIV:
        return this.#push(signed(second) / signed(top));
      case Op.MOD:
        return this.#push(second % top);
      case Op.SHL:
        return this.#push(second << shift);
      case Op.SHR:
        return this.#push(second >> shift);
      case Op.SHRA:
        return this.#push(signed(second) >> shift);
    }
    if (op < Op.EQ || op > Op.NE) throw new DamagedDwarfError(`operation ${op}`);
    const [a, b] = [signed(second), signed(top)];
    // In the order of their opcodes: =, >=, >, <=, <, !=.
    const holds = [a === b, a >= b, a > b, a <= b, a < b, a !== b][op - Op.EQ];
    this.#push(holds ? 1n : 0n);
  }
}
