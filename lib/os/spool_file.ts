/**
 * A temporary file that nobody else can open: bytes that can be read only in order are kept in it to be read anywhere.
 *
 * @module
 */

import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import type { Source } from "../bytes/source.ts";
import { readFully } from "./read_fully.ts";

const PIECE_BYTES = 2 ** 20;

/** A file without a name, gone when it is closed or the program ends. */
export class SpoolFile implements Source {
  readonly randomAccess = true;
  readonly #fd: number;
  #size = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Copies a source to its end.
   *
   * @param directory where there is room for it
   * @param onProgress called with the bytes copied
   * @throws {Error} of the file system
   */
  static async of(
    source: Source,
    directory: string,
    onProgress: (done: number) => void = () => {},
  ): Promise<SpoolFile> {
    const path = `${directory}/netdump-spool-${crypto.randomUUID()}`;
    const fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    const spool = new SpoolFile(fd);
    try {
      for (;;) {
        const piece = await source.read(spool.#size, PIECE_BYTES);
        for (let at = 0; at < piece.byteLength;) {
          at += writeSync(fd, piece, at, piece.byteLength - at, spool.#size + at);
        }
        spool.#size += piece.byteLength;
        onProgress(spool.#size);
        if (piece.byteLength < PIECE_BYTES) return spool;
      }
    } catch (error) {
      spool.close();
      throw error;
    }
  }

  /** Bytes in it. */
  get size(): number {
    return this.#size;
  }

  // deno-lint-ignore require-await
  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.#size - offset)));
    return readFully(this.#fd, bytes, offset);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
