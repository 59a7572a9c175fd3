/**
 * Callers of interrupted amd64 and i386 code that has no frame of its own: not yet, not any more, or never (reference
 * kernel-symbols.md, section 8, rules 4 and 8).
 *
 * @module
 */

import type { KernelMemory } from "../kernel_memory.ts";
import type { InterruptedCode, StackPlace } from "./machine.ts";

const PUSH_FRAME_POINTER = 0x55;
const RETURN = 0xc3;
/** Behind `pop` or `leave` a jump leads to a function that returns in this one's place. */
const JUMPS = new Set([0xe9, 0xeb]);
const FRAME_RESTORED = new Set([0x5d, 0xc9]);
/** `mov %rsp,%rbp`, below its prefix: how compilers write it, and how assemblers may. */
const SET_FRAME_POINTER = [[0x89, 0xe5], [0x8b, 0xec]] as const;
const CALL = 0xe8;
const CALL_SIZE = 5n;
/** Bytes of calls through registers and memory, of 2 to 7 bytes: `call *%rax`, `call *8(%r12)`. */
const LONGEST_CALL = 7;

/** How far a function's start is searched: what is longer has a frame. */
const MAX_FUNCTION_BYTES = 4096;
/** A function without a frame saves no more registers and keeps little else on its stack. */
const MAX_SEARCHED_WORDS = 16;

/** The caller, if the code has no frame; `null` if it has one, or nothing tells. */
export async function x86CallerWithoutFrame(
  memory: KernelMemory,
  { place, functionStart, inText }: InterruptedCode,
): Promise<StackPlace | null> {
  const { pc, stackPointer, framePointer } = place;
  if (stackPointer === null) return null;
  const word = BigInt(memory.format.wordSize);
  const returnsFrom = async (at: bigint): Promise<StackPlace | null> => {
    const returns = await memory.word(at);
    return returns === null ? null : { pc: returns, stackPointer: at + word, framePointer };
  };
  if (!inText || pc === functionStart) return await returnsFrom(stackPointer);
  const code = await memory.read(pc, 3);
  if (code === null) return null;
  if (setsFramePointer(code, memory.format.wordSize)) return await returnsFrom(stackPointer + word);
  if (code[0] === PUSH_FRAME_POINTER || code[0] === RETURN) return await returnsFrom(stackPointer);
  if (JUMPS.has(code[0]!) && FRAME_RESTORED.has((await memory.read(pc - 1n, 1))?.[0] ?? 0)) {
    return await returnsFrom(stackPointer);
  }
  if (functionStart === null || !await mayHaveFrame(memory, functionStart, pc)) {
    return await findCall(memory, functionStart, place);
  }
  // Between the frame's end and the return the stack has the call of this function, and the frame pointer another.
  const isGone = await callee(memory, await memory.word(stackPointer)) === functionStart &&
    await callee(memory, await memory.word(framePointer + word)) !== functionStart;
  return isGone ? await returnsFrom(stackPointer) : null;
}

/** Whether the frame pointer is set between a function's start and an instruction of it. */
async function mayHaveFrame(memory: KernelMemory, start: bigint, pc: bigint): Promise<boolean> {
  const length = Number(pc - start);
  const code = length > MAX_FUNCTION_BYTES ? null : await memory.read(start, length);
  if (code === null) return true;
  for (let at = 0; at + 2 <= code.byteLength; at++) {
    if (isFrameMove(code, at)) return true;
  }
  return false;
}

/** The nearest return address behind a call of this very function; of an unknown one behind a call that starts it. */
async function findCall(
  memory: KernelMemory,
  functionStart: bigint | null,
  { pc, stackPointer, framePointer }: StackPlace,
): Promise<StackPlace | null> {
  const { wordSize } = memory.format;
  for (let i = 0; i < MAX_SEARCHED_WORDS; i++) {
    const at = stackPointer! + BigInt(i * wordSize);
    const returns = await memory.word(at);
    if (returns === null) return null;
    const start = await callee(memory, returns);
    const isIts = functionStart === null
      ? start !== null && start <= pc && !await mayHaveFrame(memory, start, pc)
      // Where a call through a pointer led to cannot be told: it counts where nothing else was saved.
      : start === functionStart || i < 2 && await isBehindCallThroughPointer(memory, returns);
    if (isIts) return { pc: returns, stackPointer: at + BigInt(wordSize), framePointer };
  }
  return null;
}

/** Where a call with a fixed target led, by its return address. */
async function callee(memory: KernelMemory, returns: bigint | null): Promise<bigint | null> {
  if (returns === null || returns < CALL_SIZE) return null;
  const call = await memory.read(returns - CALL_SIZE, Number(CALL_SIZE));
  if (call === null || call[0] !== CALL) return null;
  const distance = new DataView(call.buffer, call.byteOffset + 1, 4).getInt32(0, true);
  return BigInt.asUintN(8 * memory.format.wordSize, returns + BigInt(distance));
}

/** `ff /2`, by how many bytes its addressing takes. */
async function isBehindCallThroughPointer(memory: KernelMemory, returns: bigint): Promise<boolean> {
  for (let size = 2; size <= LONGEST_CALL && returns >= size; size++) {
    const call = await memory.read(returns - BigInt(size), size);
    const modrm = call?.[1] ?? 0;
    if (call?.[0] === 0xff && (modrm >> 3 & 7) === 2 && size === callSize(modrm, call[2])) return true;
  }
  return false;
}

function callSize(modrm: number, scaled: number | undefined): number {
  const [mode, base] = [modrm >> 6, modrm & 7];
  if (mode === 3) return 2;
  const hasScale = base === 4;
  const isAbsolute = mode === 0 && (hasScale ? (scaled ?? 0) & 7 : base) === 5;
  return 2 + (hasScale ? 1 : 0) + (isAbsolute || mode === 2 ? 4 : mode);
}

function setsFramePointer(code: Uint8Array, wordSize: 4 | 8): boolean {
  return wordSize === 8 ? code[0] === 0x48 && isFrameMove(code, 1) : isFrameMove(code, 0);
}

function isFrameMove(code: Uint8Array, at: number): boolean {
  return SET_FRAME_POINTER.some(([first, second]) => code[at] === first && code[at + 1] === second);
}
