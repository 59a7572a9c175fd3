/**
 * The memory of a crashed kernel as its data structures need it: words, numbers and strings by virtual address. What
 * is not in the dump is `null`, never an exception.
 *
 * @module
 */

import type { Memory } from "../kerneldump/memory.ts";
import { stringAt } from "./elf_file.ts";

const PAGE_SIZE = 4096;
/** Pages kept, so that walking lists costs one read a page: 32 MiB. */
const MAX_KEPT_PAGES = 8192;
/** Longer stretches are read once and not kept. */
const LONG_BYTES = 16 * PAGE_SIZE;

/** How the machine writes numbers. */
export interface WordFormat {
  readonly littleEndian: boolean;
  /** Bytes of a pointer. */
  readonly wordSize: 4 | 8;
}

/** The virtual memory of a kernel. */
export class KernelMemory {
  readonly format: WordFormat;
  readonly #memory: Memory;
  readonly #pages = new Map<bigint, Promise<Uint8Array>>();

  constructor(memory: Memory, format: WordFormat) {
    this.#memory = memory;
    this.format = format;
  }

  /** Reads bytes: all of them or `null`. The caller bounds `length`, and does not change them. */
  async read(address: bigint, length: number): Promise<Uint8Array | null> {
    if (length > LONG_BYTES) {
      const bytes = await this.#readPieces(address, length);
      return bytes.byteLength < length ? null : bytes;
    }
    const inside = Number(address % BigInt(PAGE_SIZE));
    const first = (await this.#page(address - BigInt(inside))).subarray(inside, inside + length);
    if (inside + length <= PAGE_SIZE) return first.byteLength < length ? null : first;
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const part = at === 0 ? first : (await this.#page(address + BigInt(at))).subarray(0, length - at);
      bytes.set(part, at);
      at += part.byteLength;
      if (at < length && (BigInt(at) + address) % BigInt(PAGE_SIZE) !== 0n || part.byteLength === 0) {
        return null;
      }
    }
    return bytes;
  }

  /** Reads a pointer or a long. */
  async word(address: bigint): Promise<bigint | null> {
    const { wordSize, littleEndian } = this.format;
    const bytes = await this.read(address, wordSize);
    if (bytes === null) return null;
    const view = viewOf(bytes);
    return wordSize === 8 ? view.getBigUint64(0, littleEndian) : BigInt(view.getUint32(0, littleEndian));
  }

  /** Reads an int. */
  async int(address: bigint): Promise<number | null> {
    const bytes = await this.read(address, 4);
    return bytes === null ? null : viewOf(bytes).getInt32(0, this.format.littleEndian);
  }

  /**
   * Reads a string to its NUL, at most `limit` bytes of it; what is not in the dump ends it. Any byte may be in it.
   *
   * @returns `null` if nothing of it is there
   */
  async string(address: bigint, limit: number): Promise<string | null> {
    const inPage = PAGE_SIZE - Number(address % BigInt(PAGE_SIZE));
    const bytes = await this.read(address, limit) ?? await this.read(address, Math.min(limit, inPage));
    return bytes === null ? null : stringAt(bytes, 0);
  }

  /** A page, as far as the dump has it: the file may end inside. */
  #page(address: bigint): Promise<Uint8Array> {
    let page = this.#pages.get(address);
    if (page === undefined) {
      if (this.#pages.size >= MAX_KEPT_PAGES) this.#pages.clear();
      page = this.#readPieces(address, PAGE_SIZE);
      this.#pages.set(address, page);
    }
    return page;
  }

  /** Reads up to the first byte that is not there. */
  async #readPieces(address: bigint, length: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let found = 0;
    for await (const { bytes } of this.#memory.readVirtual(address, length)) {
      if (bytes === null) break;
      pieces.push(bytes);
      found += bytes.byteLength;
    }
    if (pieces.length === 1) return pieces[0]!;
    const all = new Uint8Array(found);
    let at = 0;
    for (const piece of pieces) {
      all.set(piece, at);
      at += piece.byteLength;
    }
    return all;
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
