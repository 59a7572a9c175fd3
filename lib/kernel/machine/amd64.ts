/**
 * amd64: pcb, frame records, trap frames (reference kernel-symbols.md, sections 6, 8 and 9.1).
 *
 * @module
 */

import { type Machine, readStruct, readWords } from "./machine.ts";
import { x86CallerWithoutFrame } from "./x86_prologue.ts";
import { PAGE_FAULT, x86EntryKind, x86TrapName } from "./x86_traps.ts";

const FORMAT = { littleEndian: true, wordSize: 8 } as const;

const PCB = { r15: 0, r14: 8, r13: 16, r12: 24, rbp: 32, rsp: 40, rbx: 48, rip: 56 };

const TRAP_FRAME_SIZE = 192;
const TRAP_FRAME = {
  rdi: 0,
  rsi: 8,
  rdx: 16,
  rcx: 24,
  r8: 32,
  r9: 40,
  rax: 48,
  rbx: 56,
  rbp: 64,
  r10: 72,
  r11: 80,
  r12: 88,
  r13: 96,
  r14: 104,
  r15: 112,
  err: 144,
  rip: 152,
  cs: 160,
  rflags: 168,
  rsp: 176,
  ss: 184,
};
const TRAP_NUMBER = 120;
const FAULT_ADDRESS = 128;

/** Code segments of the kernel, and of user code: 64-bit, 32-bit, ... */
const CODE_SEGMENTS = new Set([0x20n, 0x43n, 0x3bn, 0x33n, 0x23n]);
const USER_RING = 3n;
const RFLAGS_ALWAYS_SET = 2n;

/** amd64. */
export const amd64: Machine = {
  format: FORMAT,
  imageHeaders: [0xffffffff80200000n],
  bareImage: null,
  pc: "rip",
  stackPointer: "rsp",
  framePointer: "rbp",
  // deno-fmt-ignore
  dwarfRegisters: [
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
  ],
  callSize: 1n,
  record: { saved: 0n, returns: 8n, callerStack: 16n },
  pcbBytes: 64,
  decodePcb: (pcb) => readWords(pcb, FORMAT, PCB),
  pcbReturnSize: 8n,
  canonical: (address) => address,
  entryKind: x86EntryKind,
  async readTrapFrame(memory, { stackPointer, framePointer }, kind) {
    if (stackPointer === null) return null;
    const view = await readStruct(memory, stackPointer, TRAP_FRAME_SIZE);
    if (view === null) return null;
    const registers = readWords(view, FORMAT, TRAP_FRAME);
    const cs = registers.get("cs")! & 0xffffn;
    if (kind === null) {
      // The entry left the frame pointer as it was (section 9 b).
      const flags = registers.get("rflags")! & RFLAGS_ALWAYS_SET;
      if (registers.get("rbp") !== framePointer || !CODE_SEGMENTS.has(cs) || flags === 0n) return null;
    }
    const fromUser = (cs & USER_RING) !== 0n;
    // Only traps store their number; what is left there by others is stale.
    const meaningful = kind === "trap" || kind === null && !fromUser;
    const number = meaningful ? view.getUint32(TRAP_NUMBER, true) : null;
    return {
      address: stackPointer,
      kind: kind ?? "trap",
      number,
      name: number === null ? null : x86TrapName(number),
      faultAddress: number === PAGE_FAULT ? view.getBigUint64(FAULT_ADDRESS, true) : null,
      fromUser,
      registers,
    };
  },
  callerWithoutFrame: x86CallerWithoutFrame,
};
