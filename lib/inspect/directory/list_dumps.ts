/**
 * The dumps of a directory, one after another as they are read: what `netdump inspect DIR` lists.
 *
 * @module
 */

import { countUpTo } from "../../bytes/sorted.ts";
import { compareNames } from "../../text/natural_order.ts";
import { formatIsoTime } from "../../text/time.ts";
import type { Thoroughness } from "../examination.ts";
import { breathe } from "../judge/read_through.ts";
import { describeDump, hostAndNumber, timeBeside } from "./describe_dump.ts";
import type { Entry, Facts, State } from "./entry.ts";
import type { DumpFiles, FoundDumps } from "./find_dumps.ts";
import { type EntryCache, type FileStamp, stampOf } from "./entry_cache.ts";

/** Which dumps of a directory are asked for; `undefined` asks for all. */
export interface Selection {
  /** Unix time in ms: not older than this by the time of the crash, or of the file. */
  readonly sinceMs?: number | undefined;
  /** The name of the client in the dump directory, or in the dump. */
  readonly host?: string | undefined;
  readonly state?: State | undefined;
  /** The newest so many. */
  readonly limit?: number | undefined;
}

/** How to read them. */
export interface Reading {
  readonly thoroughness: Thoroughness;
  /** What is known already at a glance; not given where more than that is to be read. */
  readonly cache?: EntryCache | undefined;
  readonly selection?: Selection;
}

/** A dump that is not read yet. */
interface Candidate {
  readonly dump: DumpFiles;
  readonly stamp: FileStamp | null;
  /** When its file was written; ISO 8601 in UTC, as all times here. */
  readonly written: string | null;
  /** What is known of it. */
  readonly facts: Facts | undefined;
  /** It crashed then, or before: nobody writes a dump before the crash. */
  readonly latest: string;
}

/**
 * Reads the dumps that were found, the newest first, and gives each as soon as none of those that are left can be newer. No
 * more are read than the selection takes.
 */
export async function* listDumps(found: FoundDumps, reading: Reading): AsyncGenerator<Entry> {
  const { thoroughness, cache, selection = {} } = reading;
  const since = isoOf(selection.sinceMs ?? NaN) ?? "";
  const candidates = found.dumps.filter((dump) => mayBeOf(dump, selection.host))
    .map((dump) => candidateOf(dump, cache))
    .filter(({ latest }) => latest >= since)
    .sort((a, b) => newestFirst(placeOf(a), placeOf(b)));
  const waiting = new WaitingEntries();
  let left = selection.limit ?? Infinity;
  try {
    for (const [at, { dump, stamp, written, facts }] of candidates.entries()) {
      const read = () => describeDump(dump, written, thoroughness);
      const known = facts ?? await (stamp === null ? undefined : cache?.read(dump, stamp, read)) ??
        await read();
      waiting.push({ directory: dump.directory, file: dump.files[0]!, files: dump.files, ...known });
      const next = candidates[at + 1];
      for (const entry of waiting.before(next === undefined ? undefined : placeOf(next))) {
        if (!isSelected(entry, since, selection)) continue;
        yield entry;
        if (--left === 0) return;
      }
      await breathe();
    }
  } finally {
    cache?.save(found);
  }
}

function candidateOf(dump: DumpFiles, cache: EntryCache | undefined): Candidate {
  const stamp = stampOf(dump);
  const facts = stamp === null ? undefined : cache?.find(dump, stamp);
  const written = stamp === null ? null : isoOf(stamp.writtenMs);
  const latest = (facts === undefined ? timeBeside(dump) ?? written : facts.time) ?? "";
  return { dump, stamp, written, facts, latest };
}

function isoOf(unixMs: number): string | null {
  return formatIsoTime(Math.floor(unixMs / 1000));
}

/** Whether a dump's name leaves it open that it is this host's. */
function mayBeOf({ id }: DumpFiles, host: string | undefined): boolean {
  const named = hostAndNumber(id).host;
  return host === undefined || named === null || named === host;
}

function isSelected(entry: Entry, since: string, { host, state }: Selection): boolean {
  return (entry.time ?? "") >= since && (host === undefined || entry.host === host) &&
    (state === undefined || entry.state === state);
}

/** What decides where a dump stands in the list. */
type Place = Pick<Entry, "time" | "directory" | "file">;

/** Where a dump stands at the earliest that is not read yet. */
function placeOf({ dump: { directory, files }, latest }: Candidate): Place {
  return { time: latest, directory, file: files[0]! };
}

function newestFirst(a: Place, b: Place): number {
  const [ofA, ofB] = [a.time ?? "", b.time ?? ""];
  if (ofA !== ofB) return ofA < ofB ? 1 : -1;
  return compareNames(a.directory, b.directory) || compareNames(a.file, b.file);
}

/** Entries that another one may still come before, the first last. */
class WaitingEntries {
  readonly #entries: Entry[] = [];

  push(entry: Entry): void {
    const after = countUpTo(this.#entries.length, (i) => newestFirst(entry, this.#entries[i]!) < 0);
    this.#entries.splice(after, 0, entry);
  }

  /** Takes out those that come before a place, in order; all of them without one. */
  *before(place: Place | undefined): Generator<Entry> {
    for (let first; (first = this.#entries.at(-1)) !== undefined; this.#entries.pop()) {
      if (place !== undefined && newestFirst(first, place) > 0) return;
      yield first;
    }
  }
}
