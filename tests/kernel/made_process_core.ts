/** What gdb reads: the core of a process whose threads are those of a kernel that was made. */

import { concatenate } from "../kerneldump/synthetic/concatenate.ts";
import { ByteWriter } from "./elf_writer.ts";
import { PAGE } from "./made_dump.ts";
import type { CrashedKernel } from "./made_kernel.ts";
import type { Target } from "./made_targets.ts";

/** Where a Linux core has a thread's registers, and which of them a pcb has. */
interface CoreRegisters {
  readonly machine: number;
  readonly size: number;
  readonly tid: number;
  readonly registers: number;
  /** Number of the register in the core, by its place in the pcb. */
  readonly ofPcb: Readonly<Record<number, number>>;
  /** The stack pointer's place in the pcb, and what a return adds to it. */
  readonly stackPointer: number;
  readonly returned: bigint;
}

const CORE_REGISTERS: Readonly<Record<Target["name"], CoreRegisters>> = {
  amd64: {
    machine: 62,
    size: 336,
    tid: 32,
    registers: 112,
    ofPcb: { 0: 0, 8: 1, 16: 2, 24: 3, 32: 4, 48: 5, 56: 16, 40: 19 },
    stackPointer: 40,
    returned: 8n,
  },
  i386: {
    machine: 3,
    size: 144,
    tid: 24,
    registers: 72,
    ofPcb: { 0: 4, 4: 3, 8: 5, 12: 15, 16: 0, 20: 12 },
    stackPointer: 12,
    returned: 4n,
  },
  arm64: {
    machine: 183,
    size: 392,
    tid: 32,
    registers: 112,
    ofPcb: { ...Object.fromEntries(Array.from({ length: 11 }, (_, i) => [8 * i, 19 + i])), 88: 32, 96: 31 },
    stackPointer: 96,
    returned: 0n,
  },
  riscv64: {
    machine: 243,
    size: 376,
    tid: 32,
    registers: 112,
    ofPcb: {
      0: 0,
      8: 2,
      16: 3,
      24: 4,
      32: 8,
      40: 9,
      ...Object.fromEntries(Array.from({ length: 10 }, (_, i) => [48 + 8 * i, 18 + i])),
    },
    stackPointer: 8,
    returned: 0n,
  },
};

/** A core of a process with the same threads, as Linux writes it: what gdb reads. */
export function madeProcessCore({ made, memory, threads }: CrashedKernel): Uint8Array {
  const { name, wordSize } = made.target;
  const layout = CORE_REGISTERS[name];
  const notes = new ByteWriter();
  for (const { tid, pcb } of threads) {
    if (pcb === null) continue;
    const { address, bytes } = memory[0]!;
    const saved = new DataView(bytes.buffer, bytes.byteOffset + Number(pcb - address), 128);
    const status = new Uint8Array(layout.size);
    const view = new DataView(status.buffer);
    view.setUint32(layout.tid, tid, true);
    for (const [from, to] of Object.entries(layout.ofPcb)) {
      const at = Number(from);
      const value = wordSize === 8 ? saved.getBigUint64(at, true) : BigInt(saved.getUint32(at, true));
      const seen = at === layout.stackPointer ? value + layout.returned : value;
      if (wordSize === 8) view.setBigUint64(layout.registers + 8 * to, seen, true);
      else view.setUint32(layout.registers + 4 * to, Number(seen), true);
    }
    notes.u32(5).u32(layout.size).u32(1).string("CORE").align(4).bytes(status).align(4);
  }
  const wide = wordSize === 8;
  const segments = [{ address: 0n, bytes: notes.done(), type: 4 }, ...memory.map((m) => ({ ...m, type: 1 }))];
  const header = new ByteWriter();
  header.u8(0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1).align(16).u16(4).u16(layout.machine).u32(1);
  header.integer(wordSize, 0).integer(wordSize, wide ? 64 : 52).integer(wordSize, 0).u32(0);
  header.u16(wide ? 64 : 52).u16(wide ? 56 : 32).u16(segments.length).u16(0).u16(0).u16(0);
  const parts: Uint8Array[] = [];
  let offset = PAGE;
  for (const { address, bytes, type } of segments) {
    const size = bytes.byteLength;
    header.u32(type);
    if (wide) header.u32(7);
    for (const value of [offset, address, address, size, size]) header.integer(wordSize, value);
    if (!wide) header.u32(7);
    header.integer(wordSize, 1);
    const padded = new Uint8Array(Math.ceil(size / PAGE) * PAGE);
    padded.set(bytes);
    parts.push(padded);
    offset += padded.byteLength;
  }
  const head = new Uint8Array(PAGE);
  head.set(header.done());
  return concatenate([head, ...parts]);
}
