/**
 * Opens the files that a session's journal tells of (P9).
 *
 * @module
 */
import { join } from "@std/path";
import { coreName, dumpNames, incompleteCoreName } from "../../kerneldump/files/names.ts";
import type { FileSystem } from "../../os/file_system.ts";
import type { Journal, JournalRecord } from "../session/journal.ts";
import { type JournalledPlace, journalledPlace, reservedPlace } from "../session/read_journal.ts";
import type { Replayed } from "../session/replay.ts";
import type { Session } from "../session/session.ts";
import { resolvePlace } from "./dump_directory.ts";
import { DumpFiles } from "./dump_files.ts";
import type { JournalFile } from "./journal_file.ts";

/**
 * Opens the files of a dump that is not final.
 *
 * @param session as the journal was replayed on it
 * @throws the file system's error, or one that says what is missing
 */
export function reopenFiles(
  fs: FileSystem,
  root: string,
  place: JournalledPlace,
  journal: JournalFile,
  session: Session,
  { finishedSeqno }: Replayed,
): DumpFiles {
  const { directory, host, index } = place;
  // A server killed while it made the dump final may have renamed the core already.
  const finalCore = finishedSeqno === undefined
    ? undefined
    : coreName(host, index, session.encrypted, session.compression);
  return DumpFiles.reopen(fs, root, { directory, host }, index, journal, finalCore);
}

/**
 * Where the files are of a session that may have acked data: its info file is written before it acks any. Of one that has
 * not, the empty files that it may have created are removed.
 *
 * @returns `undefined` if it has acked none
 */
export function begunPlace(fs: FileSystem, root: string, journal: Journal): JournalledPlace | undefined {
  const place = journalledPlace(journal) ?? reservedPlace(journal);
  if (place === undefined) return undefined;
  const directory = resolvePlace(fs, root, place.directory);
  const info = join(directory, dumpNames(place.host, place.index).info);
  const entry = fs.entry(info);
  // Files that somebody took away are told of when they are opened. What was only to be reserved may be another's.
  if (entry?.sizeBytes !== 0) return journalledPlace(journal);
  fs.remove(info);
  const core = join(directory, incompleteCoreName(place.host, place.index, false));
  if (fs.entry(core)?.sizeBytes === 0) fs.remove(core);
  return undefined;
}

/** Where the core file ends by what its journal tells; that much disk space is the dump's already. */
export function journalledEnd(records: readonly JournalRecord[]): number {
  let end = 0;
  for (const record of records) {
    if ("run" in record) end = Math.max(end, record.run[0] + record.run[1]);
    else if ("extents" in record) end = Math.max(end, record.extents.at(-1) ?? 0);
  }
  return end;
}
