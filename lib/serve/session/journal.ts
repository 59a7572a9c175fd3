/**
 * The journal of a session (P9): enough to take it up again after the server was killed. One line of JSON for what
 * the session is, then one for each write to the dump, appended behind the write and before the acks, so that what
 * was acked is known to be in the file.
 *
 * Pure: values to lines, and back.
 *
 * @module
 */
import type { AcknowledgementState } from "./acknowledgement.ts";
import type { NumberState } from "./number_window.ts";

/** Where a client's path or the default path led to. */
export interface DumpPlace {
  /** Path below the dump directory, `.` for itself. */
  readonly directory: string;
  readonly host: string;
}

/** What a session is. */
export interface SessionIdentity {
  readonly id: string;
  /** The client's address. */
  readonly client: string;
  /** The addressed local IP and the session's port. */
  readonly local: string;
  readonly port: number;
  readonly heraldSeqno: number;
  /** Path asked for by the HERALD; `null` for the default path. */
  readonly path: string | null;
  /** Unix time in ms at which the HERALD came. */
  readonly startedMs: number;
}

/** First line of a journal; there from the HERALD on. */
export interface JournalHead {
  readonly format: 2;
  readonly session: SessionIdentity;
}

/** A later line. */
export type JournalRecord =
  /** Where the dump goes, and the client's full name if DNS had one; written before a file is created. */
  | { readonly place: DumpPlace; readonly hostName: string | null }
  /** The index that is about to be reserved: an empty info file with it may be this session's. */
  | { readonly reserving: number }
  /** The index that was reserved; written before any other file is. */
  | { readonly index: number }
  /** Messages written in one go: offset and bytes, first seqno, how many, and the payload of all but the last. */
  | { readonly run: readonly [offset: number, bytes: number, seqno: number, count: number, full: number] }
  | { readonly header: readonly [seqno: number, offset: number, hex: string] }
  | { readonly key: readonly [seqno: number, offset: number, bytes: number] }
  /** All ranges so far, in place of the lines before: starts and ends alternate. */
  | {
    readonly extents: readonly number[];
    readonly messages: number;
    readonly resends: number;
    readonly beganStale: boolean;
  }
  | { readonly numbers: NumberState }
  | { readonly acknowledgement: AcknowledgementState }
  /** FINISHED came; the dump is being made final. */
  | { readonly finished: number }
  /** The dump is final, and FINISHED may be acked. */
  | { readonly final: boolean; readonly atMs: number; readonly core: string };

/** A journal as read. */
export interface Journal {
  readonly head: JournalHead;
  readonly records: readonly JournalRecord[];
}

/** One line. */
export function journalLine(value: JournalHead | JournalRecord): string {
  return JSON.stringify(value) + "\n";
}

/** Bytes as lower-case hex. */
export function encodeHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Hex as bytes. */
export function decodeHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
