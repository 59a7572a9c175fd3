/**
 * The core file while it is received: written at any offset, sparse where the dump is empty, synced as it grows.
 *
 * @module
 */
import type { FileSystem } from "../../os/file_system.ts";

/** Blocks of a file system, as a rule. */
const BLOCK_SIZE = 4096;
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
   * Writes `bytes[0, length)` at `offset`. Blocks of zeros, or the parts of them that are there, are left out
   * where nothing was written before; the file is prolonged over them and stays sparse.
   *
   * @param words the same memory as `bytes`, from its start
   * @param fresh nothing was written to any of it before
   */
  write(bytes: Uint8Array, words: Int32Array, length: number, offset: number, fresh: boolean): void {
    const end = offset + length;
    if (!fresh) this.#fs.write(this.#fd, bytes, 0, length, offset);
    else this.#writeSparsely(bytes, words, length, offset);
    this.#unsyncedBytes += length;
    if (end > this.#size) this.#size = end;
  }

  /** Whether `bytes[at, at + length)` is what the file has at `offset`. */
  equals(bytes: Uint8Array, at: number, length: number, offset: number): boolean {
    return fileEquals(this.#fs, this.#fd, bytes.subarray(at, at + length), offset);
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

  #writeSparsely(bytes: Uint8Array, words: Int32Array, length: number, offset: number): void {
    let pending = 0; // start of what is to be written
    for (let position = 0; position < length;) {
      const next = Math.min(length, position + BLOCK_SIZE - (offset + position) % BLOCK_SIZE);
      if (isZero(bytes, words, position, next)) {
        if (position > pending) {
          this.#fs.write(this.#fd, bytes, pending, position - pending, offset + pending);
        }
        pending = next;
      }
      position = next;
    }
    if (pending < length) {
      this.#fs.write(this.#fd, bytes, pending, length - pending, offset + pending);
    } else if (offset + length > this.#size) {
      this.#fs.truncate(this.#fd, offset + length);
    }
  }
}

/** Whether a file has these bytes at `offset`. */
export function fileEquals(fs: FileSystem, fd: number, bytes: Uint8Array, offset: number): boolean {
  const found = new Uint8Array(bytes.byteLength);
  if (fs.read(fd, found, 0, found.byteLength, offset) < found.byteLength) return false;
  return found.every((byte, i) => byte === bytes[i]);
}

/** Tells whether `bytes[from, to)` is all zero, by words where they lie right. */
function isZero(bytes: Uint8Array, words: Int32Array, from: number, to: number): boolean {
  const firstWord = (from + 3) >> 2;
  const endWord = to >> 2;
  for (let i = from, end = Math.min(firstWord << 2, to); i < end; i++) if (bytes[i] !== 0) return false;
  for (let i = firstWord; i < endWord; i++) if (words[i] !== 0) return false;
  for (let i = Math.max(endWord << 2, from); i < to; i++) if (bytes[i] !== 0) return false;
  return true;
}
