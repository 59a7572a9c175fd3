/**
 * Opens the files that a session's journal tells of (P9).
 *
 * @module
 */
import { DumpFiles } from "./dump_files.ts";
import { compressionOf } from "../receiver/dump_record.ts";
import type { FileSystem } from "../../os/file_system.ts";
import type { JournalHead, JournalRecord } from "../session/journal.ts";
import { coreName } from "../../kerneldump/files/names.ts";
import type { Replayed } from "../session/replay.ts";
import type { Session } from "../session/session.ts";

/**
 * Opens the files of a dump that is not final.
 *
 * @param session as the journal was replayed on it
 * @throws the file system's error, or one that says what is missing
 */
export function reopenFiles(
  fs: FileSystem,
  root: string,
  head: JournalHead,
  session: Session,
  { index, finishedSeqno }: Replayed,
): DumpFiles {
  if (index === undefined) throw new Error("it has no files");
  // A server killed while it made the dump final may have renamed the core already.
  const finalCore = finishedSeqno === undefined
    ? undefined
    : coreName(head.place.host, index, session.encrypted, compressionOf(session));
  return DumpFiles.reopen(fs, root, head, index, finalCore);
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
