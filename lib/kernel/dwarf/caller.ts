/**
 * Applies a row of call frame information to registers (reference kernel-symbols.md, section 10).
 *
 * @module
 */

import { Cursor } from "./cursor.ts";
import { evaluateExpression, type ExpressionContext } from "./expression.ts";
import type { FrameRow, RegisterRule } from "./frames.ts";

/** Registers by DWARF's numbers; unknown ones are absent. */
export type DwarfRegisters = ReadonlyMap<number, bigint>;

/** Memory of the dump: fewer bytes or `null` where it is not there. */
export type ReadMemory = (address: bigint, length: number) => Promise<Uint8Array | null>;

/** The frame that called. */
export interface CallerFrame {
  /** The canonical frame address: the caller's stack pointer behind the call. */
  readonly cfa: bigint;
  /** Its registers. What no rule speaks of keeps its value, which is right for those that callees save. */
  readonly registers: DwarfRegisters;
  /** Where it goes on; `null` if the row says that there is no caller. */
  readonly pc: bigint | null;
}

/**
 * Finds the caller's registers.
 *
 * @param stackPointer DWARF's number of the stack pointer (section 10.2)
 * @returns `null` if the frame cannot be computed: a register is unknown, memory is not there
 */
export async function callerFrame(
  row: FrameRow,
  registers: DwarfRegisters,
  stackPointer: number,
  readMemory: ReadMemory,
): Promise<CallerFrame | null> {
  const { littleEndian, addressSize } = row;
  const register = (number: number) => registers.get(number) ?? null;
  const context: ExpressionContext = { littleEndian, addressSize, register, readMemory };
  const cfa = await computeCfa(row, context);
  if (cfa === null) return null;
  const caller = new Map(registers);
  caller.set(stackPointer, cfa);
  for (const [number, rule] of row.rules) {
    const value = await applyRule(rule, number, cfa, context, registers.get(stackPointer) ?? null);
    if (value === null) caller.delete(number);
    else caller.set(number, value);
  }
  const ends = row.rules.get(row.returnRegister)?.kind === "undefined";
  const pc = caller.get(row.returnRegister) ?? null;
  if (pc === null && !ends) return null;
  return { cfa, registers: caller, pc };
}

async function computeCfa(
  { cfa, addressSize }: FrameRow,
  context: ExpressionContext,
): Promise<bigint | null> {
  if (cfa.kind === "expression") return await evaluateExpression(cfa.expression, context);
  const value = context.register(cfa.register);
  return value === null ? null : BigInt.asUintN(8 * addressSize, value + BigInt(cfa.offset));
}

async function applyRule(
  rule: RegisterRule,
  number: number,
  cfa: bigint,
  context: ExpressionContext,
  top: bigint | null,
): Promise<bigint | null> {
  const bits = 8 * context.addressSize;
  switch (rule.kind) {
    case "undefined":
      return null;
    case "same":
      return context.register(number);
    case "register":
      return context.register(rule.register);
    case "offset": {
      const address = BigInt.asUintN(bits, cfa + BigInt(rule.offset));
      // clang does not tell on x86 that a function gave a register back. What lies below the stack is overwritten by a trap.
      if (top !== null && address < top) return context.register(number);
      return await readWord(context, address);
    }
    case "value-offset":
      return BigInt.asUintN(bits, cfa + BigInt(rule.offset));
    case "value-expression":
      return await evaluateExpression(rule.expression, context, [cfa]);
    case "expression": {
      const address = await evaluateExpression(rule.expression, context, [cfa]);
      return address === null ? null : await readWord(context, address);
    }
  }
}

async function readWord(context: ExpressionContext, address: bigint): Promise<bigint | null> {
  const { addressSize, littleEndian } = context;
  const bytes = await context.readMemory(address, addressSize);
  if (bytes === null || bytes.byteLength < addressSize) return null;
  return new Cursor(bytes, littleEndian).unsigned(addressSize);
}
