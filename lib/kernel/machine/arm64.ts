/**
 * arm64: pcb, frame records, trap frames (reference kernel-symbols.md, sections 6, 8 and 9.3).
 *
 * @module
 */

import type { KernelMemory } from "../kernel_memory.ts";
import {
  type EntryKind,
  type InterruptedCode,
  type Machine,
  readStruct,
  readWords,
  type ReleaseFacts,
  type StackPlace,
} from "./machine.ts";

const FORMAT = { littleEndian: true, wordSize: 8 } as const;

/** The first `__FreeBSD_version` whose pcb holds only what callees save. */
const SMALL_PCB_SINCE = 1400084;
const OLD_PCB_SIZE = 1376;
const OLD_TRAP_FRAME_SIZE = 272;
const NEW_TRAP_FRAME_SIZE = 288;

const OLD_PCB = { ...general(19, 29, (n) => 8 * n), pc: 240, sp: 256 };
const NEW_PCB = { ...general(19, 29, (n) => 8 * (n - 19)), pc: 88, sp: 96 };

const CLASS_SVC = 0x15;
const CLASSES: Readonly<Record<number, string>> = {
  0x00: "unknown reason",
  0x0e: "illegal execution state",
  0x15: "system call",
  0x20: "instruction abort from user mode",
  0x21: "instruction abort in the kernel",
  0x22: "misaligned program counter",
  0x24: "data abort from user mode",
  0x25: "data abort in the kernel",
  0x26: "misaligned stack pointer",
  0x2f: "SError",
  0x3c: "breakpoint instruction",
};
/** Aborts: their address is meaningful. */
const ABORTS = new Set([0x20, 0x21, 0x24, 0x25]);
const ENTRY = /^handle_(?:el(?:1h|0)_(?:sync|(irq|fiq)|serror)|serror|empty_exception)$/;

/** arm64. */
export const arm64: Machine = {
  format: FORMAT,
  imageHeaders: [0xffff000000000000n],
  bareImage: null,
  pc: "pc",
  stackPointer: "sp",
  framePointer: "x29",
  dwarfRegisters: [...Array.from({ length: 31 }, (_, n) => `x${n}`), "sp"],
  callSize: 4n,
  record: { saved: 0n, returns: 8n, callerStack: 16n },
  pcbBytes: 264,
  decodePcb: (pcb, facts) => readWords(pcb, FORMAT, hasOldPcb(facts) ? OLD_PCB : NEW_PCB),
  pcbReturnSize: 0n,
  canonical,
  entryKind(name) {
    const match = ENTRY.exec(name);
    return match === null ? null : match[1] === undefined ? "trap" : "interrupt";
  },
  async readTrapFrame(memory, { framePointer }, kind, facts) {
    if (kind === null) return null;
    const size = facts.trapFrameSize ?? (hasOldPcb(facts) ? OLD_TRAP_FRAME_SIZE : NEW_TRAP_FRAME_SIZE);
    const address = framePointer - BigInt(size);
    if (address < 0n) return null;
    const view = await readStruct(memory, address, size);
    return view === null ? null : decodeTrapFrame(view, address, kind);
  },
  callerWithoutFrame,
};

function decodeTrapFrame(view: DataView, address: bigint, entry: EntryKind) {
  const wide = view.byteLength >= NEW_TRAP_FRAME_SIZE;
  const base = wide ? 48 : 32;
  const registers = readWords(view, FORMAT, {
    ...general(0, 29, (n) => base + 8 * n),
    sp: 0,
    x30: 8,
    pc: 16,
  });
  const spsr = BigInt(view.getUint32(24, true));
  const esr = view.getUint32(wide ? 32 : 28, true);
  registers.set("spsr", spsr);
  const number = entry === "trap" ? esr >>> 26 : null;
  if (number !== null) registers.set("esr", BigInt(esr));
  const fromUser = (spsr & 15n) === 0n;
  const kind: EntryKind = number === CLASS_SVC ? "syscall" : entry;
  return {
    address,
    kind,
    number: kind === "trap" ? number : null,
    name: number === null || kind !== "trap" ? null : CLASSES[number] ?? null,
    faultAddress: wide && number !== null && ABORTS.has(number) ? view.getBigUint64(40, true) : null,
    fromUser,
    registers,
  };
}

function hasOldPcb({ osreldate, pcbSize }: ReleaseFacts): boolean {
  return osreldate === null ? pcbSize === OLD_PCB_SIZE : osreldate < SMALL_PCB_SINCE;
}

/** Offsets of general registers. */
function general(first: number, last: number, at: (number: number) => number): Record<string, number> {
  const names = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return Object.fromEntries(names.map((n) => [`x${n}`, at(n)]));
}

/** Strips a pointer's authentication: bit 55 tells the half of the address space. */
function canonical(address: bigint): bigint {
  const low = address & 0x0000ffffffffffffn;
  return (address >> 55n & 1n) === 1n ? low | 0xffff000000000000n : low;
}

/** How far a function's start is searched: prologues are shorter. */
const MAX_PROLOGUE_BYTES = 4096;

/** Code that has not yet set its frame pointer, never does, or has given it back already. */
async function callerWithoutFrame(
  memory: KernelMemory,
  { place, registers, functionStart, inText }: InterruptedCode,
): Promise<StackPlace | null> {
  const link = registers.get("x30");
  if (link === undefined) return null;
  if (inText) {
    const start = functionStart ?? await calledAt(memory, canonical(link));
    const length = start === null ? -1 : Number(place.pc - start);
    if (start === null || length < 0 || length > MAX_PROLOGUE_BYTES) return null;
    const code = length === 0 ? new Uint8Array(0) : await memory.read(start, length);
    if (code === null || (findFrameSize(code) !== null && !endsBehindFrame(code))) return null;
  }
  return { ...place, pc: canonical(link) };
}

/** Where the call before a return address led: bl. */
async function calledAt(memory: KernelMemory, link: bigint): Promise<bigint | null> {
  const code = link < 4n ? null : await memory.read(link - 4n, 4);
  if (code === null) return null;
  const call = new DataView(code.buffer, code.byteOffset, 4).getInt32(0, true);
  return call >>> 26 === 0x25 ? link - 4n + BigInt(call << 6 >> 4) : null;
}

/** Whether the last instructions gave back frame pointer and return address, and did not leave yet. */
function endsBehindFrame(code: Uint8Array): boolean {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  for (let at = code.byteLength - 4; at >= 0; at -= 4) {
    const instruction = view.getUint32(at, true);
    // ldp x29, x30, [sp, ...], with and without moving sp.
    if (((instruction & 0xfe407fff) >>> 0) === 0xa8407bfd) return true;
    const isHint = instruction >>> 12 === 0xd5032;
    if ((instruction >>> 26 & 7) === 5 && !isHint) return false;
  }
  return false;
}

/** The immediate of the first `add x29, sp, #imm` of some code: in entries the size of their trap frame. */
export function findFrameSize(code: Uint8Array): number | null {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  for (let at = 0; at + 4 <= code.byteLength; at += 4) {
    const instruction = view.getUint32(at, true);
    if (((instruction & 0xffc003ff) >>> 0) === 0x910003fd) return instruction >>> 10 & 0xfff;
  }
  return null;
}
