/**
 * A file of a dump that is read to be shipped: it must be the very file that has the name, and stay as it is (P5).
 *
 * @module
 */
import { closeSync, fstatSync, lstatSync, openSync } from "node:fs";
import { readFully } from "../os/read_fully.ts";
import type { LocalFile } from "./content.ts";

/** A file that is open: close it. */
export interface OpenLocalFile extends LocalFile, Disposable {
  /** @throws {Error} if the file is no longer what was opened */
  checkUnchanged(): void;
}

/**
 * Opens a file, but follows no link.
 *
 * @throws {Error} of the file system, or if it is no regular file
 */
export function openLocalFile(path: string): OpenLocalFile {
  const named = lstatSync(path);
  if (!named.isFile()) throw new Error(`${path} is not a regular file`);
  const fd = openSync(path, "r");
  const opened = fstatSync(fd);
  if (opened.ino !== named.ino || opened.dev !== named.dev) {
    closeSync(fd);
    throw new Error(`${path} was replaced while it was opened`);
  }
  return {
    sizeBytes: opened.size,
    read(offset, into) {
      if (readFully(fd, into, offset).length < into.length) {
        throw new Error(`${path} became shorter while it was read`);
      }
    },
    checkUnchanged() {
      const { size, mtimeMs } = fstatSync(fd);
      if (size !== opened.size || mtimeMs !== opened.mtimeMs) {
        throw new Error(`${path} changed while it was read`);
      }
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}
