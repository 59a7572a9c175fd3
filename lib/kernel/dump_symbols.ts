/**
 * Symbols out of the dump itself: a kernel has its global ones in memory, and the boot loader leaves the whole table
 * behind it (reference kernel-symbols.md, section 3).
 *
 * @module
 */

import {
  decodeElfHeader,
  decodeProgramHeader,
  ELF_HEADER_SIZE,
  type ElfHeader,
  type ElfSegment,
  programHeaderSize,
} from "../kerneldump/elf/elf_header.ts";
import { decodeBuildIdNote } from "./elf_identity.ts";
import { decodeElfSymbols, type ElfSymbol, symbolSize } from "./elf_symbols.ts";
import type { KernelMemory, WordFormat } from "./kernel_memory.ts";
import type { Machine } from "./machine/machine.ts";

/** The symbols that a dump holds. */
export interface DumpSymbols {
  readonly symbols: readonly ElfSymbol[];
  /** Whether static functions are among them. */
  readonly complete: boolean;
  /** Lower-case hex; `null` if the kernel has none. */
  readonly buildId: string | null;
}

/** A kernel has some 100,000 symbols, in 3 MiB: this bounds what a size that lies makes us read. */
const MAX_TABLE_BYTES = 16 * 2 ** 20;
const MAX_SEGMENTS = 64;
const MAX_DYNAMIC_ENTRIES = 256;
const LOAD = 1;
const DYNAMIC = 2;
const Tag = { HASH: 4n, STRTAB: 5n, SYMTAB: 6n, STRSZ: 10n } as const;

/**
 * Reads the symbols of the kernel in memory.
 *
 * @returns `null` if there are none
 */
export async function readDumpSymbols(
  memory: KernelMemory,
  { imageHeaders, bareImage }: Pick<Machine, "imageHeaders" | "bareImage">,
): Promise<DumpSymbols | null> {
  for (const address of imageHeaders) {
    const image = await readImage(memory, address);
    if (image === null) continue;
    const whole = await readLoaderTable(memory, image);
    if (whole !== null) {
      return { symbols: whole, complete: true, buildId: await readDumpedBuildId(memory, address, image) };
    }
    const global = await readDynamicTable(memory, image);
    if (global !== null) {
      return { symbols: global, complete: false, buildId: await readDumpedBuildId(memory, address, image) };
    }
  }
  return bareImage === null ? null : await searchLoaderTable(memory, bareImage);
}

/** What is behind a kernel without a header is not known before it is found: its end is in the header. */
async function searchLoaderTable(memory: KernelMemory, start: bigint): Promise<DumpSymbols | null> {
  const { wordSize, littleEndian } = memory.format;
  const header = { class: wordSize === 8 ? 64 : 32, byteOrder: littleEndian ? "little" : "big" } as const;
  let missing = 0;
  let left = MAX_TRIED_BYTES;
  for (let at = start; at < start + SEARCHED_BYTES && missing < MAX_MISSING_PAGES; at += BigInt(PAGE_BYTES)) {
    const page = await memory.read(at, PAGE_BYTES);
    if (page === null) {
      missing++;
      continue;
    }
    for (const inside of likelySizes(page, memory.format, symbolSize(header.class))) {
      const place = await findTable(memory, symbolSize(header.class), at + BigInt(inside));
      if (place === null) continue;
      left -= place.size + place.namesSize;
      if (left < 0) return null;
      const symbols = await readTable(memory, header, place);
      if (symbols === null || symbols.length < FEW_SYMBOLS) continue;
      return { symbols, complete: true, buildId: await readDumpedBuildId(memory, start, { header }) };
    }
  }
  return null;
}

/** A GENERIC kernel with its data takes 50 MiB. */
const SEARCHED_BYTES = 2n ** 27n;
/** Behind so many pages that are not mapped, or not dumped, the kernel is over. */
const MAX_MISSING_PAGES = 256;
/** Of what looks like a table and is none. */
const MAX_TRIED_BYTES = 3 * MAX_TABLE_BYTES;
/** A kernel has thousands. */
const FEW_SYMBOLS = 20;

/** Words of a page that may be the size of a symbol table: behind them the null symbol begins. */
function* likelySizes(
  page: Uint8Array,
  { wordSize, littleEndian }: WordFormat,
  entry: number,
): Generator<number> {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  for (let at = 0; at + wordSize <= page.byteLength; at += wordSize) {
    const size = view.getUint32(littleEndian ? at : at + wordSize - 4, littleEndian);
    if (size < 2 * entry || size > MAX_TABLE_BYTES || size % entry !== 0) continue;
    const behind = page.subarray(at + wordSize, at + wordSize + entry);
    if (behind.every((byte) => byte === 0)) yield at;
  }
}

/** The note lies near the kernel's beginning: behind its headers, or behind a short text. */
async function readDumpedBuildId(
  memory: KernelMemory,
  address: bigint,
  { header }: { readonly header: Pick<ElfHeader, "byteOrder"> },
): Promise<string | null> {
  for (let page = 0; page < SEARCHED_PAGES; page++) {
    // A note at the end of a page goes on in the next one.
    const bytes = await memory.read(address + BigInt(page * PAGE_BYTES), PAGE_BYTES + MAX_NOTE_BYTES) ??
      await memory.read(address + BigInt(page * PAGE_BYTES), PAGE_BYTES);
    if (bytes === null) continue;
    for (let at = 0; at + 16 <= bytes.byteLength; at += 4) {
      if (bytes[at] !== 4 || bytes[at + 12] !== 0x47) continue;
      const id = decodeBuildIdNote(bytes.subarray(at), header.byteOrder);
      if (id !== null && id.hex.length === 2 * BUILD_ID_BYTES) return id.hex;
    }
  }
  return null;
}

const PAGE_BYTES = 4096;
const SEARCHED_PAGES = 16;
const MAX_NOTE_BYTES = 36;
/** Of SHA-1. */
const BUILD_ID_BYTES = 20;

interface Image {
  readonly header: ElfHeader;
  readonly segments: readonly (ElfSegment & { readonly type: number })[];
}

async function readImage(memory: KernelMemory, address: bigint): Promise<Image | null> {
  const bytes = await memory.read(address, ELF_HEADER_SIZE);
  if (bytes === null) return null;
  try {
    const header = decodeElfHeader(bytes);
    const { offset, count, entrySize } = header.programHeaders;
    const wide = memory.format.wordSize === 8;
    if (wide !== (header.class === 64) || memory.format.littleEndian !== (header.byteOrder === "little")) {
      return null;
    }
    if (count > MAX_SEGMENTS || entrySize !== programHeaderSize(header.class)) return null;
    const table = await memory.read(address + BigInt(offset), count * entrySize);
    if (table === null) return null;
    const entries = Array.from(
      { length: count },
      (_, i) => table.subarray(i * entrySize, (i + 1) * entrySize),
    );
    return { header, segments: entries.map((entry) => decodeProgramHeader(entry, header)) };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Behind the kernel's last byte stand: a size, the symbols, a size, their names (section 3.2). */
async function readLoaderTable(
  memory: KernelMemory,
  { header, segments }: Image,
): Promise<ElfSymbol[] | null> {
  const word = BigInt(memory.format.wordSize);
  const padded = (address: bigint) => (address + word - 1n) / word * word;
  const ends = segments.filter((s) => s.type === LOAD).map((s) => s.virtualAddress + BigInt(s.memorySize));
  const end = padded(ends.reduce((a, b) => b > a ? b : a, 0n));
  const place = await findTable(memory, symbolSize(header.class), end);
  return place === null ? null : await readTable(memory, header, place);
}

/** Where a table and its names lie, and their sizes in bytes. */
interface TablePlace {
  readonly at: bigint;
  readonly size: number;
  readonly namesAt: bigint;
  readonly namesSize: number;
}

/** Looks at both sizes and the null symbol, before megabytes are read. */
async function findTable(memory: KernelMemory, entry: number, at: bigint): Promise<TablePlace | null> {
  const word = BigInt(memory.format.wordSize);
  const size = await readSize(memory, at);
  if (size === null || size % entry !== 0) return null;
  const namesAt = (at + word + BigInt(size) + word - 1n) / word * word;
  const namesSize = await readSize(memory, namesAt);
  const first = await memory.read(at + word, entry);
  if (namesSize === null || first === null || first.some((byte) => byte !== 0)) return null;
  return { at: at + word, size, namesAt: namesAt + word, namesSize };
}

async function readTable(
  memory: KernelMemory,
  header: Pick<ElfHeader, "class" | "byteOrder">,
  { at, size, namesAt, namesSize }: TablePlace,
): Promise<ElfSymbol[] | null> {
  const table = await memory.read(at, size);
  const names = await memory.read(namesAt, namesSize);
  return table === null || names === null ? null : decodeElfSymbols(table, names, header);
}

async function readSize(memory: KernelMemory, at: bigint): Promise<number | null> {
  const size = await memory.word(at);
  return size === null || size === 0n || size > BigInt(MAX_TABLE_BYTES) ? null : Number(size);
}

async function readDynamicTable(
  memory: KernelMemory,
  { header, segments }: Image,
): Promise<ElfSymbol[] | null> {
  const dynamic = segments.find((s) => s.type === DYNAMIC);
  if (dynamic === undefined) return null;
  const word = BigInt(memory.format.wordSize);
  const values = new Map<bigint, bigint>();
  for (let i = 0n; i < BigInt(MAX_DYNAMIC_ENTRIES); i++) {
    const tag = await memory.word(dynamic.virtualAddress + 2n * i * word);
    const value = await memory.word(dynamic.virtualAddress + (2n * i + 1n) * word);
    if (tag === null || tag === 0n || value === null) break;
    values.set(tag, value);
  }
  const [hash, strings, symbols, stringsSize] = [Tag.HASH, Tag.STRTAB, Tag.SYMTAB, Tag.STRSZ].map((tag) =>
    values.get(tag)
  );
  if (hash === undefined || strings === undefined || symbols === undefined || stringsSize === undefined) {
    return null;
  }
  const count = await memory.int(hash + 4n);
  const bytes = (count ?? 0) * symbolSize(header.class);
  if (bytes <= 0 || bytes > MAX_TABLE_BYTES || stringsSize > BigInt(MAX_TABLE_BYTES)) return null;
  const table = await memory.read(symbols, bytes);
  const names = await memory.read(strings, Number(stringsSize));
  return table === null || names === null ? null : decodeElfSymbols(table, names, header);
}
