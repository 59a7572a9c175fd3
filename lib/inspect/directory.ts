/**
 * The dumps in a directory: what `netdump inspect DIR` lists.
 *
 * @module
 */

import { basename, join } from "@std/path";
import { parseInfo } from "../kerneldump/files/info.ts";
import { parseDumpName } from "../kerneldump/files/dump_name.ts";
import { examine } from "./examine.ts";
import type { Findings } from "./findings.ts";
import { readSmallFile } from "../os/small_file.ts";
import { describeError } from "../os/system_error.ts";
import { formatIsoTime } from "../text/time.ts";
import { panicSignature } from "../kerneldump/files/panic_signature.ts";
import type { Thoroughness } from "./examination.ts";
import { decodeUtf8 } from "../text/utf8.ts";

/** How a dump in a directory fares. */
export type State =
  /** All of it is there. */
  | "whole"
  /** Its server says that it never arrived completely. */
  | "partial"
  /** It is shorter than it should be, and nobody said so: the file was cut later, or never written to its end. */
  | "truncated"
  /** Something else is wrong with it. */
  | "bad"
  | "unknown"
  /** Files that belong to a dump, but the dump itself is not there. */
  | "orphaned"
  | "unreadable";

/** One line of `netdump inspect --json DIR`. */
export interface Entry {
  readonly directory: string;
  /** The dump; of an orphan the first of the files that are left. */
  readonly file: string;
  /** Everything that belongs to it by its name, itself included. */
  readonly files: readonly string[];
  readonly host: string | null;
  readonly number: number | null;
  /** When it crashed, ISO 8601 in UTC; when the file was written, where that is not known. */
  readonly time: string | null;
  /** Whether `time` is that of the crash. */
  readonly timeOfCrash: boolean;
  /** `false` if `time` came without a zone and is taken as this machine's local time. */
  readonly timeZoned: boolean;
  readonly size: number;
  readonly layers: readonly string[];
  readonly kind: string;
  readonly panic: string | null;
  /** The panic with its addresses masked: equal for equal panics. */
  readonly signature: string | null;
  readonly state: State;
  readonly complete: boolean | null;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

/** Prefixes of dumps; the other names accompany one. */
const DUMPS = ["vmcore", "vmcore_encrypted", "livecore", "textdump.tar"];

/**
 * Lists the dumps of a directory, the newest first.
 *
 * @throws {Error} of the file system if the directory cannot be read
 */
export async function listDirectory(directory: string, thoroughness: Thoroughness): Promise<Entry[]> {
  const groups = new Map<string, string[]>();
  for (const { name, isFile } of Deno.readDirSync(directory)) {
    const parsed = parseDumpName(name);
    // Links such as vmcore.w1.last lead to files that are listed anyway.
    if (parsed.id === null || !isFile) continue;
    groups.set(parsed.id, [...groups.get(parsed.id) ?? [], name]);
  }
  const entries: Entry[] = [];
  for (const [id, names] of groups) {
    const files = names.toSorted();
    const dumps = files.filter((name) => DUMPS.includes(parseDumpName(name).prefix ?? ""));
    const others = files.filter((name) => !dumps.includes(name));
    for (const dump of dumps) {
      entries.push(await describeDump({ directory, id, files: [dump, ...others] }, thoroughness));
    }
    // crashinfo's report alone is what a clean-up leaves on purpose.
    if (dumps.length === 0 && others.some((name) => !name.startsWith("core.txt."))) {
      entries.push(describeOrphan(directory, id, others));
    }
  }
  return entries.toSorted((a, b) => compare(b.time ?? "", a.time ?? "") || compareNames(a.file, b.file));
}

/** Numbers in names sort as numbers: `vmcore.9` before `vmcore.10`. */
const compareNames = new Intl.Collator("en", { numeric: true }).compare;

/** Which dumps of a directory are asked for; `undefined` asks for all. */
export interface Selection {
  /** Milliseconds: not older than this by the time of the crash, or of the file. */
  readonly sinceMs: number | undefined;
  /** The name of the client in the dump directory, or in the dump. */
  readonly host: string | undefined;
  readonly state: State | undefined;
  /** The newest so many. */
  readonly limit: number | undefined;
}

/** Picks the entries that are asked for, in their order. */
export function select(entries: readonly Entry[], selection: Selection, nowMs: number): Entry[] {
  const { sinceMs, host, state, limit } = selection;
  return entries.filter((entry) =>
    (sinceMs === undefined || (entry.time !== null && Date.parse(entry.time) >= nowMs - sinceMs)) &&
    (host === undefined || entry.host === host) && (state === undefined || entry.state === state)
  ).slice(0, limit);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

interface Group {
  readonly directory: string;
  readonly id: string;
  /** The dump first. */
  readonly files: readonly string[];
}

async function describeDump({ directory, id, files }: Group, thoroughness: Thoroughness): Promise<Entry> {
  const [file = ""] = files;
  const path = join(directory, file);
  const base = { directory, file, files, ...hostAndNumber(id) };
  try {
    const examination = await examine(path, { thoroughness, privateKey: null });
    examination.close();
    const { findings } = examination;
    const { panic, signature, time, timeZoned } = findings.summary;
    const ofCrash = formatIsoTime(time);
    return {
      ...base,
      host: base.host ?? findings.summary.host,
      time: ofCrash ?? writtenAt(path),
      timeOfCrash: ofCrash !== null,
      size: findings.size,
      layers: findings.layers,
      kind: findings.kind,
      panic,
      signature,
      state: stateOf(findings),
      complete: findings.complete,
      problems: findings.problems.map(({ code, message }) => ({ code, message })),
      timeZoned: ofCrash === null || timeZoned,
    };
  } catch (error) {
    const message = `Cannot read it: ${describeError(error)}`;
    return {
      ...base,
      ...NOTHING_KNOWN,
      time: writtenAt(path),
      state: "unreadable",
      problems: [{ code: "read-error", message }],
    };
  }
}

const NOTHING_KNOWN = {
  time: null,
  timeOfCrash: false,
  size: 0,
  layers: [],
  kind: "unknown",
  panic: null,
  signature: null,
  complete: null,
  problems: [],
  timeZoned: true,
} as const;

function describeOrphan(directory: string, id: string, files: string[]): Entry {
  const [file = ""] = files;
  const info = files.find((name) => name.startsWith("info."));
  const facts = info === undefined ? undefined : readInfo(join(directory, info));
  const ofCrash = formatIsoTime(facts?.dumpTime ?? null);
  const panic = facts?.panicString || null;
  return {
    directory,
    file,
    files,
    ...hostAndNumber(id),
    ...NOTHING_KNOWN,
    time: ofCrash ?? writtenAt(join(directory, file)),
    timeOfCrash: ofCrash !== null,
    timeZoned: ofCrash === null || facts?.dumpTimeZoned === true,
    panic,
    signature: panic === null ? null : panicSignature(panic),
    state: "orphaned",
    complete: false,
  };
}

/** Info files are a few lines. */
const INFO_LIMIT = 2 ** 20;

function readInfo(path: string): ReturnType<typeof parseInfo> {
  try {
    return parseInfo(decodeUtf8(readSmallFile(path, INFO_LIMIT)));
  } catch {
    return undefined;
  }
}

/** netdump's `<host>.<n>`, or savecore's `<n>`. */
function hostAndNumber(id: string): { host: string | null; number: number | null } {
  const [, host, number] = /^(?:(.+)\.)?(\d{1,9})$/.exec(id) ?? [];
  if (number === undefined) return { host: basename(id), number: null };
  return { host: host ?? null, number: Number(number) };
}

function writtenAt(path: string): string | null {
  try {
    const { mtime } = Deno.statSync(path);
    return mtime === null ? null : formatIsoTime(Math.floor(mtime.getTime() / 1000));
  } catch {
    return null;
  }
}

/** What only the server that received a dump can say. */
const PARTIAL = ["received-incomplete", "received-holes", "received-no-verdict"];
/** Problems that mean that something was left out, rather than damaged. */
const TRUNCATED = [
  "size-mismatch",
  "length-mismatch",
  "compressed-truncated",
  "textdump-truncated",
  "missing-tail",
];

function stateOf({ complete, problems }: Findings): State {
  if (complete === true) return "whole";
  if (problems.some(({ code }) => PARTIAL.includes(code))) return "partial";
  if (problems.some(({ code }) => TRUNCATED.includes(code))) return "truncated";
  return complete === false ? "bad" : "unknown";
}
