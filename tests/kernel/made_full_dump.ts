/** Full dumps of a kernel that was made: all of memory, with the page tables in it. */

import { readElfSymbols } from "../../lib/kernel/elf_symbols.ts";
import { PAGE, pagesOf } from "./made_dump.ts";
import type { CrashedKernel } from "./made_kernel.ts";
import type { Target } from "./made_targets.ts";
import { buildElfCore } from "../kerneldump/synthetic.ts";

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
