/**
 * The server's own state below the dump directory (P9): the lock, and a journal for each session.
 *
 * @module
 */
import { join } from "@std/path";
import { STATE_DIRECTORY } from "../../kerneldump/files/names.ts";
import type { FileSystem } from "../../os/file_system.ts";
import { errorCode } from "../../os/system_error.ts";
import { JOURNAL_SUFFIX, journalPath, REPLACEMENT_SUFFIX } from "./journal_file.ts";

/** Permission bits by which others could write. */
const WRITABLE_BY_OTHERS = 0o022;
/** A journal is condensed at a megabyte; one that is far longer is no server's. */
const MOST_JOURNAL_BYTES = 64 * 1024 * 1024;

/** A state directory that somebody else made or can write to: what it says is not believed. */
export class StateDirectoryError extends Error {
  override readonly name = "StateDirectoryError";
}

/** A journal that was found. */
export interface FoundJournal {
  readonly id: string;
  /** Unix time in ms of its last line. */
  readonly writtenMs: number;
}

/** The state directory, held by this process. */
export class StateDirectory {
  readonly #fs: FileSystem;
  readonly #root: string;
  readonly #lock: { close(): void };

  private constructor(fs: FileSystem, root: string, lock: { close(): void }) {
    this.#fs = fs;
    this.#root = root;
    this.#lock = lock;
  }

  /**
   * Opens the state directory, making it if need be, and locks it.
   *
   * @param root real path of the dump directory
   * @throws {LockedError} if another server uses the dump directory
   * @throws {StateDirectoryError} if others could have written there
   */
  static async open(fs: FileSystem, root: string): Promise<StateDirectory> {
    const path = join(root, STATE_DIRECTORY);
    try {
      fs.makeDirectory(path);
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
    checkOwn(fs, root, path);
    return new StateDirectory(fs, root, await fs.lock(join(path, "lock")));
  }

  /** Journals of sessions that an earlier server left, the newest first. What it left half written is removed. */
  journals(): FoundJournal[] {
    const found: FoundJournal[] = [];
    const directory = join(this.#root, STATE_DIRECTORY);
    for (const name of this.#fs.list(directory)) {
      const path = join(directory, name);
      const entry = this.#fs.entry(path);
      if (entry?.kind !== "file") continue;
      if (name.endsWith(JOURNAL_SUFFIX + REPLACEMENT_SUFFIX)) this.#fs.remove(path);
      if (!name.endsWith(JOURNAL_SUFFIX)) continue;
      found.push({ id: name.slice(0, -JOURNAL_SUFFIX.length), writtenMs: entry.changedMs });
    }
    return found.sort((a, b) => b.writtenMs - a.writtenMs);
  }

  /**
   * Text of a journal, `undefined` if there is none.
   *
   * @throws {RangeError} if it is far longer than any
   */
  readJournal(id: string): string | undefined {
    return readJournalText(this.#fs, this.#root, id);
  }

  /** Gives the directory free. */
  close(): void {
    this.#lock.close();
  }
}

/**
 * Reads a session's journal; `undefined` if there is none.
 *
 * @throws {RangeError} if it is far longer than any
 */
export function readJournalText(fs: FileSystem, root: string, id: string): string | undefined {
  const path = journalPath(root, id);
  const entry = fs.entry(path);
  if (entry?.kind !== "file") return undefined;
  if (entry.sizeBytes > MOST_JOURNAL_BYTES) throw new RangeError(`its journal has ${entry.sizeBytes} bytes`);
  return fs.readText(path);
}

function checkOwn(fs: FileSystem, root: string, path: string): void {
  const entry = fs.entry(path);
  if (entry?.kind !== "directory") {
    throw new StateDirectoryError(`${path} is not a directory: remove it, the server makes its own`);
  }
  const user = ownerOfNewFiles(fs, root);
  if (entry.user !== user) {
    throw new StateDirectoryError(
      `${path} belongs to user ${entry.user}, and what this server creates to user ${user}: ` +
        "if that was the server before, chown it with all that is in it, else remove it",
    );
  }
  if ((entry.mode & WRITABLE_BY_OTHERS) !== 0) {
    throw new StateDirectoryError(
      `${path} can be written by others (mode ${
        entry.mode.toString(8)
      }): look at what is in it, then chmod 700 it`,
    );
  }
}

/** Whom a file belongs to that this process creates: it need not ask who it is, and a network file system may say otherwise. */
function ownerOfNewFiles(fs: FileSystem, root: string): number | undefined {
  const probe = join(root, `${STATE_DIRECTORY}.${crypto.randomUUID()}`);
  const fd = fs.create(probe, 0o600);
  try {
    return fs.entry(probe)?.user;
  } finally {
    fs.close(fd);
    fs.remove(probe);
  }
}
