/**
 * Whether a dump that was FINISHED is whole (P3): the received ranges against the kernel dump header.
 *
 * @module
 */
import type { ReceivedHeader } from "./header.ts";
import type { Extents, Range } from "./extents.ts";

/** Most missing ranges that are listed; their number is always told. */
const MOST_LISTED = 64;
/** Block size of every netdump (reference netdump-protocol.md 4.1). */
const NETDUMP_BLOCK_SIZE = 4096;

/** What was received of a dump. */
export interface Received {
  readonly core: Extents;
  readonly key: Extents;
  readonly header: ReceivedHeader;
}

/** The judgement. */
export interface Verdict {
  readonly complete: boolean;
  /** Why not, in a few words; `null` if complete. */
  readonly reason: string | null;
  /** Ranges of the core that are missing, at most 64 of them. */
  readonly missing: readonly Range[];
}

/**
 * Judges a dump. Complete is one that covers `[0, dumplength)` without a hole, does not go beyond dumplength
 * rounded up to the block size, has an intact header, and its key if it is encrypted. Without a header nothing tells
 * how long the dump is, so that it is never called complete: no kernel finishes without one, and whoever forges a
 * FINISHED would end a dump half-way.
 */
export function judge({ core, key, header }: Received): Verdict {
  const length = dumpLengthOf(header);
  const expectedEnd = length ?? core.end;
  const missing = core.missing(0, expectedEnd, MOST_LISTED);
  const problems = [
    ...headerProblems(header, core, key),
    ...(missing.length > 0 ? [describeMissing(core, expectedEnd, missing)] : []),
  ];
  if (core.covered === 0 && expectedEnd === 0) problems.push("no data");
  return {
    complete: problems.length === 0,
    reason: problems.length === 0 ? null : problems.join("; "),
    missing,
  };
}

/** Bytes of the dump by its header, `undefined` if that does not tell. */
function dumpLengthOf(header: ReceivedHeader): number | undefined {
  return header.kind === "header" || header.kind === "newer" ? header.header.dumpLength : undefined;
}

/** Where the last block of a dump ends. */
function paddedLength(dumpLength: number, blockSize: number): number {
  const block = blockSize > 0 && blockSize <= 65536 ? blockSize : NETDUMP_BLOCK_SIZE;
  return Math.ceil(dumpLength / block) * block;
}

function headerProblems(received: ReceivedHeader, core: Extents, key: Extents): string[] {
  switch (received.kind) {
    case "none":
      return ["cannot be told: no kernel dump header came"];
    case "part":
      return [`header of ${received.bytes} bytes`];
    case "damaged":
      return [`the kernel dump header is unreadable (${received.why})`];
    case "newer":
      return surplusProblems(core, received.header.dumpLength, NETDUMP_BLOCK_SIZE);
    case "header": {
      const { parityOk, dumpLength, blockSize } = received.header;
      const keySize = received.header.dumpKeySize ?? 0;
      return [
        ...(parityOk ? [] : ["the kernel dump header's parity is wrong"]),
        ...(key.contains(0, keySize) ? [] : [`the key is incomplete: ${key.covered} of ${keySize} bytes`]),
        ...surplusProblems(core, dumpLength, blockSize),
      ];
    }
  }
}

function surplusProblems(core: Extents, dumpLength: number, blockSize: number): string[] {
  const surplus = core.end - paddedLength(dumpLength, blockSize);
  return surplus > 0 ? [`overlong: ${surplus} bytes beyond the dump length ${dumpLength}`] : [];
}

function describeMissing(core: Extents, expectedEnd: number, missing: readonly Range[]): string {
  const bytes = expectedEnd - coveredBelow(core, expectedEnd);
  if (core.end < expectedEnd && missing.length === 1) {
    return `short: ${core.end} of ${expectedEnd} bytes`;
  }
  const ranges = missing.length === MOST_LISTED
    ? `${MOST_LISTED} ranges or more`
    : `${missing.length} ${missing.length === 1 ? "range" : "ranges"}`;
  return `holes: ${bytes} of ${expectedEnd} bytes missing in ${ranges}`;
}

function coveredBelow(core: Extents, end: number): number {
  let covered = 0;
  for (const range of core.ranges()) covered += Math.max(0, Math.min(range.end, end) - range.start);
  return covered;
}
