/**
 * The few file operations that the dump directory needs, behind an interface, so that tests can make any of them
 * fail (P1).
 *
 * @module
 */
import fs from "node:fs";
import { lockFile } from "./lock_file.ts";
import { readFully } from "./read_fully.ts";
import { errorCode } from "./system_error.ts";

/** What is at a path, not following a symbolic link. */
export interface Entry {
  readonly kind: "file" | "directory" | "link" | "other";
  readonly inode: number;
  readonly sizeBytes: number;
  /** Unix time in ms of the last change of its content. */
  readonly changedMs: number;
  /** Permission bits; 0 where the system has none. */
  readonly mode: number;
  /** The owner's user id. */
  readonly user: number;
  /** Number of the file system it is on. */
  readonly device: number;
}

/** File operations. All throw on failure; an error's `code` is the system's name, such as `ENOSPC`. */
export interface FileSystem {
  /** Creates a file for reading and writing; fails with `EEXIST` if anything has the name, a link included. */
  create(path: string, mode: number): number;
  /** Opens an existing regular file for reading and writing; refuses a symbolic link. */
  reopen(path: string): number;
  /** Writes all of `bytes[at, at + length)` at `position` (pwrite). */
  write(fd: number, bytes: Uint8Array, at: number, length: number, position: number): void;
  /** Reads up to `length` bytes at `position` into `bytes` at `at` (pread); fewer only where the file ends. */
  read(fd: number, bytes: Uint8Array, at: number, length: number, position: number): number;
  truncate(fd: number, sizeBytes: number): void;
  sizeOf(fd: number): number;
  /** Resolves when the file's data and metadata are on stable storage. */
  sync(fd: number): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  close(fd: number): void;
  chmod(path: string, mode: number): void;
  /** Renames a file; fails with `EEXIST` if anything has the new name. */
  renameExclusively(from: string, to: string): void;
  /** Renames a file over whatever has the new name. */
  replace(from: string, to: string): void;
  remove(path: string): void;
  /** Removes a file that may be large, which takes its time, beside this thread's work. */
  removeLarge(path: string): Promise<void>;
  /** Makes a directory that only its owner can use; fails with `EEXIST` if anything has the name. */
  makeDirectory(path: string): void;
  /** Makes a symbolic link; fails with `EEXIST` if anything has the name. */
  link(target: string, path: string): void;
  /** Where a symbolic link leads to, as it is written there. */
  readLink(path: string): string;
  /**
   * Opens a file, creating it if need be, locks it and writes this process's id into it.
   *
   * @throws as {@linkcode lockFile}
   */
  lock(path: string): Promise<{ close(): void }>;
  /** The path without links; fails with `ENOENT` if there is none. */
  realPath(path: string): string;
  /** `undefined` if nothing has the name. */
  entry(path: string): Entry | undefined;
  /** Names in a directory. */
  list(path: string): string[];
  readText(path: string): string;
  readBytes(path: string): Uint8Array;
  /** Bytes of the file system that holds `path`: free to an unprivileged process, and in all. */
  space(path: string): { readonly freeBytes: number; readonly totalBytes: number };
}

/** Tells whether an error means that the file system has no links of the kind asked for. */
export function linkingUnsupported(error: unknown): boolean {
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(errorCode(error));
}

/** The real file system. Needs read and write permission, and `sys` permission "statfs". */
export const realFileSystem: FileSystem = {
  create: (path, mode) => fs.openSync(path, "wx+", mode),
  reopen(path) {
    if (fs.lstatSync(path).isSymbolicLink()) throw new Error(`${path} is a symbolic link`);
    return fs.openSync(path, "r+");
  },
  write(fd, bytes, at, length, position) {
    for (let done = 0; done < length;) {
      const written = fs.writeSync(fd, bytes, at + done, length - done, position + done);
      if (written <= 0) throw new Error(`Cannot write: ${written} bytes were taken`);
      done += written;
    }
  },
  read: (fd, bytes, at, length, position) =>
    readFully(fd, bytes.subarray(at, at + length), position).byteLength,
  truncate: (fd, sizeBytes) => fs.ftruncateSync(fd, sizeBytes),
  sizeOf: (fd) => fs.fstatSync(fd).size,
  sync: (fd) =>
    new Promise((resolve, reject) => fs.fsync(fd, (error) => error === null ? resolve() : reject(error))),
  async syncDirectory(path) {
    // Windows has no such thing; there a rename is as durable as the file system makes it.
    if (Deno.build.os === "windows") return;
    const directory = await Deno.open(path);
    try {
      await directory.sync();
    } finally {
      directory.close();
    }
  },
  close: (fd) => fs.closeSync(fd),
  chmod: (path, mode) => fs.chmodSync(path, mode),
  renameExclusively(from, to) {
    try {
      fs.linkSync(from, to);
    } catch (error) {
      if (!linkingUnsupported(error)) throw error;
      if (fs.lstatSync(to, { throwIfNoEntry: false }) !== undefined) {
        throw Object.assign(new Error(`${to} exists`), { code: "EEXIST" });
      }
      fs.renameSync(from, to);
      return;
    }
    try {
      fs.unlinkSync(from);
    } catch (error) {
      fs.unlinkSync(to);
      throw error;
    }
  },
  replace: (from, to) => fs.renameSync(from, to),
  remove: (path) => fs.unlinkSync(path),
  removeLarge: (path) => Deno.remove(path),
  makeDirectory: (path) => fs.mkdirSync(path, { mode: 0o700 }),
  link: (target, path) => fs.symlinkSync(target, path, "file"),
  readLink: (path) => fs.readlinkSync(path),
  lock: lockFile,
  realPath: (path) => Deno.realPathSync(path),
  entry(path) {
    const found = fs.lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    const kind = found.isSymbolicLink()
      ? "link"
      : found.isFile()
      ? "file"
      : found.isDirectory()
      ? "directory"
      : "other";
    return {
      kind,
      inode: found.ino,
      sizeBytes: found.size,
      changedMs: found.mtimeMs,
      mode: Deno.build.os === "windows" ? 0 : found.mode & 0o7777,
      user: found.uid,
      device: found.dev,
    };
  },
  list: (path) => Array.from(Deno.readDirSync(path), (entry) => entry.name),
  readText: (path) => Deno.readTextFileSync(path),
  readBytes: (path) => Deno.readFileSync(path),
  space(path) {
    const { bavail, bsize, blocks } = fs.statfsSync(path);
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
  },
};
