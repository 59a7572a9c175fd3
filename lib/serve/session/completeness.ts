/**
 * Whether a dump that was FINISHED is whole (P3): the received ranges against the kernel dump header.
 *
 * @module
 */
import type { KernelDumpHeader } from "../../kerneldump/files/header.ts";
import type { Extents, Range } from "./extents.ts";

/** Most missing ranges that are listed; their number is always told. */
const MOST_LISTED = 64;
/** Block size of every netdump (reference netdump-protocol.md 4.1). */
const NETDUMP_BLOCK_SIZE = 4096;

/** What was received of a dump. */
export interface Received {
  readonly core: Extents;
  readonly key: Extents;
  /** The header; `null` if none came; a text if what came is not one. */
  readonly header: KernelDumpHeader | string | null;
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
 * rounded up to the block size, has an intact header, and its key if it is encrypted. Without any header (no
 * kernel finishes without one, netdumpd's test client does) a dump is complete if it has no hole.
 */
export function judge({ core, key, header }: Received): Verdict {
  const expectedEnd = header !== null && typeof header === "object" ? header.dumpLength : core.end;
  const missing = core.missing(0, expectedEnd, MOST_LISTED);
  const problems = [
    ...(typeof header === "string" ? [`the kernel dump header is unreadable (${header})`] : []),
    ...(header !== null && typeof header === "object" ? headerProblems(header, core, key) : []),
    ...(missing.length > 0 ? [describeMissing(core, expectedEnd, missing)] : []),
  ];
  if (core.covered === 0 && expectedEnd === 0) problems.push("no data");
  return {
    complete: problems.length === 0,
    reason: problems.length === 0 ? null : problems.join("; "),
    missing,
  };
}

/** Formats ranges for people and for the info file: `0x5a8-0xb50 (1448 bytes), ...`. */
export function formatRanges(ranges: readonly Range[]): string {
  return ranges.map(({ start, end }) =>
    `0x${start.toString(16)}-0x${end.toString(16)} (${end - start} bytes)`
  )
    .join(", ");
}

/** Where the last block of a dump ends. */
export function paddedLength(header: KernelDumpHeader): number {
  const block = header.blockSize > 0 && header.blockSize <= 65536 ? header.blockSize : NETDUMP_BLOCK_SIZE;
  return Math.ceil(header.dumpLength / block) * block;
}

function headerProblems(header: KernelDumpHeader, core: Extents, key: Extents): string[] {
  const problems: string[] = [];
  if (!header.parityOk) problems.push("the kernel dump header's parity is wrong");
  const keySize = header.dumpKeySize ?? 0;
  if (!key.contains(0, keySize)) {
    problems.push(`the key is incomplete: ${key.covered} of ${keySize} bytes`);
  }
  const surplus = core.end - paddedLength(header);
  if (surplus > 0) problems.push(`overlong: ${surplus} bytes beyond the dump length ${header.dumpLength}`);
  return problems;
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
