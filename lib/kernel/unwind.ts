/**
 * From a thread's registers to its stack: call by call, through traps, interrupts and system calls (reference
 * kernel-symbols.md, sections 8 to 10). Nothing is invented: what is not known ends the list, and it says why.
 *
 * @module
 */

import { callerFrame } from "./dwarf/caller.ts";
import type { FrameRow } from "./dwarf/frames.ts";
import type { KernelMemory } from "./kernel_memory.ts";
import type { CodePlace, LoadedCode } from "./loaded_code.ts";
import type { Machine, Registers, ReleaseFacts, StackPlace, TrapFrame } from "./machine/machine.ts";

/** Why a list of frames ends. */
export type StackEnd =
  | "user-mode"
  | "thread-start"
  | "stack-not-in-dump"
  | "return-address-0"
  | "frame-pointer-0"
  | "trap-frame-not-in-dump"
  | "loop"
  | "limit";

/** A frame of a stack. */
export interface Frame {
  readonly pc: bigint;
  /** What to look up: the call before a return address, else `pc`. */
  readonly lookUp: bigint;
  readonly place: CodePlace | null;
  /** The registers of the code that was interrupted, if this is an entry into the kernel. */
  readonly trap: TrapFrame | null;
}

/** A stack, the innermost frame first. */
export interface Stack {
  readonly frames: readonly Frame[];
  readonly end: StackEnd;
}

/** What unwinding needs to know. */
export interface Unwinding {
  readonly memory: KernelMemory;
  readonly machine: Machine;
  readonly facts: ReleaseFacts;
  readonly code: LoadedCode;
}

const MAX_FRAMES = 500;
/** Where threads begin: nothing called it. */
const THREAD_STARTS = new Set(["fork_trampoline", "fork_trampoline_kthread"]);
/** Assembler's labels have no size: what is further away is something else. */
const MAX_START_BYTES = 256;

/** Where the walk is. */
interface State extends StackPlace {
  /** Whether `pc` is the instruction itself, not what a call returns to. */
  readonly exact: boolean;
  readonly registers: Registers;
  /** Whether this code was interrupted, so that it may have no frame yet. */
  readonly interrupted: boolean;
}

type Step = State | StackEnd;

/**
 * Unwinds a thread's stack.
 *
 * @param registers as its pcb has them
 */
export async function unwind(context: Unwinding, registers: Registers): Promise<Stack> {
  const frames: Frame[] = [];
  const seen = new Set<string>();
  let state = stateOf(context.machine, afterReturn(context.machine, registers), false);
  while (frames.length < MAX_FRAMES) {
    const key = `${state.pc} ${state.stackPointer} ${state.framePointer}`;
    if (seen.has(key)) return { frames, end: "loop" };
    seen.add(key);
    const lookUp = state.exact ? state.pc : state.pc - context.machine.callSize;
    const place = context.code.at(lookUp);
    const name = place?.symbol?.name ?? "";
    const starts = THREAD_STARTS.has(name) && place!.offset! < MAX_START_BYTES &&
      place!.object === context.code.objects[0];
    const trap = state.exact ? null : await findTrap(context, state, place);
    frames.push({ pc: state.pc, lookUp, place: atPc(place, state.pc), trap: trap?.frame ?? null });
    if (starts) return { frames, end: "thread-start" };
    if (trap !== null && trap.frame === null) return { frames, end: "trap-frame-not-in-dump" };
    if (trap?.frame?.fromUser) return { frames, end: "user-mode" };
    const next: Step = trap?.frame
      ? stateOf(context.machine, trap.frame.registers, true)
      : await step(context, state, lookUp, place);
    if (typeof next === "string") return { frames, end: next };
    state = next;
  }
  return { frames, end: "limit" };
}

/** An offset is told from the address itself, though the call before it was looked up. */
function atPc(place: CodePlace | null, pc: bigint): CodePlace | null {
  if (place?.symbol === undefined) return place;
  return { ...place, offset: Number(pc - place.symbol.address) };
}

function afterReturn({ stackPointer, pcbReturnSize }: Machine, registers: Registers): Registers {
  const saved = registers.get(stackPointer);
  return saved === undefined ? registers : new Map(registers).set(stackPointer, saved + pcbReturnSize);
}

function stateOf(machine: Machine, registers: Registers, interrupted: boolean): State {
  return {
    pc: registers.get(machine.pc) ?? 0n,
    stackPointer: registers.get(machine.stackPointer) ?? null,
    framePointer: registers.get(machine.framePointer) ?? 0n,
    exact: true,
    registers,
    interrupted,
  };
}

/** An entry by its name must have a trap frame; without a name what looks like one counts. */
async function findTrap(
  { memory, machine, facts, code }: Unwinding,
  state: State,
  place: CodePlace | null,
): Promise<{ readonly frame: TrapFrame | null } | null> {
  const inKernel = place !== null && place.object === code.objects[0];
  const kind = inKernel && place.symbol !== undefined ? machine.entryKind(place.symbol.name) : null;
  const frame = await machine.readTrapFrame(memory, state, kind, facts);
  return frame === null && kind === null ? null : { frame };
}

async function step(
  context: Unwinding,
  state: State,
  lookUp: bigint,
  place: CodePlace | null,
): Promise<Step> {
  const row = await place?.object.debug?.frameRow(lookUp) ?? null;
  const byRules = () => row === null ? null : stepByRules(context, state, row);
  const withoutFrame = () => state.interrupted ? stepWithoutFrame(context, state, place) : null;
  // clang's rules for arm64 and riscv64 do not tell of the end of a function: whether a frame is still there, its code says.
  const ways = row !== null && isFromFramePointer(row, context.machine)
    ? [withoutFrame, byRules]
    : [byRules, withoutFrame];
  for (const way of ways) {
    const next = await way();
    if (next !== null) return next;
  }
  return await stepByFramePointer(context, state);
}

function isFromFramePointer({ cfa }: FrameRow, { dwarfRegisters, framePointer }: Machine): boolean {
  return cfa.kind === "register" && dwarfRegisters[cfa.register] === framePointer;
}

/** Code that was interrupted where it has no frame: not yet, not any more, or never. */
async function stepWithoutFrame(
  context: Unwinding,
  state: State,
  place: CodePlace | null,
): Promise<Step | null> {
  const { memory, machine } = context;
  const caller = await machine.callerWithoutFrame(memory, {
    place: state,
    registers: state.registers,
    functionStart: place?.symbol?.address ?? null,
    inText: await isText(context, state.pc, place),
  });
  if (caller === null) return null;
  return caller.pc === 0n ? "return-address-0" : called(machine, caller);
}

/** Code is in a module or the kernel; a call of NULL or of freed memory leads elsewhere. */
async function isText({ memory, code }: Unwinding, pc: bigint, place: CodePlace | null): Promise<boolean> {
  if (await memory.read(pc, 1) === null) return false;
  const kernel = code.objects[0];
  return place !== null || kernel === undefined;
}

function called(machine: Machine, place: StackPlace): State {
  const registers = new Map([[machine.framePointer, place.framePointer]]);
  if (place.stackPointer !== null) registers.set(machine.stackPointer, place.stackPointer);
  return { ...place, exact: false, registers, interrupted: false };
}

/** By call frame information, where a debug file has it. */
async function stepByRules(
  { memory, machine }: Unwinding,
  state: State,
  row: FrameRow,
): Promise<Step | null> {
  const numbers = machine.dwarfRegisters;
  const registers = new Map(numbers.flatMap((name, i) => {
    const value = state.registers.get(name);
    return value === undefined ? [] : [[i, value] as const];
  }));
  const read = (address: bigint, length: number) => memory.read(address, length);
  const caller = await callerFrame(row, registers, numbers.indexOf(machine.stackPointer), read);
  if (caller === null) return null;
  if (caller.pc === null) return "thread-start";
  if (caller.pc === 0n) return "return-address-0";
  const named = new Map([...caller.registers].flatMap(([number, value]) => {
    const name = numbers[number];
    return name === undefined || name === machine.pc ? [] : [[name, value] as const];
  }));
  return {
    pc: machine.canonical(caller.pc),
    stackPointer: caller.cfa,
    framePointer: named.get(machine.framePointer) ?? 0n,
    exact: row.isSignalFrame,
    registers: named,
    interrupted: row.isSignalFrame,
  };
}

async function stepByFramePointer({ memory, machine }: Unwinding, state: State): Promise<Step> {
  const { framePointer } = state;
  const { record, format } = machine;
  if (framePointer === 0n) return "frame-pointer-0";
  if (framePointer % BigInt(format.wordSize) !== 0n || framePointer < 16n) return "stack-not-in-dump";
  const saved = await memory.word(framePointer + record.saved);
  const returns = await memory.word(framePointer + record.returns);
  if (saved === null || returns === null) return "stack-not-in-dump";
  if (returns === 0n) return "return-address-0";
  return called(machine, {
    pc: machine.canonical(returns),
    stackPointer: framePointer + record.callerStack,
    framePointer: saved,
  });
}
