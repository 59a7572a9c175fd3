/**
 * The server's own state below the dump directory (P9): the lock, the journals, and the list of sessions that have
 * no data, and so no journal, yet.
 *
 * @module
 */
import { join } from "@std/path";
import type { SessionIdentity } from "../session/journal.ts";
import { JOURNAL_SUFFIX, REPLACEMENT_SUFFIX } from "./journal_file.ts";
import { lockFile } from "../../os/lock_file.ts";
import { STATE_DIRECTORY } from "../../kerneldump/files/names.ts";

/** A journal that was found. */
export interface FoundJournal {
  readonly id: string;
  /** Unix time in ms of its last line. */
  readonly writtenMs: number;
}

/** The state directory, held by this process. */
export class StateDirectory {
  readonly #path: string;
  readonly #lock: Deno.FsFile;

  private constructor(path: string, lock: Deno.FsFile) {
    this.#path = path;
    this.#lock = lock;
  }

  /**
   * Opens the state directory, making it if need be, and locks it.
   *
   * @param root real path of the dump directory
   * @throws {LockedError} if another server uses the dump directory
   */
  static async open(root: string): Promise<StateDirectory> {
    const path = join(root, STATE_DIRECTORY);
    try {
      Deno.mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      if (!Deno.lstatSync(path).isDirectory) throw new TypeError(`${STATE_DIRECTORY} is not a directory`);
    }
    const lock = await lockFile(join(path, "lock"));
    return new StateDirectory(path, lock);
  }

  /** Journals of sessions that an earlier server left. What it left half written is removed. */
  journals(): FoundJournal[] {
    const found: FoundJournal[] = [];
    for (const { name } of Deno.readDirSync(this.#path)) {
      const path = join(this.#path, name);
      if (name.endsWith(REPLACEMENT_SUFFIX)) Deno.removeSync(path);
      if (!name.endsWith(JOURNAL_SUFFIX)) continue;
      const { mtime } = Deno.statSync(path);
      found.push({ id: name.slice(0, -JOURNAL_SUFFIX.length), writtenMs: mtime?.getTime() ?? 0 });
    }
    return found;
  }

  /** Text of a journal, `undefined` if there is none. */
  readJournal(id: string): string | undefined {
    try {
      return Deno.readTextFileSync(join(this.#path, id + JOURNAL_SUFFIX));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  /** Removes a journal, if it is there. */
  forget(id: string): void {
    try {
      Deno.removeSync(join(this.#path, id + JOURNAL_SUFFIX));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Sessions without data that an earlier server left. */
  readHeralds(): SessionIdentity[] {
    try {
      return JSON.parse(Deno.readTextFileSync(join(this.#path, "heralds"))) as SessionIdentity[];
    } catch {
      // None, or cut off: it is replaced atomically, so a cut-off one was never relied on.
      return [];
    }
  }

  /** Writes the sessions without data, atomically; to be done before a HERALD is acked. */
  writeHeralds(sessions: readonly SessionIdentity[]): void {
    const temporary = join(this.#path, "heralds" + REPLACEMENT_SUFFIX);
    Deno.writeTextFileSync(temporary, JSON.stringify(sessions), { mode: 0o600 });
    Deno.renameSync(temporary, join(this.#path, "heralds"));
  }

  /** Gives the directory free. */
  close(): void {
    this.#lock.close();
  }
}
