/**
 * The file a session's journal is in, `.netdump/<id>.journal` below the dump directory (P9).
 *
 * @module
 */
import { join } from "@std/path";
import type { FileSystem } from "../../os/file_system.ts";
import { type JournalHead, journalLine, type JournalRecord } from "../session/journal.ts";
import { STATE_DIRECTORY } from "../../kerneldump/files/names.ts";

const JOURNAL_MODE = 0o600;
/** Ends the name of a journal's file. */
export const JOURNAL_SUFFIX = ".journal";
/** Follows the name of one that is being written in place of another. */
export const REPLACEMENT_SUFFIX = ".new";

/** An open journal. Methods throw the file system's errors. */
export class JournalFile {
  readonly #fs: FileSystem;
  readonly #path: string;
  /** `undefined` once it is released. */
  #fd: number | undefined;
  #size: number;
  #buffer = new Uint8Array(4096);

  private constructor(fs: FileSystem, path: string, fd: number | undefined, size: number) {
    this.#fs = fs;
    this.#path = path;
    this.#fd = fd;
    this.#size = size;
  }

  /** Creates the journal of a new session. */
  static create(fs: FileSystem, root: string, head: JournalHead): JournalFile {
    const path = journalPath(root, head.session.id);
    const journal = new JournalFile(fs, path, fs.create(path, JOURNAL_MODE), 0);
    try {
      journal.append(head);
      return journal;
    } catch (error) {
      journal.close({ forget: true });
      throw error;
    }
  }

  /** Opens a journal to go on with it. A last line that was cut off is cut off for good. */
  static reopen(fs: FileSystem, root: string, id: string): JournalFile {
    const path = journalPath(root, id);
    const size = fs.readBytes(path).lastIndexOf(0x0a) + 1;
    const fd = fs.reopen(path);
    const journal = new JournalFile(fs, path, fd, size);
    try {
      fs.truncate(fd, size);
      return journal;
    } catch (error) {
      journal.close({ forget: false });
      throw error;
    }
  }

  /** Bytes written. */
  get size(): number {
    return this.#size;
  }

  /** Appends a line. */
  append(value: JournalHead | JournalRecord): void {
    const line = journalLine(value);
    let { written, read } = new TextEncoder().encodeInto(line, this.#buffer);
    while (read < line.length) {
      this.#buffer = new Uint8Array(2 * this.#buffer.byteLength);
      ({ written, read } = new TextEncoder().encodeInto(line, this.#buffer));
    }
    if (this.#fd === undefined) throw new Error("The journal is closed");
    this.#fs.write(this.#fd, this.#buffer, 0, written, this.#size);
    this.#size += written;
  }

  /** Puts a short journal in place of this long one, atomically. */
  rewrite(head: JournalHead, records: readonly JournalRecord[]): void {
    const temporary = this.#path + REPLACEMENT_SUFFIX;
    const replacement = new JournalFile(this.#fs, temporary, this.#fs.create(temporary, JOURNAL_MODE), 0);
    try {
      for (const line of [head, ...records]) replacement.append(line);
      this.#fs.replace(temporary, this.#path);
    } catch (error) {
      replacement.close({ forget: true });
      throw error;
    }
    const old = this.#fd;
    this.#fd = replacement.#fd;
    this.#size = replacement.#size;
    if (old !== undefined) this.#fs.close(old);
  }

  /** Closes the file and leaves it: there is nothing more to note, but it is not to be forgotten yet. */
  release(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) this.#fs.close(fd);
  }

  /** Closes the file; with `forget`, removes it: the session will not be taken up again. */
  close(options: { readonly forget: boolean }): void {
    try {
      this.release();
    } finally {
      if (options.forget) this.#fs.remove(this.#path);
    }
  }
}

/** Path of a session's journal. */
export function journalPath(root: string, id: string): string {
  return join(root, STATE_DIRECTORY, id + JOURNAL_SUFFIX);
}
