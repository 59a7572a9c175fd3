/**
 * Where new journals go: the state directory, also if somebody removes it while the server runs.
 *
 * @module
 */
import { join } from "@std/path";
import { STATE_DIRECTORY } from "../../kerneldump/files/names.ts";
import type { FileSystem } from "../../os/file_system.ts";
import { errorCode } from "../../os/system_error.ts";
import type { JournalHead } from "../session/journal.ts";
import { JournalFile } from "./journal_file.ts";

/** The journals' directory of one dump directory. */
export class JournalDirectory {
  readonly #fs: FileSystem;
  /** Real path of the dump directory. */
  readonly #root: string;
  /** Its file system at the start; `undefined` if that could not be told. */
  readonly #device: number | undefined;

  constructor(fs: FileSystem, root: string) {
    this.#fs = fs;
    this.#root = root;
    this.#device = this.#deviceNow();
  }

  /**
   * Creates a journal. A directory that is gone is made anew, for no dump is worth less than that; but not where the dump
   * directory is on another disk than it was: then something is not mounted.
   *
   * @param onRemade is called if the directory was made anew
   * @throws the file system's error
   */
  create(head: JournalHead, onRemade: () => void): JournalFile {
    try {
      return JournalFile.create(this.#fs, this.#root, head);
    } catch (error) {
      const isSameDisk = this.#device !== undefined && this.#deviceNow() === this.#device;
      if (errorCode(error) !== "ENOENT" || !isSameDisk) throw error;
    }
    this.#fs.makeDirectory(join(this.#root, STATE_DIRECTORY));
    onRemade();
    return JournalFile.create(this.#fs, this.#root, head);
  }

  #deviceNow(): number | undefined {
    try {
      return this.#fs.entry(this.#root)?.device;
    } catch {
      return undefined;
    }
  }
}
