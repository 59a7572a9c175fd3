/**
 * The pid file (`--pidfile`): locked while the server runs, so that a second one refuses.
 *
 * @module
 */
import type { FileSystem } from "./file_system.ts";

/** A pid file that is held by this process. */
export class PidFile {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #file: { close(): void };

  private constructor(fs: FileSystem, path: string, file: { close(): void }) {
    this.#fs = fs;
    this.#path = path;
    this.#file = file;
  }

  /**
   * Creates or takes over a pid file.
   *
   * @throws {LockedError} if another process holds it; `TypeError` if the file is something else
   */
  static async open(fs: FileSystem, path: string): Promise<PidFile> {
    return new PidFile(fs, path, await fs.lock(path));
  }

  /** Removes the file, and with it the lock. */
  remove(): void {
    try {
      this.#fs.remove(this.#path);
    } catch {
      // Somebody was quicker.
    }
    this.#file.close();
  }
}
