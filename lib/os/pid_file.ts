/**
 * The pid file (`--pidfile`): locked while the server runs, so that a second one refuses.
 *
 * @module
 */
import { lockFile } from "./lock_file.ts";

/** A pid file that is held by this process. */
export class PidFile {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Creates or takes over a pid file.
   *
   * @throws {LockedError} if another process holds it; `TypeError` if the file is something else
   */
  static async open(path: string): Promise<PidFile> {
    return new PidFile(path, await lockFile(path));
  }

  /** Removes the file, and with it the lock. */
  remove(): void {
    try {
      Deno.removeSync(this.#path);
    } catch {
      // Somebody was quicker.
    }
    this.#file.close();
  }
}
