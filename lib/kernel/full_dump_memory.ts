/**
 * The virtual memory of a full dump. It holds the machine's physical memory as it was; where the page tables begin is
 * in a variable of the kernel, whose image has to be found first (reference kernel-symbols.md, section 2.2, and
 * kernel-dump-formats.md, section 5).
 *
 * @module
 */

import { type Memory, missingPiece, pagewise } from "../kerneldump/memory.ts";
import {
  AMD64_TABLES,
  I386_PAE_TABLES,
  I386_TABLES,
  type PageTables,
  RISCV64_TABLES,
  walkPageTables,
} from "../kerneldump/page_tables.ts";
import { readDumpSymbols } from "./dump_symbols.ts";
import { type CodeFile, readFileSymbols } from "./kernel_files.ts";
import { KernelMemory } from "./kernel_memory.ts";
import { amd64 } from "./machine/amd64.ts";
import { i386 } from "./machine/i386.ts";
import type { Machine } from "./machine/machine.ts";
import { riscv64 } from "./machine/riscv64.ts";
import { SymbolTable } from "./symbol_table.ts";

/** Where page tables begin, by the kernel's symbols. */
interface Root {
  readonly symbol: string;
  readonly tables: PageTables;
  /** Whether the symbol is the table itself; else it holds the table's physical address. */
  readonly isTable: boolean;
}

const ROOTS: ReadonlyMap<Machine, readonly Root[]> = new Map([
  [amd64, [{ symbol: "KPML4phys", tables: AMD64_TABLES, isTable: false }]],
  [i386, [
    { symbol: "IdlePDPT", tables: I386_PAE_TABLES, isTable: false },
    { symbol: "IdlePTD", tables: I386_TABLES, isTable: false },
  ]],
  [riscv64, [{ symbol: "pagetable_l1", tables: RISCV64_TABLES, isTable: true }]],
]);

/** Kernels are loaded at multiples of this. */
const IMAGE_ALIGNMENT = 2n ** 21n;
/** Kernels, with what the boot loader puts behind them, are smaller. */
const IMAGE_BYTES = 2n ** 28n;
/** Places that are looked at: those of 256 GiB. */
const MAX_PLACES = 131_072;
/** What is compared of the kernel's text. */
const SAMPLE_BYTES = 64;
const PAGE_SIZE = 4096;

/** A place where the kernel's image may lie. */
interface Image {
  readonly virtual: bigint;
  readonly physical: bigint;
}

/**
 * The memory of a dump with its virtual addresses: a full dump's through its page tables, another's as it is.
 *
 * @param kernel the kernel's file; `null` to find the kernel by what is in the dump
 * @returns the same memory if no page tables are found
 */
export async function withPageTables(
  memory: Memory,
  machine: Machine,
  kernel: CodeFile | null,
): Promise<Memory> {
  const roots = ROOTS.get(machine);
  if (memory.untranslated === undefined || roots === undefined) return memory;
  const symbols = kernel === null ? null : await readFileSymbols(kernel);
  const candidates = symbols === null ? headersIn(memory, machine) : textsIn(memory, kernel!);
  for await (const image of candidates) {
    const found = await mappedFrom({ memory, machine, roots, symbols }, image);
    if (found !== null) return found;
  }
  return memory;
}

/** Places where an ELF header says that the kernel begins. */
async function* headersIn(memory: Memory, { imageHeaders }: Machine): AsyncGenerator<Image> {
  for await (const physical of placesOf(memory, 0n, ELF_MAGIC)) {
    for (const virtual of imageHeaders) yield { virtual, physical };
  }
}

const ELF_MAGIC = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);

/** Places where the text of the kernel's file lies. */
async function* textsIn(memory: Memory, { file }: CodeFile): AsyncGenerator<Image> {
  const text = file.section(".text");
  const first = file.segments.filter((s) => s.type === LOAD).reduce<bigint | null>(
    (low, { virtualAddress }) => low === null || virtualAddress < low ? virtualAddress : low,
    null,
  );
  if (text === null || first === null) return;
  const virtual = first - first % IMAGE_ALIGNMENT;
  const sample = await file.readVirtual(text.address, SAMPLE_BYTES);
  if (sample.byteLength < SAMPLE_BYTES) return;
  for await (const physical of placesOf(memory, text.address - virtual, sample)) yield { virtual, physical };
}

const LOAD = 1;

/** Where an image could begin that has some bytes inside. */
async function* placesOf(memory: Memory, inside: bigint, sample: Uint8Array): AsyncGenerator<bigint> {
  let left = MAX_PLACES;
  for (const { start, end } of memory.untranslated ?? []) {
    let at = (start + IMAGE_ALIGNMENT - 1n) / IMAGE_ALIGNMENT * IMAGE_ALIGNMENT;
    for (; at < end && left-- > 0; at += IMAGE_ALIGNMENT) {
      const found = await readPhysical(memory, at + inside, sample.byteLength);
      // What lies further on is missing too: the range ends here, or the file does.
      if (found === null) break;
      if (sample.every((byte, i) => byte === found[i])) yield at;
    }
  }
}

/** The memory through the page tables of a kernel that lies there; `null` if they do not lead back to it. */
async function mappedFrom(
  { memory, machine, roots, symbols }: {
    memory: Memory;
    machine: Machine;
    roots: readonly Root[];
    symbols: SymbolTable | null;
  },
  image: Image,
): Promise<Memory | null> {
  const kernel = new KernelMemory(imageMemory(memory, image), machine.format);
  const dumped = symbols === null
    ? await readDumpSymbols(kernel, { imageHeaders: [image.virtual], bareImage: null })
    : null;
  const names = symbols ?? (dumped === null ? null : new SymbolTable(dumped.symbols, dumped.complete));
  for (const { symbol, tables, isTable } of roots) {
    const place = names?.find(symbol) ?? null;
    if (place === null) continue;
    const root = isTable ? place.address - image.virtual + image.physical : await kernel.word(place.address);
    if (root === null || root === 0n) continue;
    const mapped = tableMemory(memory, machine, tables, root);
    if (await mapped.translate(image.virtual) === image.physical) return mapped.memory;
  }
  return null;
}

/** The kernel's image: its physical addresses follow each other as its virtual ones do. */
function imageMemory(memory: Memory, { virtual, physical }: Image): Memory {
  return {
    ...memory,
    async *readVirtual(address, length) {
      const inside = address - virtual;
      if (inside < 0n || inside >= IMAGE_BYTES) {
        yield missingPiece(address, null, length, "it is not in the kernel");
      } else yield* memory.readPhysical(physical + inside, length);
    },
  };
}

function tableMemory(memory: Memory, { format }: Machine, tables: PageTables, root: bigint) {
  const readEntry = async (physical: bigint): Promise<bigint | null> => {
    const bytes = await readPhysical(memory, physical, tables.entrySize);
    if (bytes === null) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset, tables.entrySize);
    return tables.entrySize === 8
      ? view.getBigUint64(0, format.littleEndian)
      : BigInt(view.getUint32(0, format.littleEndian));
  };
  const translate = (address: bigint) => walkPageTables(tables, root, address, readEntry);
  const mapped: Memory = {
    addressBits: memory.addressBits,
    readPhysical: memory.readPhysical.bind(memory),
    async *readVirtual(address, length) {
      for (const [at, size] of pagewise(address, length, PAGE_SIZE)) {
        const physical = await translate(at);
        if (physical === null) {
          yield missingPiece(at, null, size, "the page tables of the full dump map nothing here");
          continue;
        }
        let done = 0n;
        for await (const piece of memory.readPhysical(physical, size)) {
          yield { ...piece, address: at + done, physicalAddress: physical + done };
          done += BigInt(piece.length);
        }
      }
    },
  };
  return { memory: mapped, translate };
}

async function readPhysical(memory: Memory, address: bigint, length: number): Promise<Uint8Array | null> {
  for await (const { bytes } of memory.readPhysical(address, length)) {
    return bytes !== null && bytes.byteLength === length ? bytes : null;
  }
  return null;
}
