/**
 * From a kernel virtual address to a physical one, by what a minidump itself holds: its direct map and its page
 * tables. No symbols are needed (reference kernel-dump-formats.md, section 3.5).
 *
 * @module
 */

import { type Minidump, minidumpLayout } from "./minidump.ts";
import type { PageMap } from "./page_map.ts";
import { type Entry, pageTableFormat } from "./page_table.ts";
import type { ReadAt } from "../../bytes/source.ts";

/** Where a virtual address leads. */
export type Translation =
  | {
    readonly kind: "mapped";
    readonly physicalAddress: number;
    /** What translated it. */
    readonly through: "direct map" | "page tables";
  }
  | { readonly kind: "unmapped"; readonly reason: string };

/** A minidump with what translating needs. */
export interface TranslatableMinidump {
  readonly readAt: ReadAt;
  readonly minidump: Minidump;
  readonly pageMap: PageMap;
}

/**
 * Translates a kernel virtual address. That it is mapped does not mean that its page was dumped. The walk takes at
 * most four steps, whatever the tables hold.
 */
export async function translate(dump: TranslatableMinidump, address: bigint): Promise<Translation> {
  const { minidump } = dump;
  const virtual = relocate(minidump, address);
  const direct = translateDirectly(minidump, virtual);
  // Only amd64 asks the page tables first: its direct map lies below them (section 3.5).
  const tablesFirst = minidump.architecture === "amd64" && virtual >= minidump.kernelBase;
  if (direct !== undefined && !tablesFirst) {
    return { kind: "mapped", physicalAddress: direct, through: "direct map" };
  }
  if (virtual < minidump.kernelBase) return unmapped("it is below the kernel's address space");
  if (virtual >= 1n << addressBits(minidump)) return unmapped("it is above the machine's address space");
  const entry = await lookUp(dump, virtual);
  if (entry.kind === "page") {
    return { kind: "mapped", physicalAddress: entry.physicalAddress, through: "page tables" };
  }
  return unmapped(entry.reason);
}

/** powerpc64 kernels move themselves at boot: addresses of the kernel file are where it was linked to run. */
const POWERPC64_LINK_ADDRESS = 0x100100n;

function relocate(minidump: Minidump, address: bigint): bigint {
  const { architecture, directMapBase, startKernel } = minidump;
  if (architecture !== "powerpc64" || directMapBase === null || startKernel === null) return address;
  return address < directMapBase ? address + startKernel - POWERPC64_LINK_ADDRESS : address;
}

function translateDirectly(minidump: Minidump, address: bigint): number | undefined {
  if (minidump.architecture === "mips") return translateMipsSegment(minidump, address);
  const { directMapBase: base, directMapEnd: end } = minidump;
  if (base === null || end === null || address < base) return undefined;
  if (minidump.architecture === "powerpc64") return address > end ? undefined : Number(address & ~base);
  if (address >= end) return undefined;
  const physical = address - base + (minidump.directMapPhysical ?? 0n);
  return physical > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(physical);
}

/** mips maps physical memory by the upper address bits alone: kseg0 and kseg1, and xkphys on 64-bit machines. */
function translateMipsSegment({ wordSize }: Minidump, address: bigint): number | undefined {
  const compatible = wordSize === 8 ? 0xffffffff80000000n : 0x80000000n;
  if (address >= compatible && address < compatible + 0x40000000n) return Number(address & 0x1fffffffn);
  const xkphys = wordSize === 8 && address >= 0x8000000000000000n && address < 0xc000000000000000n;
  const physical = Number(address & 0x07ffffffffffffffn);
  return xkphys && Number.isSafeInteger(physical) ? physical : undefined;
}

function addressBits({ wordSize }: Minidump): bigint {
  return BigInt(wordSize * 8);
}

type Found = Exclude<Entry, { kind: "table" }>;

async function lookUp({ readAt, minidump, pageMap }: TranslatableMinidump, address: bigint): Promise<Found> {
  const format = pageTableFormat(minidump);
  if ("unsupported" in format) return invalid(format.unsupported);
  const index = Number((address - (format.start ?? minidump.kernelBase)) >> format.shift);
  const at = index * format.entrySize;
  if (at + format.entrySize > minidump.pageTableSize) return invalid("it is beyond the dump's page tables");
  const littleEndian = minidump.littleEndian && format.bigEndian === undefined;
  const { pageTables } = minidumpLayout(minidump);
  const first = await readEntry(readAt, pageTables.offset + at, format.entrySize, littleEndian);
  if (first === undefined) return invalid("its page table entry is beyond the end of the file");
  let entry = format.decode(first, address);
  while (entry.kind === "table") {
    const table = `its page table at physical address 0x${entry.entryAddress.toString(16)}`;
    const location = await pageMap.find(entry.entryAddress);
    if (location.kind !== "page") return invalid(`${table} is not in the dump`);
    const offset = location.fileOffset + entry.entryAddress % minidump.pageSize;
    const next = await readEntry(readAt, offset, 8, littleEndian);
    if (next === undefined) return invalid(`${table} is beyond the end of the file`);
    entry = entry.decode(next, address);
  }
  return entry;
}

async function readEntry(
  readAt: ReadAt,
  offset: number,
  size: 4 | 8,
  littleEndian: boolean,
): Promise<bigint | undefined> {
  const bytes = await readAt(offset, size);
  if (bytes.byteLength < size) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, size);
  return size === 8 ? view.getBigUint64(0, littleEndian) : BigInt(view.getUint32(0, littleEndian));
}

function invalid(reason: string): Found {
  return { kind: "invalid", reason };
}

function unmapped(reason: string): Translation {
  return { kind: "unmapped", reason };
}
