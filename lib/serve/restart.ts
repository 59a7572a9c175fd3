/**
 * Takes up the sessions that an earlier server left behind (P9): which can go on, which have to be labelled. It goes
 * through their journals one at a time, the newest first, so that HERALDs are answered meanwhile.
 *
 * @module
 */
import { dumpNames } from "../kerneldump/files/names.ts";
import { describeError } from "../os/system_error.ts";
import type { Journal, SessionIdentity } from "./session/journal.ts";
import { journalledPlace, parseJournal } from "./session/read_journal.ts";
import { HERALD_PATIENCE_MS } from "./session/session.ts";
import type { DumpLocation } from "./store/links.ts";
import type { FoundJournal, StateDirectory } from "./store/state_directory.ts";

/** What a session that was found had come to. */
export type FoundStage =
  /** No data yet. */
  | "heralded"
  | "data"
  /** Final, and still answering. */
  | "finished";

/** What to do with a journal. */
export type Found =
  | {
    readonly found: "resumable";
    readonly identity: SessionIdentity;
    readonly stage: FoundStage;
    /** A complete dump, whose links a server that was killed behind the last ack may not have made. */
    readonly complete: DumpLocation | undefined;
  }
  /** It has to be labelled and forgotten. */
  | { readonly found: "lost"; readonly identity: SessionIdentity; readonly reason: string }
  /** It cannot be read, now or by this version: it stays. */
  | { readonly found: "unreadable"; readonly id: string; readonly reason: string };

/** Times that decide. */
export interface RestartTimes {
  readonly nowMs: number;
  /** Unix time in ms at which the machine was started. */
  readonly bootedMs: number;
  /** Silence that ends a session. */
  readonly timeoutMs: number;
}

/**
 * Looks at one journal.
 *
 * @returns `undefined` if it is gone
 */
export function lookAt(state: StateDirectory, found: FoundJournal, times: RestartTimes): Found | undefined {
  let journal: Journal;
  try {
    const text = state.readJournal(found.id);
    if (text === undefined) return undefined;
    journal = parseJournal(text);
    if (journal.head.session.id !== found.id) throw new SyntaxError("it is the journal of another session");
  } catch (error) {
    return { found: "unreadable", id: found.id, reason: describeError(error) };
  }
  const identity = journal.head.session;
  const reason = whyLost(journal, found.writtenMs, times);
  return reason === undefined
    ? { found: "resumable", identity, stage: stageOf(journal), complete: completeDump(journal) }
    : { found: "lost", identity, reason };
}

function completeDump(journal: Journal): DumpLocation | undefined {
  const place = journalledPlace(journal);
  const final = journal.records.findLast((record) => "final" in record);
  if (place === undefined || final?.final !== true) return undefined;
  const { directory, host, index } = place;
  return { directory, host, index, core: final.core, info: dumpNames(host, index).info };
}

function stageOf(journal: Journal): FoundStage {
  if (journal.records.some((record) => "final" in record)) return "finished";
  return journalledPlace(journal) === undefined ? "heralded" : "data";
}

/** Why a session cannot go on; `undefined` if it can. */
function whyLost(journal: Journal, writtenMs: number, times: RestartTimes): string | undefined {
  const { nowMs, bootedMs, timeoutMs } = times;
  // What was acked before the machine itself went down need not be on its disk.
  if (writtenMs < bootedMs) return "the server's machine was restarted";
  const stage = stageOf(journal);
  if (stage === "heralded") {
    return nowMs - journal.head.session.startedMs > HERALD_PATIENCE_MS
      ? "its client has given up"
      : undefined;
  }
  // All of a finished dump is here, and its client is not needed to make it final.
  const finishing = stage === "data" && journal.records.some((record) => "finished" in record);
  return nowMs - writtenMs > timeoutMs && !finishing ? "the server was down too long" : undefined;
}
