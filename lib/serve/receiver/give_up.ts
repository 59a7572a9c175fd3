/**
 * Sessions that do not go on: what they have is labelled by their journals, which then go.
 *
 * @module
 */
import type { FileSystem } from "../../os/file_system.ts";
import { describeError } from "../../os/system_error.ts";
import type { ClientName, ReceiverSettings, Report } from "../orders.ts";
import type { Journal, SessionIdentity } from "../session/journal.ts";
import { type JournalledPlace, parseJournal } from "../session/read_journal.ts";
import { replay } from "../session/replay.ts";
import { Session } from "../session/session.ts";
import { raiseBounds } from "../store/dump_directory.ts";
import { JournalFile } from "../store/journal_file.ts";
import { begunPlace, reopenFiles } from "../store/reopen.ts";
import { readJournalText } from "../store/state_directory.ts";
import { type DumpSurroundings, ReceivedDump } from "./received_dump.ts";

/** What giving up needs. */
export interface GiveUpHost {
  readonly fs: FileSystem;
  readonly settings: Pick<ReceiverSettings, "root" | "timeoutMs" | "lingerMs">;
  readonly surroundings: DumpSurroundings;
  readonly report: (report: Report) => void;
}

/** Labels the dump of a session that cannot go on, and forgets it. What cannot be labelled now stays, and is told. */
export async function giveUp(host: GiveUpHost, id: string, reason: string): Promise<void> {
  const { fs, settings: { root }, report } = host;
  let file: JournalFile | undefined;
  try {
    const journal = readJournal(fs, root, id);
    const place = begunPlace(fs, root, journal);
    file = JournalFile.reopen(fs, root, id);
    if (place !== undefined) await label(host, place, journal, file, reason);
    file.close({ forget: true });
  } catch (error) {
    releaseQuietly(file);
    report({ report: "not-labelled", id, reason: `${reason}: ${describeError(error)}` });
  }
  report({ report: "closed", id });
}

/** @throws what the labelling met */
async function label(
  { fs, settings, surroundings, report }: GiveUpHost,
  place: JournalledPlace,
  journal: Journal,
  file: JournalFile,
  reason: string,
): Promise<void> {
  const { root, timeoutMs, lingerMs } = settings;
  const identity: SessionIdentity = journal.head.session;
  const nowMs = surroundings.clock.now();
  const limits = { timeoutMs, lingerMs, mostBytes: Infinity };
  const session = new Session({ heraldSeqno: identity.heraldSeqno, ...limits }, nowMs);
  const replayed = replay(session, journal, nowMs);
  if (replayed.final !== undefined) return;
  const files = reopenFiles(fs, root, place, file, session, replayed);
  try {
    const dump = new ReceivedDump(identity, journalledName(place), session, files, surroundings);
    const verdict = session.verdict();
    const error = await dump.abandon(verdict, reason);
    if (error !== undefined) throw error;
    const { missing } = verdict;
    const finished = { outcome: "error", complete: false, reason, missing, resumable: false } as const;
    report({ report: "finished", dump: dump.describe(), ...finished });
    raiseBoundsQuietly(fs, files.directory, place);
  } finally {
    files.closeCore();
  }
}

/** @throws if there is none, or it cannot be read */
export function readJournal(fs: FileSystem, root: string, id: string): Journal {
  const text = readJournalText(fs, root, id);
  if (text === undefined) throw new Error("its journal is gone");
  return parseJournal(text);
}

/** The name that a session had when its files were created. */
export function journalledName({ host, hostName }: JournalledPlace): ClientName {
  return { label: host, hostName };
}

/** A server that was killed behind the last ack may not have come to it. */
export function raiseBoundsQuietly(
  fs: FileSystem,
  directory: string,
  { host, index }: JournalledPlace,
): void {
  try {
    raiseBounds(fs, directory, host, index + 1);
  } catch {
    // A convenience.
  }
}

/** Closes a journal that stays. */
export function releaseQuietly(file: JournalFile | undefined): void {
  try {
    file?.release();
  } catch {
    // It is closed all the same.
  }
}
