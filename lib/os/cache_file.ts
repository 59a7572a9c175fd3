/**
 * A cache among its user's files: what a program would otherwise have to find out anew.
 *
 * @module
 */

import {
  closeSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { readFully } from "./read_fully.ts";

/** Permission bits by which others could write. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Such a file, open. It is written in its place, through its descriptor: so the permission to write can be given up once it
 * is open, and whoever reads it has to recognize a text that was not written to its end.
 */
export class CacheFile {
  readonly #fd: number;
  /** Whether it can be written. */
  readonly writable: boolean;

  private constructor(fd: number, writable: boolean) {
    this.#fd = fd;
    this.writable = writable;
  }

  /**
   * Opens the file, or creates it for its owner alone. It is believed only if nobody but the directory's owner and root can
   * have written it: it is no link, has no other name, and others may not write to it.
   *
   * @param toWrite whether to create it, and to open it for writing where that is allowed
   * @returns `undefined` if it cannot be had, for whatever reason: what is kept spares work, and nothing else
   */
  static open(directory: string, name: string, toWrite: boolean): CacheFile | undefined {
    const path = `${directory}/${name}`;
    try {
      const owner = statSync(directory).uid;
      const there = lstatSync(path, { throwIfNoEntry: false });
      if (there === undefined) return toWrite ? create(path, owner) : undefined;
      return isOwn(there, owner) ? reopen(path, there, toWrite) : undefined;
    } catch {
      return undefined;
    }

    function create(path: string, owner: number): CacheFile | undefined {
      const fd = openSync(path, "wx+", 0o600);
      if (isOwn(fstatSync(fd), owner)) return new CacheFile(fd, true);
      // Nobody would believe it.
      closeSync(fd);
      unlinkSync(path);
      return undefined;
    }

    function reopen(path: string, there: Stats, toWrite: boolean): CacheFile | undefined {
      const [fd, writable] = openEitherWay(path, toWrite);
      const opened = fstatSync(fd);
      // Else somebody put another file, or a link to one, in its place meanwhile.
      if (opened.ino === there.ino && opened.dev === there.dev) return new CacheFile(fd, writable);
      closeSync(fd);
      return undefined;
    }
  }

  /** Its text, but no more than so many bytes of it. */
  read(mostBytes: number): string {
    const bytes = new Uint8Array(Math.min(fstatSync(this.#fd).size, mostBytes));
    return new TextDecoder().decode(readFully(this.#fd, bytes, 0));
  }

  /** Puts another text in the place of its own, as far as the disk takes it. */
  replace(pieces: Iterable<string>): void {
    const encoder = new TextEncoder();
    let position = 0;
    try {
      ftruncateSync(this.#fd, 0);
      for (const piece of pieces) {
        const bytes = encoder.encode(piece);
        for (let at = 0; at < bytes.byteLength;) {
          at += writeSync(this.#fd, bytes, at, bytes.byteLength - at, position + at);
        }
        position += bytes.byteLength;
      }
    } catch {
      // Its reader sees that it is cut.
    }
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function isOwn(file: Stats, owner: number): boolean {
  if (!file.isFile() || file.nlink !== 1) return false;
  if (Deno.build.os === "windows") return true;
  return (file.uid === owner || file.uid === 0) && (file.mode & WRITABLE_BY_OTHERS) === 0;
}

function openEitherWay(path: string, toWrite: boolean): [fd: number, writable: boolean] {
  try {
    if (toWrite) return [openSync(path, "r+"), true];
  } catch {
    // A disk or an owner that lets us only read.
  }
  return [openSync(path, "r"), false];
}
