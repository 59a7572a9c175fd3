/**
 * Finds the sessions that an earlier server left behind, and says which can be taken up again (P9). Those that
 * cannot are labelled.
 *
 * @module
 */
import { join } from "@std/path";
import { resolvePlace } from "./store/dump_directory.ts";
import type { Linker } from "./store/dump_files.ts";
import { type FileSystem, realFileSystem } from "../os/file_system.ts";
import { describeError } from "../os/system_error.ts";
import { type DumpPlace, type JournalRecord, parseJournal, type SessionIdentity } from "./session/journal.ts";
import { dumpIndex, dumpNames, incompleteCoreName } from "../kerneldump/files/names.ts";
import type { FinishedReport } from "./orders.ts";
import { ReceivedDump } from "./receiver/received_dump.ts";
import { reopenFiles } from "./store/reopen.ts";
import { replay } from "./session/replay.ts";
import { HERALD_PATIENCE_MS, Session } from "./session/session.ts";
import type { FoundJournal, StateDirectory } from "./store/state_directory.ts";

/** A session that can go on. */
export interface FoundSession {
  readonly identity: SessionIdentity;
  /** `heralded` has no data and no files yet, `finished` is final and still answers. */
  readonly stage: "heralded" | "data" | "finished";
}

/** What was found. */
export interface FoundSessions {
  readonly sessions: readonly FoundSession[];
  /** Sessions whose dump cannot go on, to be labelled by {@linkcode giveUp}. */
  readonly lost: readonly { readonly id: string; readonly reason: string }[];
  readonly notices: readonly string[];
}

/**
 * Finds sessions. To be called before any session runs, for it removes what a server left that was killed while it
 * created a dump's files. `Deno.osUptime` needs `sys` permission "osUptime".
 */
export function findSessions(
  state: StateDirectory,
  settings: { readonly root: string; readonly timeoutMs: number },
): FoundSessions {
  const nowMs = Date.now();
  const bootedMs = nowMs - Deno.osUptime() * 1000;
  const heralded = new Map(state.readHeralds().map((identity) => [identity.id, identity]));
  const sessions: FoundSession[] = [];
  const lost: { id: string; reason: string }[] = [];
  const notices: string[] = [];
  for (const found of state.journals()) {
    try {
      const text = state.readJournal(found.id);
      // Killed before the first line was whole: the list of HERALDs has it.
      const journal = text?.includes("\n") ? parseJournal(text) : undefined;
      if (
        journal === undefined || !hasBegun(realFileSystem, settings.root, journal.head.place, journal.records)
      ) {
        if (journal !== undefined) heralded.set(found.id, journal.head.session);
        state.forget(found.id);
        continue;
      }
      heralded.delete(found.id);
      const reason = whyLost(found, journal.records, { nowMs, bootedMs, timeoutMs: settings.timeoutMs });
      const isFinal = journal.records.some((record) => "final" in record);
      if (reason !== undefined) lost.push({ id: found.id, reason });
      else sessions.push({ identity: journal.head.session, stage: isFinal ? "finished" : "data" });
    } catch (error) {
      heralded.delete(found.id);
      state.forget(found.id);
      notices.push(`Cannot take up session ${found.id}: ${describeError(error)}`);
    }
  }
  for (const identity of heralded.values()) {
    const { startedMs } = identity;
    const waits = startedMs > bootedMs && nowMs - startedMs < HERALD_PATIENCE_MS;
    if (waits) sessions.push({ identity, stage: "heralded" });
  }
  return { sessions, lost, notices };
}

/** Why a session cannot go on; `undefined` if it can. */
function whyLost(
  { writtenMs }: FoundJournal,
  records: readonly JournalRecord[],
  { nowMs, bootedMs, timeoutMs }: { nowMs: number; bootedMs: number; timeoutMs: number },
): string | undefined {
  // What was acked before the machine itself went down need not be on its disk.
  if (writtenMs < bootedMs) return "the server's machine was restarted";
  // All of a finished dump is here, and its client is not needed to make it final.
  const finished = records.some((record) => "finished" in record) &&
    !records.some((record) => "final" in record);
  return nowMs - writtenMs > timeoutMs && !finished ? "the server was down too long" : undefined;
}

/**
 * Tells whether a session ever acked anything: its info file is written before that. If not, the empty files that
 * it may have created are removed.
 */
function hasBegun(
  fs: FileSystem,
  root: string,
  place: DumpPlace,
  records: readonly JournalRecord[],
): boolean {
  const directory = resolvePlace(fs, root, place.directory);
  const index = records.find((record) => "index" in record)?.index;
  if (index !== undefined) {
    const info = fs.entry(join(directory, dumpNames(place.host, index).info));
    if (info?.sizeBytes !== 0) return true;
  }
  for (const name of fs.list(directory)) {
    const other = dumpIndex(name, place.host);
    if (other === undefined || name !== dumpNames(place.host, other).info) continue;
    if (fs.entry(join(directory, name))?.sizeBytes !== 0) continue;
    fs.remove(join(directory, name));
    const core = join(directory, incompleteCoreName(place.host, other, false));
    if (fs.entry(core)?.sizeBytes === 0) fs.remove(core);
  }
  return false;
}

/**
 * Labels the dump of a session that cannot be taken up, and forgets the session.
 *
 * @returns what to report; `undefined` if its dump was final, or there is none
 * @throws an error that says why it cannot be labelled
 */
export async function giveUp(
  state: StateDirectory,
  root: string,
  id: string,
  reason: string,
  link: Linker,
): Promise<FinishedReport | undefined> {
  try {
    const text = state.readJournal(id);
    if (text === undefined) return undefined;
    const journal = parseJournal(text);
    const { session: identity, place, hostName } = journal.head;
    const settings = { heraldSeqno: identity.heraldSeqno, timeoutMs: 0, lingerMs: 0, mostBytes: Infinity };
    const session = new Session(settings, 0);
    const replayed = replay(session, journal, 0);
    if (replayed.final !== undefined) return undefined;
    const files = reopenFiles(realFileSystem, root, journal.head, session, replayed);
    const name = { label: place.host, hostName };
    const dump = new ReceivedDump(identity, name, session, files, {
      spareBytes: () => Infinity,
      longJournalBytes: Infinity,
      link,
    });
    const verdict = session.verdict();
    const error = await dump.abandon(verdict, reason);
    files.close({ forget: false });
    if (error !== undefined) throw error;
    const { missing } = verdict;
    const record = dump.describe();
    return {
      report: "finished",
      dump: record,
      outcome: "error",
      complete: false,
      reason,
      missing,
      resumable: false,
    };
  } finally {
    state.forget(id);
  }
}
