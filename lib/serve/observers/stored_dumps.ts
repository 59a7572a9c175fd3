/**
 * The dumps that lie in the dump directory, as whoever reads them tells: the status page reads none itself.
 *
 * @module
 */

/** A dump in the dump directory. Strings are unfiltered. */
export interface StoredDump {
  /** Path below the dump directory. */
  readonly file: string;
  readonly host: string | null;
  /** ISO 8601, UTC: of the crash, or of the file where that is not known. */
  readonly time: string | null;
  readonly sizeBytes: number;
  readonly kind: string;
  /** `whole`, `partial`, `truncated`, `bad`, `unknown`, `orphaned`, `unreadable`. */
  readonly state: string;
  readonly panic: string | null;
  /** Equal for equal panics. */
  readonly signature: string | null;
}

/** A dump in full. */
export interface DumpDetails {
  /** What `inspect` says of it, for people. */
  readonly text: string;
  /** What `inspect --json` says. */
  readonly report: unknown;
  /** The end of the kernel's message buffer, escaped; `null` if it was not found. */
  readonly messages: string | null;
  /** Physical memory from its first byte to its last, without what lies between its ranges; `null` if that is not known. */
  readonly memory: readonly MemoryPiece[] | null;
}

/** A piece of the machine's physical memory. */
export interface MemoryPiece {
  readonly sizeBytes: number;
  /** How much of it the dump has, 0 to 1. */
  readonly share: number;
}

/** Reads dumps, somewhere else. */
export interface DumpReader {
  /** All dumps, the newest first; `null` if they could not be read. */
  list(): Promise<readonly StoredDump[] | null>;
  /** One of those that `list` told; in words why it cannot be read. */
  read(file: string): Promise<DumpDetails | string>;
}

/** Dumps with the same panic. */
export interface PanicGroup {
  readonly signature: string;
  /** As the newest has it. */
  readonly panic: string;
  readonly count: number;
  readonly hosts: readonly string[];
  readonly firstSeen: string | null;
  readonly lastSeen: string | null;
}

/** Groups dumps by their panics, the most frequent first. */
export function groupPanics(dumps: readonly StoredDump[]): PanicGroup[] {
  const groups = new Map<string, StoredDump[]>();
  for (const dump of dumps) {
    if (dump.signature !== null) {
      const members = groups.get(dump.signature);
      if (members === undefined) groups.set(dump.signature, [dump]);
      else members.push(dump);
    }
  }
  return Array.from(groups, ([signature, members]) => {
    const times = members.flatMap(({ time }) => time ?? []).sort();
    return {
      signature,
      panic: members[0]!.panic ?? signature,
      count: members.length,
      hosts: [...new Set(members.flatMap(({ host }) => host ?? []))].sort(),
      firstSeen: times[0] ?? null,
      lastSeen: times.at(-1) ?? null,
    };
  }).sort((a, b) => b.count - a.count || compare(b.lastSeen ?? "", a.lastSeen ?? ""));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
