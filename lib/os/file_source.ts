/**
 * A file or a disk as a source of bytes.
 *
 * @module
 */
import { closeSync, openSync } from "node:fs";
import { MAX_READ_BYTES, type Source } from "../bytes/source.ts";
import { readFully } from "./read_fully.ts";

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
      return new FileSource(fd, stat.isFile ? stat.size : deviceSize(path));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  // deno-lint-ignore require-await
  async read(offset: number, length: number): Promise<Uint8Array> {
    if (length > MAX_READ_BYTES) throw new RangeError(`Cannot read ${length} bytes at once`);
    return this.readInto(new Uint8Array(Math.max(0, Math.min(length, this.size - offset))), offset);
  }

  /** Reads into memory that is there, as much as it holds; gives the part of it that was filled. */
  readInto(bytes: Uint8Array, offset: number): Uint8Array {
    return readFully(this.#fd, bytes, offset);
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
