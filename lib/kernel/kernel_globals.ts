/**
 * Global variables of a kernel, out of the dump; constants that were not dumped out of the kernel file (reference
 * kernel-symbols.md, sections 5.1 and 14).
 *
 * @module
 */

import type { ElfFile } from "./elf_file.ts";
import { stringAt } from "./elf_file.ts";
import type { KernelMemory } from "./kernel_memory.ts";
import type { PlacedSymbol, SymbolTable } from "./symbol_table.ts";

/** The global variables of a kernel. */
export class KernelGlobals {
  readonly memory: KernelMemory;
  readonly #symbols: SymbolTable;
  readonly #file: ElfFile | null;

  constructor(memory: KernelMemory, symbols: SymbolTable, file: ElfFile | null) {
    this.memory = memory;
    this.#symbols = symbols;
    this.#file = file;
  }

  /** Where a variable lies. */
  find(name: string): PlacedSymbol | null {
    return this.#symbols.find(name);
  }

  /** An int; `null` if there is no such variable, or nothing has its bytes. */
  async int(name: string): Promise<number | null> {
    const bytes = await this.#bytes(name, 4);
    if (bytes === null) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset, 4);
    return view.getInt32(0, this.memory.format.littleEndian);
  }

  /** An offset into a struct: constants beyond reason count as absent. */
  async offset(name: string): Promise<bigint | null> {
    const value = await this.int(name);
    return value === null || value < 0 || value > MAX_OFFSET ? null : BigInt(value);
  }

  /** A pointer or long. */
  async word(name: string): Promise<bigint | null> {
    const symbol = this.find(name);
    return symbol === null ? null : await this.memory.word(symbol.address);
  }

  /** An array of characters. */
  async string(name: string): Promise<string | null> {
    const symbol = this.find(name);
    const bytes = await this.#bytes(name, Math.min(Number(symbol?.size ?? 0n) || MAX_STRING, MAX_STRING));
    return bytes === null ? null : stringAt(bytes, 0);
  }

  async #bytes(name: string, length: number): Promise<Uint8Array | null> {
    const symbol = this.find(name);
    if (symbol === null) return null;
    const dumped = await this.memory.read(symbol.address, length);
    if (dumped !== null) return dumped;
    const stored = await this.#file?.readVirtual(symbol.address, length);
    return stored === undefined || stored.byteLength < length ? null : stored;
  }
}

/** Structs of the kernel are smaller. */
const MAX_OFFSET = 2 ** 20;
const MAX_STRING = 1024;
