/**
 * Where the bytes of a dump come from: a file or a dump device, a window of another source, and (in
 * `decrypt.ts` and `decompress.ts`) what lies below encryption and compression.
 *
 * @module
 */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Bytes that can be read by offset. */
export interface Source {
  /** Bytes in all; `null` where only reading all of it would tell (compressed). */
  readonly size: number | null;
  /** Whether a read costs the same wherever it is; else going back means starting again from the front. */
  readonly randomAccess: boolean;
  /**
   * Reads `length` bytes at `offset`: fewer only where the data ends, none beyond it.
   *
   * @param length at most {@linkcode MAX_READ_BYTES}: it never comes from a dump unchecked
   * @throws {Error} of the file system
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Gives back what reading took: file descriptors, decoders. */
  close(): void;
}

/** The largest single read: longer spans are read piece by piece. */
export const MAX_READ_BYTES = 16 * 2 ** 20;

/** A regular file or a block device. */
export class FileSource implements Source {
  readonly randomAccess = true;
  readonly size: number;
  readonly #fd: number;

  private constructor(fd: number, size: number) {
    this.#fd = fd;
    this.size = size;
  }

  /**
   * Opens a file for reading.
   *
   * @throws {Error} of the file system; `TypeError` if it is a pipe, a socket or a terminal, which have no end to read from
   */
  static open(path: string): FileSource {
    const stat = Deno.statSync(path);
    if (!stat.isFile && stat.isBlockDevice !== true && !isDiskOfBsd(stat)) {
      throw new TypeError("it is neither a file nor a disk");
    }
    const fd = openSync(path, "r");
    try {
      return new FileSource(fd, fstatSync(fd).isFile() ? fstatSync(fd).size : deviceSize(path));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  // deno-lint-ignore require-await
  async read(offset: number, length: number): Promise<Uint8Array> {
    if (length > MAX_READ_BYTES) throw new RangeError(`Cannot read ${length} bytes at once`);
    const wanted = Math.max(0, Math.min(length, this.size - offset));
    const bytes = new Uint8Array(wanted);
    let filled = 0;
    while (filled < wanted) {
      const count = readSync(this.#fd, bytes, filled, wanted - filled, offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return filled < wanted ? bytes.subarray(0, filled) : bytes;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** The BSDs have no block devices: their disks are character devices with a block count. */
function isDiskOfBsd(stat: Deno.FileInfo): boolean {
  return stat.isCharDevice === true && Deno.build.os === "freebsd";
}

function deviceSize(path: string): number {
  using file = Deno.openSync(path);
  return file.seekSync(0, Deno.SeekMode.End);
}

/** A window of another source, which it does not own: closing it does nothing. */
export class WindowSource implements Source {
  readonly size: number | null;
  readonly randomAccess: boolean;
  readonly #source: Source;
  readonly #start: number;
  readonly #length: number;

  /** @param length bytes of the window; it ends earlier where the source does */
  constructor(source: Source, start: number, length: number = Infinity) {
    this.#source = source;
    this.#start = start;
    this.#length = length;
    this.randomAccess = source.randomAccess;
    this.size = source.size === null ? null : Math.max(0, Math.min(length, source.size - start));
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    const left = Math.max(0, Math.min(length, this.#length - offset));
    return this.#source.read(this.#start + offset, left);
  }

  close(): void {}
}

/**
 * Reads a source from front to back in pieces, the last one shorter.
 *
 * @param pieceBytes the size of a piece
 */
export async function* readThrough(
  source: Source,
  pieceBytes: number,
  from = 0,
): AsyncGenerator<Uint8Array, void> {
  for (let offset = from;;) {
    const piece = await source.read(offset, pieceBytes);
    if (piece.byteLength > 0) yield piece;
    if (piece.byteLength < pieceBytes) return;
    offset += piece.byteLength;
  }
}
