/**
 * The core file while it is received: written at any offset, sparse where the dump is empty, synced as it grows.
 *
 * @module
 */
import type { FileSystem } from "./file_system.ts";

/** Zeros of this size and alignment are not written: the file stays sparse where the dump is empty. */
const SPARSE_BLOCK_SIZE = 4096;
/** A long dump is synced each time so much has been written, so that the last sync is short (P2). */
const SYNC_EVERY_BYTES = 128 * 1024 * 1024;

/** An open core file. Methods throw the file system's errors. */
export class CoreFile {
  readonly #fs: FileSystem;
  readonly #fd: number;
  #size: number;
  #unsyncedBytes = 0;
  #syncing: Promise<void> | undefined;

  constructor(fs: FileSystem, fd: number) {
    this.#fs = fs;
    this.#fd = fd;
    this.#size = fs.sizeOf(fd);
  }

  /** Size of the file. */
  get size(): number {
    return this.#size;
  }

  /**
   * Writes `bytes[at, at + length)` at `offset`. Blocks of zeros are left out where nothing was written before; the
   * file is prolonged over them.
   *
   * @param words the same memory as `bytes`, from its start
   * @param fresh nothing was written to any of it before
   */
  write(
    bytes: Uint8Array,
    words: Int32Array,
    at: number,
    length: number,
    offset: number,
    fresh: boolean,
  ): void {
    const end = offset + length;
    // Where a block's words and the memory's do not lie alike, zeros are not worth looking for.
    if (!fresh || ((at - offset) & 3) !== 0) {
      this.#fs.write(this.#fd, bytes, at, length, offset);
    } else {
      this.#writeSparsely(bytes, words, at, length, offset);
    }
    this.#unsyncedBytes += length;
    if (end > this.#size) this.#size = end;
  }

  /** Cuts or prolongs the file. */
  setSize(sizeBytes: number): void {
    if (this.#fs.sizeOf(this.#fd) !== sizeBytes) this.#fs.truncate(this.#fd, sizeBytes);
    this.#size = sizeBytes;
  }

  /** Starts a sync in the background, if enough has been written since the last (P2). */
  syncAsItGrows(onError: (error: unknown) => void): void {
    if (this.#syncing !== undefined || this.#unsyncedBytes < SYNC_EVERY_BYTES) return;
    this.#unsyncedBytes = 0;
    this.#syncing = this.#fs.sync(this.#fd).catch(onError).finally(() => this.#syncing = undefined);
  }

  /** Resolves when the file is on stable storage. */
  async sync(): Promise<void> {
    await this.#syncing;
    await this.#fs.sync(this.#fd);
  }

  /** Closes the file; a sync in the background is waited for, lest another file gets its descriptor. */
  close(): void {
    if (this.#syncing === undefined) this.#fs.close(this.#fd);
    else void this.#syncing.then(() => this.#fs.close(this.#fd)).catch(() => {});
  }

  #writeSparsely(bytes: Uint8Array, words: Int32Array, at: number, length: number, offset: number): void {
    const firstBlock = Math.ceil(offset / SPARSE_BLOCK_SIZE) * SPARSE_BLOCK_SIZE;
    let pending = 0; // start of what is to be written, relative to `at`
    let position = Math.min(firstBlock - offset, length);
    for (; position + SPARSE_BLOCK_SIZE <= length; position += SPARSE_BLOCK_SIZE) {
      if (!isZero(words, (at + position) >> 2, SPARSE_BLOCK_SIZE >> 2)) continue;
      if (position > pending) {
        this.#fs.write(this.#fd, bytes, at + pending, position - pending, offset + pending);
      }
      pending = position + SPARSE_BLOCK_SIZE;
    }
    if (pending < length) {
      this.#fs.write(this.#fd, bytes, at + pending, length - pending, offset + pending);
    } else if (offset + length > this.#size) {
      this.#fs.truncate(this.#fd, offset + length);
    }
  }
}

function isZero(words: Int32Array, from: number, count: number): boolean {
  for (let i = from, end = from + count; i < end; i++) {
    if (words[i] !== 0) return false;
  }
  return true;
}
