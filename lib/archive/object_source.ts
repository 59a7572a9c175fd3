/**
 * An object of a bucket as a source of bytes: read by ranges, and what was read kept for a while.
 *
 * @module
 */
import type { Source } from "../bytes/source.ts";
import type { ObjectStore } from "./object_store.ts";
import { StoreError } from "./store_error.ts";

const BLOCK_BYTES = 256 * 1024;
const MAX_BLOCKS = 256;

/** An object that is read by ranges. */
export class ObjectSource implements Source {
  readonly randomAccess = true;
  readonly size: number;
  readonly #store: Pick<ObjectStore, "get">;
  readonly #key: string;
  /** By number, the least recently used first. */
  readonly #blocks = new Map<number, Uint8Array>();

  /** @param size of the object, in bytes */
  constructor(store: Pick<ObjectStore, "get">, key: string, size: number) {
    this.#store = store;
    this.#key = key;
    this.size = size;
  }

  /** @throws {StoreError} if there is no such object */
  static async open(store: ObjectStore, key: string): Promise<ObjectSource> {
    const found = await store.head(key);
    if (found === undefined) throw new StoreError("absent", `${key} is not in the bucket`);
    return new ObjectSource(store, key, found.sizeBytes);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const end = Math.min(this.size, offset + length);
    if (offset >= end) return new Uint8Array(0);
    const bytes = new Uint8Array(end - offset);
    const last = Math.floor((end - 1) / BLOCK_BYTES);
    for (let number = Math.floor(offset / BLOCK_BYTES); number <= last;) {
      const held = this.#blocks.get(number);
      let run = 1;
      while (held === undefined && number + run <= last && !this.#blocks.has(number + run)) run++;
      const start = number * BLOCK_BYTES;
      const stretch = held ?? await this.#store.get(this.#key, {
        start,
        end: Math.min(this.size, start + run * BLOCK_BYTES),
      });
      const from = Math.max(offset, start);
      bytes.set(stretch.subarray(from - start, Math.min(stretch.length, end - start)), from - offset);
      for (let at = 0; at < run; at++) {
        // What was asked for in one stretch is held block by block, each with memory of its own.
        this.#hold(number + at, held ?? stretch.slice(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES));
      }
      number += run;
    }
    return bytes;
  }

  close(): void {
    this.#blocks.clear();
  }

  #hold(number: number, block: Uint8Array): void {
    this.#blocks.delete(number);
    this.#blocks.set(number, block);
    if (this.#blocks.size <= MAX_BLOCKS) return;
    const [oldest] = this.#blocks.keys();
    if (oldest !== undefined) this.#blocks.delete(oldest);
  }
}
