/**
 * The files of one dump while it is received: core, header, key, info and journal (P1, P5, P10).
 *
 * @module
 */
import { join } from "@std/path";
import type { Compression } from "../../kerneldump/files/header.ts";
import { CoreFile, fileEquals } from "./core_file.ts";
import { checkPlace, raiseBounds, reserveIndex, resolvePlace } from "./dump_directory.ts";
import type { FileSystem } from "../../os/file_system.ts";
import type { DumpPlace } from "../session/journal.ts";
import type { JournalFile } from "./journal_file.ts";
import { coreName, type DumpNames, dumpNames, incompleteCoreName } from "../../kerneldump/files/names.ts";

const DUMP_FILE_MODE = 0o600;
/** Mode of a key file, as netdumpd's (reference netdump-protocol.md 5.3). */
const KEY_FILE_MODE = 0o400;

/** What becomes of a finished dump. */
export interface Ending {
  readonly complete: boolean;
  /** Unix time in ms. */
  readonly atMs: number;
  readonly encrypted: boolean;
  readonly compression: Compression;
  /** Size of the core file, where it is not where the last byte was written. */
  readonly coreBytes: number;
  /** Text of the info file. */
  readonly info: string;
}

/** Open files of one dump. Methods throw the file system's errors. */
export class DumpFiles {
  readonly place: DumpPlace;
  /** Real path of the directory the dump is in. */
  readonly directory: string;
  readonly names: DumpNames;
  readonly index: number;
  readonly journal: JournalFile;
  readonly #fs: FileSystem;
  readonly #coreFile: CoreFile;
  #core: string;
  #closed = false;

  private constructor(
    fs: FileSystem,
    directory: string,
    place: DumpPlace,
    index: number,
    open: { core: string; coreFile: CoreFile; journal: JournalFile },
  ) {
    this.#fs = fs;
    this.directory = directory;
    this.place = place;
    this.index = index;
    this.names = dumpNames(place.host, index);
    this.#core = open.core;
    this.#coreFile = open.coreFile;
    this.journal = open.journal;
  }

  /**
   * Creates the files of a new dump, all exclusively; what the journal says of them first, so that whatever a killed server
   * leaves is known. If one cannot be created, those before it are removed.
   *
   * @param directory real path of the directory that `place` names
   * @param journal the session's; it stays open if this fails
   */
  static create(
    fs: FileSystem,
    directory: string,
    place: DumpPlace,
    hostName: string | null,
    journal: JournalFile,
  ): DumpFiles {
    checkPlace(fs, directory);
    const { host } = place;
    journal.append({ place, hostName });
    const undo: (() => void)[] = [];
    try {
      const index = reserveIndex(
        fs,
        directory,
        host,
        (candidate) => journal.append({ reserving: candidate }),
      );
      undo.push(() => fs.remove(join(directory, dumpNames(host, index).info)));
      journal.append({ index });
      const core = incompleteCoreName(host, index, false);
      const path = join(directory, core);
      const coreFd = fs.create(path, DUMP_FILE_MODE);
      undo.push(() => fs.remove(path), () => fs.close(coreFd));
      const coreFile = new CoreFile(fs, coreFd);
      return new DumpFiles(fs, directory, place, index, { core, coreFile, journal });
    } catch (error) {
      tryEach(undo.reverse());
      throw error;
    }
  }

  /**
   * Opens the files of a dump that its journal tells of (P9).
   *
   * @param finalCore the core's final name, if it may have it already
   */
  static reopen(
    fs: FileSystem,
    root: string,
    place: DumpPlace,
    index: number,
    journal: JournalFile,
    finalCore: string | undefined,
  ): DumpFiles {
    const { host } = place;
    const directory = resolvePlace(fs, root, place.directory);
    const core = findCore(fs, directory, host, index, finalCore);
    const fd = fs.reopen(join(directory, core));
    try {
      const files = new DumpFiles(fs, directory, place, index, {
        core,
        coreFile: new CoreFile(fs, fd),
        journal,
      });
      if (fs.entry(files.#path("key")) !== undefined) fs.chmod(files.#path("key"), DUMP_FILE_MODE);
      return files;
    } catch (error) {
      fs.close(fd);
      throw error;
    }
  }

  /** Name of the core file at present. */
  get core(): string {
    return this.#core;
  }

  /** Size of the core file. */
  get coreSize(): number {
    return this.#coreFile.size;
  }

  /** Writes to the core (see {@linkcode CoreFile.write}). */
  writeCore(...written: Parameters<CoreFile["write"]>): void {
    this.#coreFile.write(...written);
  }

  /** Whether the core has these bytes (see {@linkcode CoreFile.equals}). */
  coreEquals(...expected: Parameters<CoreFile["equals"]>): boolean {
    return this.#coreFile.equals(...expected);
  }

  /** Whether the key has these bytes at `offset`. */
  keyEquals(offset: number, bytes: Uint8Array): boolean {
    return this.#within("key", (fd) => fileEquals(this.#fs, fd, bytes, offset));
  }

  /** Writes a piece of the kernel dump header. */
  writeHeader(offset: number, bytes: Uint8Array): void {
    this.#within("header", (fd) => this.#fs.write(fd, bytes, 0, bytes.byteLength, offset));
  }

  /** Writes a piece of the key. The first one makes the core's name that of an encrypted one. */
  writeKey(offset: number, bytes: Uint8Array): void {
    this.#within("key", (fd) => this.#fs.write(fd, bytes, 0, bytes.byteLength, offset));
    const { index, place: { host } } = this;
    if (this.#core === incompleteCoreName(host, index, false)) {
      this.#renameCore(incompleteCoreName(host, index, true));
    }
  }

  /** Replaces the text of the info file. */
  writeInfo(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.#within("info", (fd) => {
      this.#fs.write(fd, bytes, 0, bytes.byteLength, 0);
      this.#fs.truncate(fd, bytes.byteLength);
    });
  }

  /** Starts a sync of the core in the background, if enough has been written since the last (P2). */
  syncAsItGrows(onError: (error: unknown) => void): void {
    this.#coreFile.syncAsItGrows(onError);
  }

  /**
   * Makes the dump final (P1): everything on stable storage under its final names. May be called again after it
   * was interrupted.
   */
  async finalize(ending: Ending): Promise<void> {
    const { index, place: { host } } = this;
    this.#coreFile.setSize(ending.coreBytes);
    await this.#coreFile.sync();
    this.#renameCore(
      ending.complete
        ? coreName(host, index, ending.encrypted, ending.compression)
        : incompleteCoreName(host, index, ending.encrypted),
    );
    await this.#label(ending.info);
    await this.#fs.syncDirectory(this.directory);
    try {
      this.journal.append({ final: ending.complete, atMs: ending.atMs, core: this.#core });
    } catch {
      // The dump is final. A server that is started again makes it final once more, which changes nothing.
    }
  }

  /** Notes the next index for the host's dumps. No dump depends on it. */
  raiseBounds(): void {
    raiseBounds(this.#fs, this.directory, this.place.host, this.index + 1);
  }

  /**
   * Labels the dump as incomplete and leaves it (P10). Every step is tried whatever becomes of the others.
   *
   * @returns the first error
   */
  async abandon(encrypted: boolean, info: string): Promise<unknown> {
    const { index, place: { host } } = this;
    let first: unknown;
    const attempt = async (step: () => unknown) => {
      try {
        await step();
      } catch (error) {
        first ??= error;
      }
    };
    await attempt(() => this.#renameCore(incompleteCoreName(host, index, encrypted)));
    // A write that failed half-way may have left bytes behind those that were acked.
    await attempt(() => this.#coreFile.setSize(this.#coreFile.size));
    await attempt(() => this.#label(info));
    await attempt(() => this.#coreFile.sync());
    await attempt(() => this.#fs.syncDirectory(this.directory));
    return first;
  }

  /** Removes the files of a dump that has received nothing, but for its journal. Every step is tried. */
  discard(): void {
    const paths = [this.#core, this.names.info].map((name) => join(this.directory, name));
    tryEach([...paths.map((path) => () => this.#fs.remove(path)), () => this.closeCore()]);
  }

  /**
   * Closes all files: what is final is not written any more, and whoever asks for its last ack needs none of them.
   *
   * @throws the first error, after all of them were tried
   */
  closeFinal(): void {
    const error = tryEach([() => this.closeCore(), () => this.journal.release()]);
    if (error !== undefined) throw error;
  }

  /**
   * Closes all files; with `forget`, removes the journal: the session will not be taken up again.
   *
   * @throws the first error, after all of them were tried
   */
  close(options: { readonly forget: boolean }): void {
    const error = tryEach([() => this.closeCore(), () => this.journal.close(options)]);
    if (error !== undefined) throw error;
  }

  /** Closes the core file alone; the journal is its owner's to close. */
  closeCore(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#coreFile.close();
  }

  #path(file: keyof DumpNames): string {
    return join(this.directory, this.names[file]);
  }

  /**
   * Does something with one of the small files, which is open only for that long: descriptors are what a server runs out
   * of first. It is created if it is not there.
   */
  #within<T>(file: keyof DumpNames, use: (fd: number) => T): T {
    checkPlace(this.#fs, this.directory);
    const path = this.#path(file);
    const fd = this.#fs.entry(path) === undefined
      ? this.#fs.create(path, DUMP_FILE_MODE)
      : this.#fs.reopen(path);
    let result: T;
    try {
      result = use(fd);
    } catch (error) {
      tryEach([() => this.#fs.close(fd)]);
      throw error;
    }
    this.#fs.close(fd);
    return result;
  }

  #renameCore(to: string): void {
    if (to === this.#core) return;
    checkPlace(this.#fs, this.directory);
    this.#fs.renameExclusively(join(this.directory, this.#core), join(this.directory, to));
    this.#core = to;
  }

  async #label(info: string): Promise<void> {
    this.writeInfo(info);
    await this.#sync("info");
    await this.#sync("header");
    await this.#sync("key");
    if (this.#fs.entry(this.#path("key")) !== undefined) this.#fs.chmod(this.#path("key"), KEY_FILE_MODE);
  }

  async #sync(file: keyof DumpNames): Promise<void> {
    checkPlace(this.#fs, this.directory);
    if (this.#fs.entry(this.#path(file)) === undefined) return;
    const fd = this.#fs.reopen(this.#path(file));
    try {
      await this.#fs.sync(fd);
    } finally {
      this.#fs.close(fd);
    }
  }
}

/**
 * Finds the core file of a dump. A server killed in the middle of a renaming leaves two names on one file; the old
 * one is removed.
 */
function findCore(
  fs: FileSystem,
  directory: string,
  host: string,
  index: number,
  finalCore: string | undefined,
): string {
  const names = [
    ...(finalCore === undefined ? [] : [finalCore]),
    incompleteCoreName(host, index, true),
    incompleteCoreName(host, index, false),
  ];
  const [core, ...older] = [...new Set(names)].flatMap((name) => {
    const entry = fs.entry(join(directory, name));
    return entry?.kind === "file" ? [{ name, inode: entry.inode }] : [];
  });
  if (core === undefined) throw new Error("the core file is gone");
  for (const { name, inode } of older) {
    if (inode === core.inode) fs.remove(join(directory, name));
  }
  return core.name;
}

/** Does everything, whatever goes wrong; returns the first error. */
function tryEach(steps: readonly (() => void)[]): unknown {
  let first: unknown;
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      first ??= error;
    }
  }
  return first;
}
