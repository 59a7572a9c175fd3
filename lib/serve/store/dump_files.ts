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
import type { DumpPlace, JournalHead } from "../session/journal.ts";
import { JournalFile } from "./journal_file.ts";
import { coreName, type DumpNames, dumpNames, incompleteCoreName } from "../../kerneldump/files/names.ts";

const DUMP_FILE_MODE = 0o600;
/** Mode of a key file, as netdumpd's (reference netdump-protocol.md 5.3). */
const KEY_FILE_MODE = 0o400;

/** What becomes of a finished dump. */
export interface Ending {
  readonly complete: boolean;
  readonly encrypted: boolean;
  readonly compression: Compression;
  /** Size of the core file, where it is not where the last byte was written. */
  readonly coreBytes: number;
  /** Text of the info file. */
  readonly info: string;
}

/** The links to the newest dump, to be made by a thread that may (a worker may not, being held to a directory). */
export interface LinkRequest {
  readonly directory: string;
  readonly host: string;
  readonly core: string;
  readonly info: string;
  /** `false` takes the links away again, if they lead to this dump: it did not become final after all. */
  readonly wanted: boolean;
}

/** Makes or removes links; rejects with what went wrong. */
export type Linker = (request: LinkRequest) => Promise<void>;

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
  readonly #infoFd: number;
  #core: string;
  #headerFd: number | undefined;
  #keyFd: number | undefined;
  #linked = false;
  #closed = false;

  private constructor(
    fs: FileSystem,
    directory: string,
    place: DumpPlace,
    index: number,
    open: { core: string; coreFile: CoreFile; infoFd: number; journal: JournalFile },
  ) {
    this.#fs = fs;
    this.directory = directory;
    this.place = place;
    this.index = index;
    this.names = dumpNames(place.host, index);
    this.#core = open.core;
    this.#coreFile = open.coreFile;
    this.#infoFd = open.infoFd;
    this.journal = open.journal;
  }

  /**
   * Creates the files of a new dump, all exclusively; the journal first, so that whatever a killed server leaves is
   * known. If one cannot be created, those before it are removed.
   *
   * @param root real path of the dump directory
   * @param directory real path of the directory below it
   */
  static create(fs: FileSystem, root: string, directory: string, head: JournalHead): DumpFiles {
    checkPlace(fs, directory);
    const { host } = head.place;
    const journal = JournalFile.create(fs, root, head);
    const undo = [() => journal.close({ forget: true })];
    try {
      const { index, infoFd } = reserveIndex(fs, directory, host);
      undo.push(() => fs.remove(join(directory, dumpNames(host, index).info)), () => fs.close(infoFd));
      journal.append({ index });
      const core = incompleteCoreName(host, index, false);
      const path = join(directory, core);
      const coreFd = fs.create(path, DUMP_FILE_MODE);
      undo.push(() => fs.remove(path), () => fs.close(coreFd));
      const coreFile = new CoreFile(fs, coreFd);
      return new DumpFiles(fs, directory, head.place, index, { core, coreFile, infoFd, journal });
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
    head: JournalHead,
    index: number,
    finalCore: string | undefined,
  ): DumpFiles {
    const { host } = head.place;
    const directory = resolvePlace(fs, root, head.place.directory);
    const core = findCore(fs, directory, host, index, finalCore);
    const names = dumpNames(host, index);
    const undo: (() => void)[] = [];
    const open = (name: string) => {
      const path = join(directory, name);
      const fd = fs.entry(path) === undefined ? fs.create(path, DUMP_FILE_MODE) : fs.reopen(path);
      undo.push(() => fs.close(fd));
      return fd;
    };
    try {
      const coreFile = new CoreFile(fs, open(core));
      const infoFd = open(names.info);
      const journal = JournalFile.reopen(fs, root, head.session.id);
      undo.push(() => journal.close({ forget: false }));
      const files = new DumpFiles(fs, directory, head.place, index, { core, coreFile, infoFd, journal });
      files.#linked = core === finalCore;
      if (fs.entry(join(directory, names.header)) !== undefined) files.#headerFd = open(names.header);
      if (fs.entry(join(directory, names.key)) !== undefined) {
        fs.chmod(join(directory, names.key), DUMP_FILE_MODE);
        files.#keyFd = open(names.key);
      }
      return files;
    } catch (error) {
      tryEach(undo.reverse());
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
    return this.#keyFd !== undefined && fileEquals(this.#fs, this.#keyFd, bytes, offset);
  }

  /** Writes a piece of the kernel dump header. */
  writeHeader(offset: number, bytes: Uint8Array): void {
    this.#headerFd ??= this.#create(this.names.header);
    this.#fs.write(this.#headerFd, bytes, 0, bytes.byteLength, offset);
  }

  /** Writes a piece of the key. The first one makes the core's name that of an encrypted one. */
  writeKey(offset: number, bytes: Uint8Array): void {
    this.#keyFd ??= this.#create(this.names.key);
    this.#fs.write(this.#keyFd, bytes, 0, bytes.byteLength, offset);
    const { index, place: { host } } = this;
    if (this.#core === incompleteCoreName(host, index, false)) {
      this.#renameCore(incompleteCoreName(host, index, true));
    }
  }

  /** Replaces the text of the info file. */
  writeInfo(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.#fs.write(this.#infoFd, bytes, 0, bytes.byteLength, 0);
    this.#fs.truncate(this.#infoFd, bytes.byteLength);
  }

  /** Starts a sync of the core in the background, if enough has been written since the last (P2). */
  syncAsItGrows(onError: (error: unknown) => void): void {
    this.#coreFile.syncAsItGrows(onError);
  }

  /**
   * Makes the dump final (P1): everything on stable storage under its final names. May be called again after it
   * was interrupted.
   *
   * @param link called for a complete dump only
   */
  async finalize(ending: Ending, link: Linker): Promise<void> {
    const { index, place: { host } } = this;
    this.#coreFile.setSize(ending.coreBytes);
    await this.#coreFile.sync();
    this.#renameCore(
      ending.complete
        ? coreName(host, index, ending.encrypted, ending.compression)
        : incompleteCoreName(host, index, ending.encrypted),
    );
    await this.#label(ending.info);
    await raiseBounds(this.#fs, this.directory, host, index + 1);
    if (ending.complete) {
      this.#linked = true;
      await link(this.#linkRequest(true));
    }
    await this.#fs.syncDirectory(this.directory);
    try {
      this.journal.append({ final: ending.complete, atMs: Date.now(), core: this.#core });
    } catch {
      // The dump is final. A server that is started again makes it final once more, which changes nothing.
    }
  }

  /**
   * Labels the dump as incomplete and leaves it (P10). Every step is tried whatever becomes of the others.
   *
   * @param link takes links away that a dump got which could not be made final
   * @returns the first error
   */
  async abandon(encrypted: boolean, info: string, link: Linker): Promise<unknown> {
    const { index, place: { host } } = this;
    let first: unknown;
    const attempt = async (step: () => unknown) => {
      try {
        await step();
      } catch (error) {
        first ??= error;
      }
    };
    if (this.#linked) await attempt(() => link(this.#linkRequest(false)));
    await attempt(() => this.#renameCore(incompleteCoreName(host, index, encrypted)));
    // A write that failed half-way may have left bytes behind those that were acked.
    await attempt(() => this.#coreFile.setSize(this.#coreFile.size));
    await attempt(() => this.#label(info));
    await attempt(() => this.#coreFile.sync());
    await attempt(() => raiseBounds(this.#fs, this.directory, host, index + 1));
    await attempt(() => this.#fs.syncDirectory(this.directory));
    return first;
  }

  /** Removes the files of a dump that has received nothing. Every step is tried. */
  discard(): void {
    const paths = [this.#core, this.names.info].map((name) => join(this.directory, name));
    tryEach([...paths.map((path) => () => this.#fs.remove(path)), () => this.close({ forget: true })]);
  }

  /**
   * Closes all files but the journal: what is final is not written any more.
   *
   * @throws the first error, after all of them were tried
   */
  closeFinal(): void {
    if (this.#closed) return;
    this.#closed = true;
    const fds = [this.#infoFd, this.#headerFd, this.#keyFd].filter((fd) => fd !== undefined);
    const error = tryEach([() => this.#coreFile.close(), ...fds.map((fd) => () => this.#fs.close(fd))]);
    if (error !== undefined) throw error;
  }

  /**
   * Closes all files; with `forget`, removes the journal: the session will not be taken up again.
   *
   * @throws the first error, after all of them were tried
   */
  close(options: { readonly forget: boolean }): void {
    const error = tryEach([() => this.closeFinal(), () => this.journal.close(options)]);
    if (error !== undefined) throw error;
  }

  #linkRequest(wanted: boolean): LinkRequest {
    return {
      directory: this.directory,
      host: this.place.host,
      core: this.#core,
      info: this.names.info,
      wanted,
    };
  }

  #create(name: string): number {
    checkPlace(this.#fs, this.directory);
    return this.#fs.create(join(this.directory, name), DUMP_FILE_MODE);
  }

  #renameCore(to: string): void {
    if (to === this.#core) return;
    checkPlace(this.#fs, this.directory);
    this.#fs.renameExclusively(join(this.directory, this.#core), join(this.directory, to));
    this.#core = to;
  }

  async #label(info: string): Promise<void> {
    this.writeInfo(info);
    await this.#fs.sync(this.#infoFd);
    if (this.#headerFd !== undefined) await this.#fs.sync(this.#headerFd);
    if (this.#keyFd !== undefined) {
      await this.#fs.sync(this.#keyFd);
      checkPlace(this.#fs, this.directory);
      this.#fs.chmod(join(this.directory, this.names.key), KEY_FILE_MODE);
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
