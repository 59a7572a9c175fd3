/**
 * The status as JSON, for programs: keys are only ever added.
 *
 * @module
 */
import type { EndedDump, RunningDump, TimedRefusal } from "../board.ts";
import type { ServerView, Weakness } from "../server_view.ts";
import { groupPanics, type StoredDump } from "../stored_dumps.ts";

/** All that the status page and its JSON are made of. */
export interface Status {
  readonly version: string;
  readonly startedMs: number;
  readonly nowMs: number;
  readonly view: ServerView;
  readonly weaknesses: readonly Weakness[];
  readonly running: readonly RunningDump[];
  readonly ended: readonly EndedDump[];
  readonly refusals: readonly TimedRefusal[];
  /** Dumps in the dump directory, `null` if they could not be read. */
  readonly stored: readonly StoredDump[] | null;
}

/** The ways of the API, below `/api/v1/`. */
export const API: Readonly<Record<string, (status: Status) => unknown>> = {
  status: ({ version, startedMs, nowMs, view, weaknesses }) => ({
    version,
    started: iso(startedMs),
    now: iso(nowMs),
    ready: !weaknesses.some(({ blocks }) => blocks),
    problems: weaknesses,
    ...view,
  }),
  dumps: ({ running, ended, stored }) => ({
    running: running.map((dump) => ({
      ...dump.dump,
      since: iso(dump.sinceMs),
      heard: iso(dump.heardMs),
      bytesPerSecond: dump.bytesPerSecond === null ? null : Math.round(dump.bytesPerSecond),
      expectedBytes: expectedBytes(dump),
      estimatedEnd: estimatedEnd(dump),
    })),
    ended: ended.map(({ dump, outcome, complete, reason, missing, resumable, endedMs }) => ({
      ...dump,
      ...{ outcome, complete, reason, missing, resumable, ended: iso(endedMs) },
    })),
    stored,
  }),
  panics: ({ stored }) => stored === null ? null : groupPanics(stored),
  refusals: ({ refusals }) =>
    refusals.map(({ client, cause, reason, count, atMs }) => ({
      client,
      cause,
      reason,
      count,
      time: iso(atMs),
    })),
};

/** Bytes that a running dump will have, as its header says; `null` as long as that is not known. */
export function expectedBytes({ dump }: RunningDump): number | null {
  const header = dump.kernelDumpHeader;
  return header === null || header.dumpLength < dump.receivedBytes ? null : header.dumpLength;
}

/** When a running dump will have come at its rate, ISO 8601; `null` if nobody can tell. */
export function estimatedEnd(running: RunningDump): string | null {
  const expected = expectedBytes(running);
  const { dump, bytesPerSecond, heardMs } = running;
  if (expected === null || bytesPerSecond === null || bytesPerSecond <= 0) return null;
  return iso(heardMs + (expected - dump.receivedBytes) / bytesPerSecond * 1000);
}

function iso(ms: number): string | null {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : null;
}
