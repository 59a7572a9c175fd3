/** Dumps of a kernel that was made: as the kernel writes them, and as gdb wants them. */

import { ByteWriter } from "./elf_writer.ts";
import type { CrashedKernel, Target } from "./made_kernel.ts";
import { readElfSymbols } from "../../lib/kernel/elf_symbols.ts";
import { buildElfCore, buildMessageBuffer, buildMinidump } from "../kerneldump/synthetic.ts";

const PAGE = 4096;
const FIRST_PHYSICAL = 0x100000;

/** Memory by pages, with what the boot loader left behind the kernel: its symbols. */
function pagesOf({ memory, made }: CrashedKernel): Map<bigint, Uint8Array> {
  const pages = new Map<bigint, Uint8Array>();
  const write = (address: bigint, bytes: Uint8Array) => {
    for (let done = 0; done < bytes.byteLength;) {
      const at = address + BigInt(done);
      const inside = Number(at % BigInt(PAGE));
      const page = pages.get(at - BigInt(inside)) ?? new Uint8Array(PAGE);
      pages.set(at - BigInt(inside), page);
      const part = bytes.subarray(done, done + PAGE - inside);
      page.set(part, inside);
      done += part.byteLength;
    }
  };
  for (const { address, bytes } of memory) write(address, bytes);
  const [{ address, bytes }] = memory as [{ address: bigint; bytes: Uint8Array }];
  const { wordSize } = made.target;
  const behind = new ByteWriter();
  for (const name of [".symtab", ".strtab"]) {
    const { offset, size } = made.elf.section(name)!;
    behind.integer(wordSize, size).bytes(made.full.subarray(offset, offset + size)).align(wordSize);
  }
  write(address + BigInt(Math.ceil(bytes.byteLength / wordSize) * wordSize), behind.done());
  return pages;
}

/** Physical addresses, in no order that the virtual ones have. */
function physicalOf(pages: ReadonlyMap<bigint, Uint8Array>): Map<bigint, number> {
  const count = pages.size;
  return new Map([...pages.keys()].map((address, i) => [
    address,
    FIRST_PHYSICAL + (i % 2 === 0 ? i : count - i - count % 2) * PAGE,
  ]));
}

/** The minidump of a kernel that crashed. */
export function madeMinidump(crashed: CrashedKernel): Uint8Array<ArrayBuffer> {
  const pages = pagesOf(crashed);
  const physical = physicalOf(pages);
  const { tables, more, ...fields } = PAGE_TABLES[crashed.made.target.name](physical);
  const dumped: Record<number, Uint8Array> = { ...more };
  for (const [address, bytes] of pages) dumped[physical.get(address)!] = bytes;
  const architecture = crashed.made.target.name === "riscv64" ? "riscv" : crashed.made.target.name;
  return buildMinidump({
    architecture,
    ranges: [[FIRST_PHYSICAL, FIRST_PHYSICAL + 2 * pages.size * PAGE + PAGE]],
    pages: dumped,
    pageTables: tables,
    messageBuffer: buildMessageBuffer({ text: "<6>made\n", architecture }),
    ...fields,
  });
}

interface WrittenTables {
  readonly tables: Uint8Array;
  readonly more: Readonly<Record<number, Uint8Array>>;
  readonly kernelBase: bigint;
}

/** Entries of one size, by page from a base on. */
function flatTables(
  kernelBase: bigint,
  entrySize: 4 | 8,
  entry: (physical: number) => bigint,
): (physical: ReadonlyMap<bigint, number>) => WrittenTables {
  return (physical) => {
    const entries = [...physical].map(([address, at]) =>
      [Number((address - kernelBase) / 4096n), at] as const
    );
    const tables = new Uint8Array((Math.max(...entries.map(([i]) => i)) + 1) * entrySize);
    const view = new DataView(tables.buffer);
    for (const [i, at] of entries) {
      if (entrySize === 8) view.setBigUint64(i * 8, entry(at), true);
      else view.setUint32(i * 4, Number(entry(at)), true);
    }
    return { tables, more: {}, kernelBase };
  };
}

const PAGE_TABLES: Readonly<
  Record<Target["name"], (physical: ReadonlyMap<bigint, number>) => WrittenTables>
> = {
  amd64(physical) {
    const kernelBase = 0xffffffff80000000n;
    const directory = new BigUint64Array(PAGE / 8);
    const more: Record<number, Uint8Array> = {};
    let free = FIRST_PHYSICAL + physical.size * PAGE;
    const tableOf = new Map<number, BigUint64Array>();
    for (const [address, at] of physical) {
      const index = Number((address - kernelBase) >> 21n);
      let table = tableOf.get(index);
      if (table === undefined) {
        table = new BigUint64Array(PAGE / 8);
        tableOf.set(index, table);
        directory[index] = BigInt(free) | 3n;
        more[free] = new Uint8Array(table.buffer);
        free += PAGE;
      }
      table[Number(address >> 12n & 511n)] = BigInt(at) | 3n;
    }
    return { tables: new Uint8Array(directory.buffer), more, kernelBase };
  },
  i386: flatTables(0x800000n, 4, (at) => BigInt(at) | 3n),
  arm64: flatTables(0xffff000000000000n, 8, (at) => BigInt(at) | 3n),
  riscv64: flatTables(0xffffffc000000000n, 8, (at) => BigInt(at) >> 2n | 0xfn),
};

/** A table of page tables as a machine has them. */
interface WrittenLevels {
  readonly entrySize: 4 | 8;
  /** From the root on: shift of an address, and bits that the level decides. */
  readonly levels: readonly (readonly [shift: number, bits: number])[];
  readonly machine: number;
  /** The symbol of the root: a variable with its physical address, or the table itself. */
  readonly root: string;
  table(physical: bigint): bigint;
  page(physical: bigint): bigint;
}

const X86_ENTRY = (physical: bigint) => physical | 0x63n;
const FULL_DUMPS: Readonly<Record<string, WrittenLevels>> = {
  amd64: {
    entrySize: 8,
    levels: [[39, 9], [30, 9], [21, 9], [12, 9]],
    machine: 62,
    root: "KPML4phys",
    table: X86_ENTRY,
    page: X86_ENTRY,
  },
  i386: {
    entrySize: 4,
    levels: [[22, 10], [12, 10]],
    machine: 3,
    root: "IdlePTD",
    table: X86_ENTRY,
    page: X86_ENTRY,
  },
  "i386 with PAE": {
    entrySize: 8,
    levels: [[30, 2], [21, 9], [12, 9]],
    machine: 3,
    root: "IdlePDPT",
    table: (physical) => physical | 1n,
    page: X86_ENTRY,
  },
  riscv64: {
    entrySize: 8,
    levels: [[30, 9], [21, 9], [12, 9]],
    machine: 243,
    root: "pagetable_l1",
    table: (physical) => physical >> 2n | 1n,
    page: (physical) => physical >> 2n | 0xcfn,
  },
};

/** Kinds of full dumps that can be made of a machine's kernel. */
export function fullDumpKinds({ name }: Target): string[] {
  return Object.keys(FULL_DUMPS).filter((kind) => kind.split(" ")[0] === name);
}

/** Where the kernel's image is loaded, where a copy without page tables lies, tables, and all else: in this order. */
const STALE_AT = 0x400000;
const TABLES_AT = 0x500000;
const OTHERS_AT = 0x580000;
const IMAGE_AT = 0x800000;
const MEMORY_END = 0xa00000;

/** The full dump of a kernel that crashed. */
export async function madeFullDump(crashed: CrashedKernel, kind: string): Promise<Uint8Array<ArrayBuffer>> {
  const { target, elf, moduleAddress } = crashed.made;
  const { entrySize, levels, machine, root: rootName, table, page } = FULL_DUMPS[kind]!;
  const memory = new Uint8Array(MEMORY_END);
  const view = new DataView(memory.buffer);
  const pages = pagesOf(crashed);
  const physical = new Map<bigint, number>();
  let others = OTHERS_AT;
  for (const [address, bytes] of pages) {
    const isModule = address >= moduleAddress;
    // The module's pages lie the wrong way round: what is not translated is not found.
    const at = isModule ? others += PAGE : IMAGE_AT + Number(address - target.high);
    physical.set(address, at);
    memory.set(bytes, at);
  }
  memory.set(memory.subarray(IMAGE_AT, IMAGE_AT + PAGE), STALE_AT);
  const place = (await readElfSymbols(elf, elf.section(".symtab")!)).find(({ name }) => name === rootName)!;
  const rootVariable = IMAGE_AT + Number(place.value - target.high);
  let free = TABLES_AT;
  const isTable = rootName === "pagetable_l1";
  const root = isTable ? rootVariable : free;
  if (!isTable) {
    free += PAGE;
    if (target.wordSize === 8) view.setBigUint64(rootVariable, BigInt(root), true);
    else view.setUint32(rootVariable, root, true);
  }
  const read = (at: number) =>
    entrySize === 8 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
  const write = (at: number, entry: bigint) =>
    entrySize === 8 ? view.setBigUint64(at, entry, true) : view.setUint32(at, Number(entry), true);
  const tableOf = new Map<number, number>();
  for (const [address, at] of physical) {
    let current = root;
    for (const [i, [shift, bits]] of levels.entries()) {
      const index = Number(address >> BigInt(shift) & (1n << BigInt(bits)) - 1n);
      const entryAt = current + index * entrySize;
      if (i === levels.length - 1) write(entryAt, page(BigInt(at)));
      else {
        if (read(entryAt) === 0n) {
          write(entryAt, table(BigInt(free)));
          tableOf.set(entryAt, free);
          free += PAGE;
        }
        current = tableOf.get(entryAt)!;
      }
    }
  }
  return buildElfCore({
    bits: target.wordSize === 8 ? 64 : 32,
    machine,
    segments: [
      { address: 0n, contents: memory.subarray(0, 0x9f000) },
      { address: 0x100000n, contents: memory.subarray(0x100000) },
    ],
  });
}

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
  return new Uint8Array([head, ...parts].flatMap((part) => [...part]));
}
