/**
 * A cache of what was found out about a directory's dumps, beside them: never believed of a file that is not
 * the very one that was read.
 *
 * @module
 */

import { join } from "@std/path";
import { crc32 } from "node:zlib";
import { CacheFile } from "../../os/cache_file.ts";
import { companionNames } from "../open/companions.ts";
import { type Facts, STATES } from "./entry.ts";
import type { DumpFiles, FoundDumps } from "./find_dumps.ts";

/** Beside the server's own `.netdump`, whose owner matters to the server. */
const NAME = ".netdump.inspected";
/** A new number where the facts become others, or are found otherwise. */
const FORMAT = 2;
/** A directory with fewer dumps is read quickly, and gets no file that nobody asked for. */
const FEWEST = 20;
/** Some hundred bytes each; what is beyond is read again the next time. */
const MOST_BYTES = 64 * 2 ** 20;
/** Lines are written together. */
const PIECE_UNITS = 2 ** 16;
/** A file that changed so short a time ago may change again and show the same time. */
const RECENT_MS = 3000;

/** What the file system says of a dump's files: by it they are known again. */
export interface FileStamp {
  /** Equal for files that nobody wrote to. */
  readonly print: string;
  /** Unix time in milliseconds of the dump's last change. */
  readonly writtenMs: number;
  /** The same of all its files, the change of a name included. */
  readonly changedMs: number;
}

/** Looks at a dump's files without opening them; `null` if one is gone. */
export function stampOf({ directory, files }: DumpFiles): FileStamp | null {
  const [dump = ""] = files;
  const names = [dump, ...companionNames(dump).filter((name) => name !== dump && files.includes(name))];
  const prints: string[] = [];
  let writtenMs = 0;
  let changedMs = 0;
  for (const name of names) {
    let stat: Deno.FileInfo;
    try {
      stat = Deno.lstatSync(join(directory, name));
    } catch {
      return null;
    }
    const [written, changed] = [stat.mtime?.getTime() ?? 0, stat.ctime?.getTime() ?? 0];
    if (prints.length === 0) writtenMs = written;
    changedMs = Math.max(changedMs, written, changed);
    prints.push([name, stat.size, written, changed, stat.ino ?? 0].join(" "));
  }
  return { print: prints.join(" "), writtenMs, changedMs };
}

/** The facts that are known of a directory's dumps. */
export class EntryCache {
  readonly #file: CacheFile | undefined;
  /** What a program of another version found out is found out again. */
  readonly #version: string;
  readonly #now: () => number;
  readonly #known = new Map<string, { readonly print: string; readonly facts: Facts }>();
  #isNew = false;

  private constructor(file: CacheFile | undefined, version: string, now: () => number) {
    this.#file = file;
    this.#version = version;
    this.#now = now;
  }

  /**
   * Opens what is kept beside the dumps of a directory. From then on it needs no permission to write.
   *
   * @param toWrite whether Deno permits to write
   * @param now Unix time in ms
   */
  static open(
    { directory, dumps }: FoundDumps,
    version: string,
    toWrite: boolean,
    now: () => number = Date.now,
  ): EntryCache {
    const isMany = dumps.length >= FEWEST;
    const file = isMany ? CacheFile.open(directory, NAME, toWrite) : undefined;
    const entries = new EntryCache(file, version, now);
    entries.#read();
    return entries;
  }

  /** What is known of a dump whose files look like this. */
  find(dump: DumpFiles, stamp: FileStamp): Facts | undefined {
    const known = this.#known.get(keyOf(dump));
    return known?.print === stamp.print ? known.facts : undefined;
  }

  /** Reads a dump that looks like this, and takes note of what is found in it. */
  async read(dump: DumpFiles, { print, changedMs }: FileStamp, read: () => Promise<Facts>): Promise<Facts> {
    const isRecent = this.#now() - changedMs < RECENT_MS;
    const facts = await read();
    // What is empty, or left of a dump, is read as quickly as it is looked up.
    if (isRecent || facts.state === "unreadable" || facts.size === 0) return facts;
    this.#known.set(keyOf(dump), { print, facts });
    this.#isNew = true;
    return facts;
  }

  /** Writes down what is known of dumps that are still there, if there is anything new in it. */
  save({ dumps }: FoundDumps): void {
    if (this.#file?.writable !== true || !this.#isNew) return;
    this.#file.replace(this.#pieces(dumps));
  }

  close(): void {
    this.#file?.close();
  }

  /** A line that says who wrote it, one for each dump, and a sum of all these. */
  *#pieces(dumps: readonly DumpFiles[]): Generator<string> {
    const encoder = new TextEncoder();
    let sum = 0;
    let bytes = 0;
    let piece = this.#firstLine();
    for (const key of dumps.map(keyOf)) {
      const known = this.#known.get(key);
      if (known === undefined) continue;
      piece += JSON.stringify({ key, ...known }) + "\n";
      if (piece.length < PIECE_UNITS) continue;
      bytes += encoder.encode(piece).byteLength;
      sum = crc32(piece, sum);
      yield piece;
      piece = "";
      if (bytes > MOST_BYTES - 4 * PIECE_UNITS) break;
    }
    yield piece + sumLine(crc32(piece, sum));
  }

  #firstLine(): string {
    // Times without a zone are taken as this machine's.
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    return `netdump ${this.#version} ${FORMAT} ${timeZone}\n`;
  }

  #read(): void {
    const text = this.#file?.read(MOST_BYTES) ?? "";
    const first = this.#firstLine();
    const end = text.lastIndexOf("\n") + 1;
    // One that was not written to its end has no sum, or another.
    if (!text.startsWith(first) || text.slice(end) !== sumLine(crc32(text.slice(0, end)))) return;
    for (let at = first.length; at < end;) {
      const next = text.indexOf("\n", at);
      try {
        const { key, print, facts } = JSON.parse(text.slice(at, next));
        if (isFacts(facts)) this.#known.set(`${key}`, { print: `${print}`, facts });
      } catch {
        return;
      }
      at = next + 1;
    }
  }
}

function sumLine(sum: number): string {
  return `sum ${sum}`;
}

function keyOf({ below, files }: DumpFiles): string {
  return `${below}/${files[0]}`;
}

/** Words of ours: kinds and layers are shown as they are. */
const WORD = /^[a-z-]{1,30}$/;
const TIME = /^[-+]?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Whether a value is what was written: the directory's owner may have made it up. */
function isFacts(value: unknown): value is Facts {
  if (typeof value !== "object" || value === null) return false;
  const {
    host,
    number,
    time,
    timeOfCrash,
    size,
    layers,
    kind,
    panic,
    signature,
    state,
    complete,
    problems,
    timeZoned,
  } = value as Partial<Record<keyof Facts, unknown>>;
  const isWord = (word: unknown) => typeof word === "string" && WORD.test(word);
  return [host, panic, signature].every((text) => text === null || typeof text === "string") &&
    [number, size].every((count) => count === null || Number.isSafeInteger(count)) && size !== null &&
    (time === null || (typeof time === "string" && TIME.test(time))) &&
    [timeOfCrash, timeZoned, complete ?? false].every((flag) => typeof flag === "boolean") &&
    isWord(kind) && Array.isArray(layers) && layers.every(isWord) &&
    STATES.some((known) => known === state) && Array.isArray(problems) && problems.every(isProblem);
}

function isProblem(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { code, message } = value as Record<string, unknown>;
  return typeof code === "string" && typeof message === "string";
}
