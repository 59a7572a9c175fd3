/**
 * Reads a session's journal. It is input like any other: who can write to the dump directory can write one.
 *
 * Pure.
 *
 * @module
 */
import { KERNEL_DUMP_HEADER_SIZE } from "../../kerneldump/files/header.ts";
import { isHostLabel } from "../../kerneldump/files/names.ts";
import { MAX_DATAGRAM_SIZE } from "../../protocol/message.ts";
import { parseAddress } from "../../protocol/ipv4.ts";
import type { Journal, JournalHead, JournalRecord, SessionIdentity } from "./journal.ts";
import { MOST_KEY_BYTES } from "./session.ts";

/** Most bytes of a run: a batch of a kernel and another datagram. */
const MOST_RUN_BYTES = 65536 + MAX_DATAGRAM_SIZE + 5;
const MOST_INDEX = 999_999_999;
const MOST_PATH_LENGTH = 4096;
const MOST_SEQNO = 0xffffffff;
/** Most ranges, numbers or ends that a line lists. */
const MOST_LISTED = 32_768;

/**
 * Reads a journal. What follows the last line feed was cut off by the server's end, and was never acked.
 *
 * @throws {SyntaxError} if it is none, is damaged, or says what no server writes
 */
export function parseJournal(text: string): Journal {
  const [first, ...rest] = text.split("\n").slice(0, -1);
  if (first === undefined) throw new SyntaxError("Cannot read journal: it is empty");
  const head = JSON.parse(first) as JournalHead;
  if (head?.format !== 2) {
    throw new SyntaxError(
      `Cannot read journal: its format is ${String(head?.format).slice(0, 20)}, expected 2`,
    );
  }
  if (!isIdentity(head.session)) {
    throw new SyntaxError("Cannot read journal: its first line is not a session");
  }
  return { head, records: rest.map(parseRecord) };
}

/** What a journal says of where its dump's files are; absent for a session without data. */
export interface JournalledPlace {
  readonly directory: string;
  readonly host: string;
  readonly hostName: string | null;
  readonly index: number;
}

/** Where the files of a journal's dump are; `undefined` if it had come to none. */
export function journalledPlace({ records }: Journal): JournalledPlace | undefined {
  const index = records.findLast((record) => "index" in record)?.index;
  return index === undefined ? undefined : placeWith(records, index);
}

/** Where the first files of a journal's dump may be, if its server was killed as it made them. */
export function reservedPlace({ records }: Journal): JournalledPlace | undefined {
  const index = records.findLast((record) => "reserving" in record)?.reserving;
  return index === undefined ? undefined : placeWith(records, index);
}

function placeWith(records: readonly JournalRecord[], index: number): JournalledPlace | undefined {
  const placed = records.findLast((record) => "place" in record);
  return placed === undefined ? undefined : { ...placed.place, hostName: placed.hostName, index };
}

function parseRecord(line: string): JournalRecord {
  const record: unknown = JSON.parse(line);
  if (typeof record === "object" && record !== null) {
    for (const [key, isValid] of Object.entries(CHECKS)) {
      if (key in record && isValid(record as Record<string, unknown>)) return record as JournalRecord;
    }
  }
  throw new SyntaxError(`Cannot read journal: ${line.slice(0, 80)} is no record`);
}

/** What makes a record of each kind one that a server writes. */
const CHECKS: Readonly<Record<string, (record: Record<string, unknown>) => boolean>> = {
  place: ({ place, hostName }) => {
    const { directory, host } = (place ?? {}) as Record<string, unknown>;
    return isPath(directory) && typeof host === "string" && isHostLabel(host) &&
      (hostName === null || typeof hostName === "string");
  },
  reserving: ({ reserving }) => isNatural(reserving, MOST_INDEX),
  index: ({ index }) => isNatural(index, MOST_INDEX),
  run: ({ run }) => {
    if (!isNumbers(run, 5)) return false;
    const [, bytes, seqno, count, full] = run as [number, number, number, number, number];
    return bytes > 0 && bytes <= MOST_RUN_BYTES && seqno <= MOST_SEQNO && count > 0 && count <= bytes &&
      (count - 1) * full < bytes && bytes <= count * full;
  },
  header: ({ header }) => {
    if (!Array.isArray(header) || header.length !== 3) return false;
    const [seqno, offset, hex] = header;
    return isNatural(seqno, MOST_SEQNO) && isNatural(offset, KERNEL_DUMP_HEADER_SIZE) &&
      typeof hex === "string" &&
      /^[0-9a-f]+$/.test(hex) && hex.length % 2 === 0 && offset + hex.length / 2 <= KERNEL_DUMP_HEADER_SIZE;
  },
  key: ({ key }) => isNumbers(key, 3) && key[0]! <= MOST_SEQNO && key[1]! + key[2]! <= MOST_KEY_BYTES,
  extents: ({ extents, messages, resends, beganStale }) =>
    Array.isArray(extents) && extents.length % 2 === 0 && extents.length <= MOST_LISTED &&
    isAscending(extents) &&
    isNatural(messages) && isNatural(resends) && typeof beganStale === "boolean",
  numbers: ({ numbers }) => {
    const { high, span, missing } = (numbers ?? {}) as Record<string, unknown>;
    return isNatural(high, MOST_SEQNO) && isNatural(span) && isList(missing);
  },
  acknowledgement: ({ acknowledgement }) => {
    const state = (acknowledgement ?? {}) as Record<string, unknown>;
    return typeof state.holding === "boolean" && typeof state.kernelSeen === "boolean" &&
      isNatural(state.base) &&
      isNatural(state.fullSize, MAX_DATAGRAM_SIZE) && isList(state.provenEnds);
  },
  finished: ({ finished }) => isNatural(finished, MOST_SEQNO),
  final: ({ final, atMs, core }) => typeof final === "boolean" && isTime(atMs) && isPath(core),
};

function isIdentity(session: unknown): session is SessionIdentity {
  if (typeof session !== "object" || session === null) return false;
  const { id, client, local, port, heraldSeqno, path, startedMs } = session as Record<string, unknown>;
  return typeof id === "string" && /^[0-9A-Za-z-]{1,64}$/.test(id) && isAddress(client) && isAddress(local) &&
    isNatural(port, 65535) && port > 0 && isNatural(heraldSeqno, MOST_SEQNO) &&
    (path === null || isPath(path)) && isTime(startedMs);
}

/** An address that a machine can have. */
function isAddress(value: unknown): boolean {
  if (typeof value !== "string" || parseAddress(value) === undefined) return false;
  const first = Number(value.split(".")[0]);
  return first > 0 && first < 224;
}

/** A path that stays below where it begins. */
function isPath(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MOST_PATH_LENGTH &&
    !value.startsWith("/") &&
    !value.includes("\0") && !value.split(/[/\\]/).includes("..");
}

function isNatural(value: unknown, most = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function isTime(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0;
}

function isNumbers(value: unknown, length: number): value is number[] {
  return Array.isArray(value) && value.length === length && value.every((number) => isNatural(number));
}

function isList(value: unknown): boolean {
  return Array.isArray(value) && value.length <= MOST_LISTED && value.every((number) => isNatural(number));
}

function isAscending(bounds: unknown[]): boolean {
  return bounds.every((bound, i) => isNatural(bound) && (i === 0 || bound > (bounds[i - 1] as number)));
}
