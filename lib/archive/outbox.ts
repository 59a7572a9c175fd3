/**
 * What is to be shipped, and what has been: `.netdump/outbox/` below the dump directory. Every final dump without a mark there is
 * to be shipped, so that a kill at any moment loses none; a mark is made behind the catalogue entry only (P12).
 *
 * @module
 */
import { join } from "@std/path";
import { looksLikeInfo, MAX_INFO_BYTES, parseInfo } from "../kerneldump/files/read_info.ts";
import { allDumpNames, INCOMPLETE_SUFFIX, isHostLabel, STATE_DIRECTORY } from "../kerneldump/files/names.ts";
import type { FileSystem } from "../os/file_system.ts";
import { errorCode } from "../os/system_error.ts";
import { type ShippedName } from "./keys.ts";
import { sha256Hex } from "./signature.ts";

const OUTBOX_DIRECTORY = "outbox";
const COLLECTOR_FILE = "collector";
const MARK_SUFFIX = ".shipped";
const BEGUN_SUFFIX = ".begun";
/** Directories below the dump directory that are looked into, and how deep they lie. */
const MAX_DIRECTORIES = 10_000;
const MAX_DEPTH = 16;

/** A dump in the dump directory that has come to its end. */
export interface FinalDump extends ShippedName {
  /** Path below the dump directory, `.` for itself. */
  readonly directory: string;
  /** Names of its files in that directory, the info file last. */
  readonly files: readonly string[];
  readonly info: string;
  readonly infoText: string;
  /** Last line of the info file. */
  readonly ending: string;
  readonly complete: boolean;
}

/** What a mark says. */
export interface ShippedMark {
  readonly directory: string;
  readonly host: string;
  readonly number: number;
  readonly startedMs: number;
  readonly complete: boolean;
  /** Key of its catalogue entry. */
  readonly catalogueKey: string;
}

/** The outbox of a dump directory. */
export class Outbox {
  readonly #fs: FileSystem;
  readonly #root: string;
  readonly #path: string;
  /** Names this dump directory among all that share a bucket. */
  readonly collector: string;
  /** Info files whose dumps are marked, as they were when that was seen. */
  readonly #known = new Map<string, string>();

  private constructor(fs: FileSystem, root: string, path: string, collector: string) {
    this.#fs = fs;
    this.#root = root;
    this.#path = path;
    this.collector = collector;
  }

  /** Opens the outbox that {@linkcode makeOutbox} made. */
  static async open(fs: FileSystem, root: string): Promise<Outbox> {
    const path = outboxPath(root);
    const file = join(path, COLLECTOR_FILE);
    const found = fs.entry(file)?.kind === "file" ? fs.readText(file).trim() : "";
    if (/^[0-9a-f-]{36}$/.test(found)) return new Outbox(fs, root, path, found);
    const collector = crypto.randomUUID();
    await writeDurably(fs, path, COLLECTOR_FILE, `${collector}\n`);
    return new Outbox(fs, root, path, collector);
  }

  /**
   * Dumps that have ended and are not marked, the oldest first.
   *
   * @param settledMs an incomplete dump may still be taken up by a server; it is left until its files are so old
   */
  pending(nowMs: number, settledMs: number): FinalDump[] {
    const found: FinalDump[] = [];
    for (const directory of this.#directories()) {
      const names = this.#fs.list(join(this.#root, directory));
      for (const name of names) {
        const dump = this.#look(directory, name, new Set(names), nowMs - settledMs);
        if (dump !== undefined) found.push(dump);
      }
    }
    return found.sort((a, b) => a.startedMs - b.startedMs);
  }

  /** Whether a dump's info file still says what it said. */
  isUnchanged(dump: FinalDump): boolean {
    return this.#readInfo(join(this.#root, dump.directory, dump.info)) === dump.infoText;
  }

  /**
   * Notes, durably, under which keys a dump is going to be stored.
   *
   * @returns whether that was noted before
   */
  async begin(dump: FinalDump, keys: readonly string[]): Promise<boolean> {
    const name = `${dump.id}${BEGUN_SUFFIX}`;
    if (this.#fs.entry(join(this.#path, name)) !== undefined) return true;
    await writeDurably(this.#fs, this.#path, name, `${JSON.stringify(keys)}\n`);
    return false;
  }

  /** What was begun and will not be ended: the dump is gone, or is another one now. */
  abandoned(pending: readonly FinalDump[]): { readonly name: string; readonly keys: readonly string[] }[] {
    const running = new Set(pending.map(({ id }) => `${id}${BEGUN_SUFFIX}`));
    return this.#fs.list(this.#path).flatMap((name) => {
      if (!name.endsWith(BEGUN_SUFFIX) || running.has(name)) return [];
      return [{ name, keys: parseKeys(this.#fs.readText(join(this.#path, name))) }];
    });
  }

  /** Takes back a note that {@linkcode abandoned} gave. */
  forget(name: string): void {
    this.#fs.remove(join(this.#path, name));
  }

  /** Notes, durably, that a dump is in the store and in its catalogue. */
  async mark(dump: FinalDump, catalogueKey: string): Promise<void> {
    const { directory, host, number, startedMs, complete } = dump;
    const mark: ShippedMark = { directory, host, number, startedMs, complete, catalogueKey };
    await writeDurably(this.#fs, this.#path, `${dump.id}${MARK_SUFFIX}`, `${JSON.stringify(mark)}\n`);
    this.forget(`${dump.id}${BEGUN_SUFFIX}`);
  }

  /** Removes marks of dumps that are no longer here. */
  tidy(): void {
    for (const { name, mark } of readMarks(this.#fs, this.#root)) {
      const info = join(this.#root, mark.directory, `info.${mark.host}.${mark.number}`);
      if (this.#fs.entry(info) === undefined) this.#fs.remove(join(this.#path, name));
    }
  }

  #look(
    directory: string,
    info: string,
    names: ReadonlySet<string>,
    settledMs: number,
  ): FinalDump | undefined {
    const [, host = "", digits = ""] = /^info\.(.{1,160})\.(\d{1,9})$/s.exec(info) ?? [];
    if (!isHostLabel(host)) return undefined;
    const number = Number(digits);
    const path = join(this.#root, directory, info);
    const entry = this.#fs.entry(path);
    if (entry?.kind !== "file") return undefined;
    const state = `${entry.inode} ${entry.changedMs} ${entry.sizeBytes}`;
    if (this.#known.get(path) === state) return undefined;
    const infoText = this.#readInfo(path);
    if (infoText === undefined || !looksLikeInfo(infoText)) return undefined;
    const read = parseInfo(infoText);
    if (read === undefined || read.ending === null) return undefined;
    const id = sha256Hex(`${this.collector}\n${directory}\n${info}\n${infoText}`).slice(0, 16);
    if (this.#fs.entry(join(this.#path, `${id}${MARK_SUFFIX}`)) !== undefined) {
      this.#known.set(path, state);
      return undefined;
    }
    const files = allDumpNames(host, number).filter((name) => name !== info && names.has(name));
    const core = files.find((name) => name.startsWith("vmcore"));
    const complete = read.ending === "Dump complete" && core !== undefined &&
      !core.endsWith(INCOMPLETE_SUFFIX);
    if (core === undefined || (!complete && entry.changedMs > settledMs)) return undefined;
    const started = read.others.find(([label]) => label === "Started")?.[1] ?? "";
    const startedMs = saneTime(Date.parse(started)) ?? saneTime((read.dumpTime ?? NaN) * 1000) ??
      Math.floor(entry.changedMs);
    return {
      ...{ host, number, startedMs, id, directory, info, infoText, complete },
      ending: read.ending,
      files: [...files, info],
    };
  }

  #readInfo(path: string): string | undefined {
    try {
      const entry = this.#fs.entry(path);
      if (entry?.kind !== "file" || entry.sizeBytes > MAX_INFO_BYTES) return undefined;
      return this.#fs.readText(path);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  /** The dump directory and those below it, but for links and what begins with a dot. */
  #directories(): string[] {
    const directories = ["."];
    for (const directory of directories) {
      if (directory.split("/").length > MAX_DEPTH) continue;
      for (const name of this.#fs.list(join(this.#root, directory))) {
        if (directories.length >= MAX_DIRECTORIES || name.startsWith(".")) continue;
        const path = directory === "." ? name : `${directory}/${name}`;
        if (this.#fs.entry(join(this.#root, path))?.kind === "directory") directories.push(path);
      }
    }
    return directories;
  }
}

/** Makes the outbox of a dump directory whose state directory is there; its path. */
export function makeOutbox(fs: FileSystem, root: string): string {
  const path = outboxPath(root);
  try {
    fs.makeDirectory(path);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
  if (fs.entry(path)?.kind !== "directory") throw new Error(`${path} is not a directory`);
  return path;
}

/** The marks there are, with their file names. */
export function readMarks(
  fs: FileSystem,
  root: string,
): { readonly name: string; readonly mark: ShippedMark }[] {
  const path = outboxPath(root);
  return fs.list(path).filter((name) => name.endsWith(MARK_SUFFIX)).flatMap((name) => {
    const mark = parseMark(fs.readText(join(path, name)));
    return mark === undefined ? [] : [{ name, mark }];
  });
}

function parseMark(text: string): ShippedMark | undefined {
  try {
    const { directory, host, number, startedMs, complete, catalogueKey } = JSON.parse(text);
    if (typeof directory !== "string" || directory.split("/").includes("..")) return undefined;
    if (typeof host !== "string" || !isHostLabel(host) || !Number.isSafeInteger(number)) return undefined;
    if (typeof startedMs !== "number" || typeof complete !== "boolean" || typeof catalogueKey !== "string") {
      return undefined;
    }
    return { directory, host, number, startedMs, complete, catalogueKey };
  } catch {
    return undefined;
  }
}

function parseKeys(text: string): string[] {
  try {
    const keys: unknown = JSON.parse(text);
    return Array.isArray(keys) ? keys.filter((key) => typeof key === "string") : [];
  } catch {
    return [];
  }
}

function outboxPath(root: string): string {
  return join(root, STATE_DIRECTORY, OUTBOX_DIRECTORY);
}

/** A time that a key can have. */
function saneTime(unixMs: number): number | undefined {
  return unixMs >= 0 && unixMs < Date.UTC(9999, 0) ? unixMs : undefined;
}

async function writeDurably(fs: FileSystem, directory: string, name: string, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  const beside = join(directory, `${name}.new`);
  if (fs.entry(beside) !== undefined) fs.remove(beside);
  const fd = fs.create(beside, 0o600);
  try {
    fs.write(fd, bytes, 0, bytes.length, 0);
    await fs.sync(fd);
  } finally {
    fs.close(fd);
  }
  fs.replace(beside, join(directory, name));
  await fs.syncDirectory(directory);
}
