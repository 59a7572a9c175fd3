/**
 * riscv64: pcb, frame records, trap frames (reference kernel-symbols.md, sections 6, 8 and 9.4).
 *
 * @module
 */

import {
  type EntryKind,
  type InterruptedCode,
  type Machine,
  readStruct,
  readWords,
  type StackPlace,
} from "./machine.ts";
import type { KernelMemory } from "../kernel_memory.ts";

const FORMAT = { littleEndian: true, wordSize: 8 } as const;

const SAVED = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11"];
/** The first release whose pcb holds only what callees save. */
const SMALL_PCB_SINCE = 1300000;

const TRAP_FRAME_SIZE = 280;
const TRAP_FRAME = {
  ra: 0,
  sp: 8,
  gp: 16,
  tp: 24,
  ...consecutive(["t0", "t1", "t2", "t3", "t4", "t5", "t6"], 32),
  ...consecutive(SAVED, 88),
  ...consecutive(["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"], 184),
  pc: 248,
  sstatus: 256,
};
const FAULT_ADDRESS = 264;
const CAUSE = 272;
const FROM_SUPERVISOR = 1n << 8n;
const INTERRUPT = 1n << 63n;
const CAUSE_SYSCALL = 8;
const CAUSES: Readonly<Record<number, string>> = {
  0: "misaligned instruction address",
  1: "instruction access fault",
  2: "illegal instruction",
  3: "breakpoint",
  4: "misaligned load",
  5: "load access fault",
  6: "misaligned store",
  7: "store access fault",
  12: "instruction page fault",
  13: "load page fault",
  15: "store page fault",
};
/** Causes whose address is meaningful. */
const FAULTS = new Set([0, 1, 4, 5, 6, 7, 12, 13, 15]);

/** riscv64. */
export const riscv64: Machine = {
  format: FORMAT,
  imageHeaders: [0xffffffc000000000n],
  bareImage: 0xffffffc000000000n,
  pc: "pc",
  stackPointer: "sp",
  framePointer: "s0",
  // deno-fmt-ignore
  dwarfRegisters: [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7",
    ...SAVED.slice(2), "t3", "t4", "t5", "t6",
  ],
  // Calls may be compressed: any byte of one will do.
  callSize: 1n,
  record: { saved: -16n, returns: -8n, callerStack: 0n },
  pcbBytes: 184,
  decodePcb(pcb, { osreldate }) {
    const saved = osreldate !== null && osreldate < SMALL_PCB_SINCE ? 88 : 32;
    return readWords(pcb, FORMAT, { pc: 0, sp: 8, gp: 16, tp: 24, ...consecutive(SAVED, saved) });
  },
  pcbReturnSize: 0n,
  canonical: (address) => address,
  entryKind: (name) => /^cpu_exception_handler(?:_supervisor|_user)?$/.test(name) ? "trap" : null,
  async readTrapFrame(memory, { stackPointer }, kind) {
    if (kind === null || stackPointer === null) return null;
    const view = await readStruct(memory, stackPointer, TRAP_FRAME_SIZE);
    if (view === null) return null;
    const registers = readWords(view, FORMAT, TRAP_FRAME);
    const cause = view.getBigUint64(CAUSE, true);
    const interrupt = (cause & INTERRUPT) !== 0n;
    const number = interrupt || cause > 63n ? null : Number(cause);
    const entered: EntryKind = interrupt ? "interrupt" : number === CAUSE_SYSCALL ? "syscall" : "trap";
    return {
      address: stackPointer,
      kind: entered,
      number: entered === "trap" ? number : null,
      name: number === null || entered !== "trap" ? null : CAUSES[number] ?? null,
      faultAddress: number !== null && FAULTS.has(number) ? view.getBigUint64(FAULT_ADDRESS, true) : null,
      fromUser: (registers.get("sstatus")! & FROM_SUPERVISOR) === 0n,
      registers,
    };
  },
  callerWithoutFrame,
};

function consecutive(names: readonly string[], first: number): Record<string, number> {
  return Object.fromEntries(names.map((name, i) => [name, first + 8 * i]));
}

/** How far a function's start is searched: prologues are shorter. */
const MAX_PROLOGUE_BYTES = 4096;

/** Code that has not yet set its frame pointer, never does, has given it back already, or keeps its return address. */
async function callerWithoutFrame(
  memory: KernelMemory,
  { place, registers, functionStart, inText }: InterruptedCode,
): Promise<StackPlace | null> {
  const link = registers.get("ra");
  if (link === undefined) return null;
  if (inText) {
    const start = functionStart ?? await calledAt(memory, link);
    const length = start === null ? -1 : Number(place.pc - start);
    if (start === null || length < 0 || length > MAX_PROLOGUE_BYTES) return null;
    const code = length === 0 ? new Uint8Array(0) : await memory.read(start, length);
    const frame = code === null ? null : frameAtEnd(code);
    if (frame === null || frame.isSet && frame.savesLink) return null;
    // gcc's functions that call nothing save the frame pointer alone (section 8, rule 9).
    const saved = frame.isSet ? await memory.word(place.framePointer - 8n) : place.framePointer;
    if (saved === null) return null;
    return { ...place, pc: link, framePointer: saved };
  }
  return { ...place, pc: link };
}

/** Where the call before a return address led: jal, or auipc and jalr, of ra. */
async function calledAt(memory: KernelMemory, link: bigint): Promise<bigint | null> {
  const code = link < 8n ? null : await memory.read(link - 8n, 8);
  if (code === null) return null;
  const view = new DataView(code.buffer, code.byteOffset, 8);
  const [first, second] = [view.getInt32(0, true), view.getInt32(4, true)];
  if ((second & 0xfff) === 0xef) {
    const distance = (second >> 31) << 20 | second & 0xff000 | (second >>> 20 & 1) << 11 |
      (second >>> 21 & 0x3ff) << 1;
    return link - 4n + BigInt(distance);
  }
  const isPair = (first & 0xfff) === 0x97 && (second & 0xfffff) === 0x80e7;
  return isPair ? link - 8n + BigInt((first & ~0xfff) + (second >> 20)) : null;
}

/** What the code of a function has done when it came to its end: set its frame pointer, saved its return address. */
function frameAtEnd(code: Uint8Array): { readonly isSet: boolean; readonly savesLink: boolean } {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  let [isSet, wasSet, savesLink] = [false, false, false];
  for (let at = 0; at + 2 <= code.byteLength;) {
    const half = view.getUint16(at, true);
    // The two lowest bits tell a whole instruction from a compressed one.
    const size = (half & 3) === 3 ? 4 : 2;
    if (at + size > code.byteLength) break;
    const kind = size === 2 ? compressedKind(half) : wholeKind(view.getUint32(at, true));
    if (kind === "set-frame") isSet = wasSet = true;
    else if (kind === "restore-frame") isSet = false;
    else if (kind === "save-link") savesLink = true;
    // What follows is reached from elsewhere, where the frame was not given back.
    else if (kind === "jump") isSet = wasSet;
    at += size;
  }
  return { isSet, savesLink };
}

type Kind = "set-frame" | "restore-frame" | "save-link" | "jump" | null;

function wholeKind(instruction: number): Kind {
  // addi s0, sp, imm; ld s0, imm(sp); sd ra, imm(sp); jal, jalr, branches.
  if ((instruction & 0xfffff) === 0x10413) return "set-frame";
  if ((instruction & 0xfffff) === 0x13403) return "restore-frame";
  if ((instruction & 0x01fff07f) === 0x00113023) return "save-link";
  return [0x63, 0x67, 0x6f].includes(instruction & 0x7f) ? "jump" : null;
}

function compressedKind(half: number): Kind {
  // c.addi4spn s0; c.ldsp s0; c.sdsp ra; c.j, c.beqz, c.bnez, c.jr, c.jalr.
  if (half !== 0 && (half & 0xe01f) === 0) return "set-frame";
  if ((half & 0xef83) === 0x6402) return "restore-frame";
  if ((half & 0xe07f) === 0xe006) return "save-link";
  const [quadrant, operation] = [half & 3, half >> 13];
  const isJump = quadrant === 1 && operation >= 5 || quadrant === 2 && operation === 4 && (half & 0x7c) === 0;
  return isJump ? "jump" : null;
}
