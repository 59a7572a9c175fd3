/**
 * The files of one dump while it is received: core, header, key, info and journal (P1, P5, P10).
 *
 * @module
 */
import { join } from "@std/path";
import type { Compression } from "../kerneldump/header.ts";
import { checkPlace, raiseBounds, reserveIndex, resolvePlace } from "./dump_directory.ts";
import { errorCode, type FileSystem } from "./file_system.ts";
import type { DumpPlace, JournalHead } from "./journal.ts";
import { JournalFile } from "./journal_file.ts";
import { coreName, type DumpNames, dumpNames, incompleteCoreName, parseDumpName } from "./names.ts";

const DUMP_FILE_MODE = 0o600;
/** Mode of a key file, as netdumpd's (reference netdump-protocol.md 5.3). */
const KEY_FILE_MODE = 0o400;
/** Zeros of this size and alignment are not written: the file stays sparse where the dump is empty. */
const SPARSE_BLOCK_SIZE = 4096;
/** A long dump is synced each time it has grown by so much, so that the last sync is short (P2). */
const SYNC_EVERY_BYTES = 128 * 1024 * 1024;

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
  readonly #coreFd: number;
  readonly #infoFd: number;
  #core: string;
  #headerFd: number | undefined;
  #keyFd: number | undefined;
  #coreSize: number;
  #syncedSize = 0;
  #syncing: Promise<void> | undefined;

  private constructor(
    fs: FileSystem,
    directory: string,
    place: DumpPlace,
    index: number,
    open: { core: string; coreFd: number; infoFd: number; journal: JournalFile },
  ) {
    this.#fs = fs;
    this.directory = directory;
    this.place = place;
    this.index = index;
    this.names = dumpNames(place.host, index);
    this.#core = open.core;
    this.#coreFd = open.coreFd;
    this.#infoFd = open.infoFd;
    this.journal = open.journal;
    this.#coreSize = fs.sizeOf(open.coreFd);
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
      const coreFd = fs.create(join(directory, core), DUMP_FILE_MODE);
      return new DumpFiles(fs, directory, head.place, index, { core, coreFd, infoFd, journal });
    } catch (error) {
      for (const step of undo.reverse()) step();
      throw error;
    }
  }

  /**
   * Opens the files of a dump that its journal tells of (P9).
   *
   * @param finalCore the core's final name, if it may have it already
   * @returns `undefined` if the server was killed before they all existed; what did exist is removed
   */
  static reopen(
    fs: FileSystem,
    root: string,
    head: JournalHead,
    index: number | undefined,
    finalCore: string | undefined,
  ): DumpFiles | undefined {
    const { host } = head.place;
    const directory = resolvePlace(fs, root, head.place.directory);
    if (index === undefined) {
      removeReservations(fs, directory, host);
      return undefined;
    }
    const core = [
      ...(finalCore === undefined ? [] : [finalCore]),
      incompleteCoreName(host, index, true),
      incompleteCoreName(host, index, false),
    ].find((name) => fs.entry(join(directory, name))?.kind === "file");
    if (core === undefined) {
      removeReservations(fs, directory, host);
      return undefined;
    }
    const names = dumpNames(host, index);
    const opened: number[] = [];
    const open = (path: string) => {
      const fd = fs.reopen(path);
      opened.push(fd);
      return fd;
    };
    try {
      const coreFd = open(join(directory, core));
      const infoFd = open(join(directory, names.info));
      const journal = JournalFile.reopen(fs, root, head.session.id);
      const files = new DumpFiles(fs, directory, head.place, index, { core, coreFd, infoFd, journal });
      files.#headerFd = files.#reopenIfThere(names.header, open);
      files.#keyFd = files.#reopenIfThere(names.key, open);
      return files;
    } catch (error) {
      for (const fd of opened) fs.close(fd);
      throw error;
    }
  }

  /** Name of the core file at present. */
  get core(): string {
    return this.#core;
  }

  /** Size of the core file. */
  get coreSize(): number {
    return this.#coreSize;
  }

  /**
   * Writes `bytes[at, at + length)` at `offset` of the core. Blocks of zeros behind the end of the file are left
   * out; the file is prolonged over them.
   *
   * @param words the same memory as `bytes`, from its start
   */
  writeCore(bytes: Uint8Array, words: Int32Array, at: number, length: number, offset: number): void {
    const end = offset + length;
    if (offset < this.#coreSize || (at & 3) !== 0) {
      this.#fs.write(this.#coreFd, bytes, at, length, offset);
    } else {
      this.#writeSparsely(bytes, words, at, length, offset);
    }
    if (end > this.#coreSize) this.#coreSize = end;
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

  /** Starts a sync of the core in the background, if it has grown enough since the last (P2). */
  syncAsItGrows(onError: (error: unknown) => void): void {
    if (this.#syncing !== undefined || this.#coreSize - this.#syncedSize < SYNC_EVERY_BYTES) return;
    this.#syncedSize = this.#coreSize;
    this.#syncing = this.#fs.sync(this.#coreFd).catch(onError).finally(() => this.#syncing = undefined);
  }

  /**
   * Makes the dump final (P1): everything on stable storage under its final names. May be called again after it
   * was interrupted.
   *
   * @param link makes the links to the newest dump; called for a complete dump only
   */
  async finalize(ending: Ending, link: (request: LinkRequest) => Promise<void>): Promise<void> {
    const { index, place: { host } } = this;
    await this.#syncing;
    this.#setCoreSize(ending.coreBytes);
    await this.#fs.sync(this.#coreFd);
    this.#renameCore(
      ending.complete
        ? coreName(host, index, ending.encrypted, ending.compression)
        : incompleteCoreName(host, index, ending.encrypted),
    );
    await this.#label(ending.info);
    await raiseBounds(this.#fs, this.directory, host, index + 1);
    if (ending.complete) {
      await link({ directory: this.directory, host, core: this.#core, info: this.names.info });
    }
    await this.#fs.syncDirectory(this.directory);
    this.journal.append({ final: ending.complete, atMs: Date.now(), core: this.#core });
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
    await attempt(() => this.#syncing);
    await attempt(() => this.#renameCore(incompleteCoreName(host, index, encrypted)));
    await attempt(() => this.#setCoreSize(this.#coreSize));
    await attempt(() => this.#label(info));
    await attempt(() => this.#fs.sync(this.#coreFd));
    await attempt(() => raiseBounds(this.#fs, this.directory, host, index + 1));
    await attempt(() => this.#fs.syncDirectory(this.directory));
    return first;
  }

  /** Closes all files; with `forget`, removes the journal: the session will not be taken up again. */
  close(options: { readonly forget: boolean }): void {
    for (const fd of [this.#coreFd, this.#infoFd, this.#headerFd, this.#keyFd]) {
      if (fd !== undefined) this.#fs.close(fd);
    }
    this.journal.close(options);
  }

  #create(name: string): number {
    checkPlace(this.#fs, this.directory);
    return this.#fs.create(join(this.directory, name), DUMP_FILE_MODE);
  }

  #reopenIfThere(name: string, open: (path: string) => number): number | undefined {
    const path = join(this.directory, name);
    if (this.#fs.entry(path) === undefined) return undefined;
    // A key that was made read-only is final, and not written again.
    this.#fs.chmod(path, DUMP_FILE_MODE);
    return open(path);
  }

  #renameCore(to: string): void {
    if (to === this.#core) return;
    checkPlace(this.#fs, this.directory);
    const from = join(this.directory, this.#core);
    const target = join(this.directory, to);
    try {
      this.#fs.renameExclusively(from, target);
    } catch (error) {
      // A server killed between link and unlink leaves both names on one file.
      const there = this.#fs.entry(target);
      if (errorCode(error) !== "EEXIST" || there?.inode !== this.#fs.entry(from)?.inode) throw error;
      this.#fs.remove(from);
    }
    this.#core = to;
  }

  #setCoreSize(sizeBytes: number): void {
    if (this.#fs.sizeOf(this.#coreFd) !== sizeBytes) this.#fs.truncate(this.#coreFd, sizeBytes);
    this.#coreSize = sizeBytes;
  }

  async #label(info: string): Promise<void> {
    this.writeInfo(info);
    await this.#fs.sync(this.#infoFd);
    if (this.#headerFd !== undefined) await this.#fs.sync(this.#headerFd);
    if (this.#keyFd !== undefined) {
      await this.#fs.sync(this.#keyFd);
      this.#fs.chmod(join(this.directory, this.names.key), KEY_FILE_MODE);
    }
  }

  #writeSparsely(bytes: Uint8Array, words: Int32Array, at: number, length: number, offset: number): void {
    const firstBlock = Math.ceil(offset / SPARSE_BLOCK_SIZE) * SPARSE_BLOCK_SIZE;
    let pending = 0; // start of what is to be written, relative to `at`
    let position = Math.min(firstBlock - offset, length);
    for (; position + SPARSE_BLOCK_SIZE <= length; position += SPARSE_BLOCK_SIZE) {
      if (!isZero(words, (at + position) >> 2, SPARSE_BLOCK_SIZE >> 2)) continue;
      if (position > pending) {
        this.#fs.write(this.#coreFd, bytes, at + pending, position - pending, offset + pending);
      }
      pending = position + SPARSE_BLOCK_SIZE;
    }
    if (pending < length) {
      this.#fs.write(this.#coreFd, bytes, at + pending, length - pending, offset + pending);
    } else if (pending > 0) {
      this.#fs.truncate(this.#coreFd, offset + length);
    }
  }
}

/**
 * Removes info files that reserve an index and were never written, with their empty cores: what a server leaves
 * that was killed while it created a dump's files. Only to be called before sessions run.
 */
function removeReservations(fs: FileSystem, directory: string, host: string): void {
  for (const name of fs.list(directory)) {
    const parsed = parseDumpName(name, host);
    if (parsed?.stem !== "info" || fs.entry(join(directory, name))?.sizeBytes !== 0) continue;
    fs.remove(join(directory, name));
    const core = join(directory, incompleteCoreName(host, parsed.index, false));
    if (fs.entry(core)?.sizeBytes === 0) fs.remove(core);
  }
}

function isZero(words: Int32Array, from: number, count: number): boolean {
  for (let i = from, end = from + count; i < end; i++) {
    if (words[i] !== 0) return false;
  }
  return true;
}
