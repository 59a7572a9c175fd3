/**
 * i386: pcb, frame records, trap frames (reference kernel-symbols.md, sections 6, 8 and 9.2).
 *
 * @module
 */

import { type Machine, readStruct, readWords } from "./machine.ts";
import { x86CallerWithoutFrame } from "./x86_prologue.ts";
import { x86EntryKind, x86TrapName } from "./x86_traps.ts";

const FORMAT = { littleEndian: true, wordSize: 4 } as const;

const PCB = { edi: 0, esi: 4, ebp: 8, esp: 12, ebx: 16, eip: 20 };

const TRAP_FRAME_SIZE = 64;
const TRAP_FRAME = {
  edi: 12,
  esi: 16,
  ebp: 20,
  ebx: 28,
  edx: 32,
  ecx: 36,
  eax: 40,
  err: 48,
  eip: 52,
  cs: 56,
  eflags: 60,
};
const TRAP_NUMBER = 44;
/** The copy of the entry code runs above this address: returns into it mean a trap frame, by whatever name. */
const TRAMPOLINE = 0xffc00000n;
const USER_RING = 3n;
const KERNEL_CODE = 0x20n;

/** i386. */
export const i386: Machine = {
  format: FORMAT,
  imageHeaders: [0x800000n, 0xc0400000n],
  bareImage: null,
  pc: "eip",
  stackPointer: "esp",
  framePointer: "ebp",
  dwarfRegisters: ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip"],
  callSize: 1n,
  record: { saved: 0n, returns: 4n, callerStack: 8n },
  pcbBytes: 24,
  decodePcb: (pcb) => readWords(pcb, FORMAT, PCB),
  pcbReturnSize: 4n,
  canonical: (address) => address,
  entryKind: x86EntryKind,
  async readTrapFrame(memory, { pc, framePointer }, kind) {
    if (kind === null && pc < TRAMPOLINE) return null;
    // The entry code points the frame pointer at the trap frame.
    const view = await readStruct(memory, framePointer, TRAP_FRAME_SIZE);
    if (view === null) return null;
    const registers = readWords(view, FORMAT, TRAP_FRAME);
    const cs = registers.get("cs")! & 0xffffn;
    const fromUser = (cs & USER_RING) !== 0n;
    if (kind === null && !fromUser && cs !== KERNEL_CODE) return null;
    const behind = framePointer + BigInt(TRAP_FRAME_SIZE);
    const userStack = fromUser ? await memory.word(behind) : behind;
    if (userStack !== null) registers.set("esp", userStack);
    const number = kind === "trap" || kind === null && !fromUser ? view.getUint32(TRAP_NUMBER, true) : null;
    return {
      address: framePointer,
      kind: kind ?? "trap",
      number,
      name: number === null ? null : x86TrapName(number),
      // The fault address is in a register that the trap frame has not.
      faultAddress: null,
      fromUser,
      registers,
    };
  },
  callerWithoutFrame: x86CallerWithoutFrame,
};
