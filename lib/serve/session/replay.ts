/**
 * Takes a session up where its journal leaves it (P9).
 *
 * @module
 */
import { KERNEL_DUMP_HEADER_SIZE } from "../../kerneldump/files/header.ts";
import { decodeHex, encodeHex, type Journal, type JournalRecord } from "./journal.ts";
import type { Session } from "./session.ts";

/** What a journal says beside the session's state. */
export interface Replayed {
  readonly index: number | undefined;
  /** Seqno of a FINISHED whose dump was not made final. */
  readonly finishedSeqno: number | undefined;
  /** The dump is final. */
  readonly final: { readonly complete: boolean; readonly atMs: number; readonly core: string } | undefined;
}

/**
 * Brings a new session into the state that a journal tells of.
 *
 * @param nowMs the session's clock
 * @throws {SyntaxError} if a record makes no sense
 */
export function replay(session: Session, journal: Journal, nowMs: number): Replayed {
  let index: number | undefined;
  let finishedSeqno: number | undefined;
  let final: Replayed["final"];
  const ignored: number[] = [];
  for (const record of journal.records) {
    ignored.length = 0;
    if ("run" in record) replayRun(session, record.run, nowMs, ignored);
    else if ("index" in record) index = record.index;
    else if ("place" in record || "reserving" in record) continue;
    else if ("header" in record) {
      const [seqno, offset, hex] = record.header;
      replayOther(session, seqno, ignored);
      const bytes = decodeHex(hex);
      if (!(offset >= 0 && offset + bytes.byteLength <= KERNEL_DUMP_HEADER_SIZE)) {
        throw new SyntaxError(`Cannot read journal: a header piece at ${offset}`);
      }
      session.headerStored(offset, bytes);
    } else if ("key" in record) {
      const [seqno, offset, bytes] = record.key;
      replayOther(session, seqno, ignored);
      session.keyStored(offset, bytes);
    } else if ("extents" in record) {
      for (let i = 0; i < record.extents.length; i += 2) {
        session.core.add(record.extents[i]!, record.extents[i + 1]!);
      }
      session.messages = record.messages;
      session.resends = record.resends;
      session.beganStale = record.beganStale;
    } else if ("acknowledgement" in record) session.acknowledgement.restore(record.acknowledgement);
    else if ("numbers" in record) session.numbers.restore(record.numbers);
    else if ("finished" in record) finishedSeqno = record.finished;
    else if ("final" in record) final = { complete: record.final, atMs: record.atMs, core: record.core };
    else throw new SyntaxError(`Cannot read journal: unknown record ${JSON.stringify(record).slice(0, 80)}`);
  }
  session.acknowledgement.noteInterruption();
  return { index, finishedSeqno, final };
}

/** The records that say as much as all that came before, for a journal that got long. */
export function condense(session: Session): JournalRecord[] | undefined {
  const acknowledgement = session.acknowledgement.state;
  if (acknowledgement === undefined) return undefined;
  return [
    {
      extents: session.core.ranges().flatMap(({ start, end }) => [start, end]),
      messages: session.messages,
      resends: session.resends,
      beganStale: session.beganStale,
    },
    ...session.headerPieces().map(({ offset, bytes }): JournalRecord => ({
      header: [0, offset, encodeHex(bytes)],
    })),
    ...session.key.ranges().map(({ start, end }): JournalRecord => ({ key: [0, start, end - start] })),
    // Last, for they overrule what the records before them made of the seqnos.
    { numbers: session.numbers.state },
    { acknowledgement },
  ];
}

function replayRun(
  session: Session,
  [offset, bytes, seqno, count, full]: readonly [number, number, number, number, number],
  nowMs: number,
  ignored: number[],
): void {
  for (let i = 0; i < count; i++) {
    const at = i * full;
    const length = i === count - 1 ? bytes - at : full;
    if (!(length > 0)) throw new SyntaxError("Cannot read journal: a run of no length");
    takeNumber(session, seqno + i);
    session.stored(seqno + i, offset + at, length, nowMs, ignored);
  }
}

/** A piece of header or key. In a condensed journal it has no number. */
function replayOther(session: Session, seqno: number, ignored: number[]): void {
  if (seqno === 0) return;
  takeNumber(session, seqno);
  session.acknowledgement.other(seqno, ignored);
}

function takeNumber(session: Session, seqno: number): void {
  if (session.numbers.judge(seqno) === "new") session.numbers.take(seqno);
}
