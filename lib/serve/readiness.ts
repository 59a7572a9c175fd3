/**
 * What would make a dump fail, found before one comes (P11): at start, and looked at again while the server runs. Each check
 * says what is wrong and what to do.
 *
 * @module
 */
import { join } from "@std/path";
import type { FileSystem } from "../os/file_system.ts";
import { describeError } from "../os/system_error.ts";
import { escapeLine, quote } from "../text/escape.ts";
import { formatDuration, formatSize } from "../text/units.ts";
import { resolvePlace } from "./store/dump_directory.ts";
import { leastRoom, type MinFree } from "./store/space.ts";

/** A kernel resends for so long before it gives up (reference netdump-protocol.md 3.2). */
const KERNEL_PATIENCE_MS = 12_000;
/** Descriptors of a session: its socket, its journal, its core file. */
const DESCRIPTORS_PER_SESSION = 3;
/** Descriptors that finishing dumps need for a moment, of each receiver, and those of the program itself. */
const DESCRIPTORS_PER_RECEIVER = 12;
const DESCRIPTORS_OF_PROGRAM = 48;
/** Those of a worker beside: its thread's own, its connections (a status page takes 16), its files. */
const DESCRIPTORS_PER_SIDE_WORKER = 28;

/** So few bytes to be kept free are more likely meant as a share, or as gigabytes. */
const MOST_LIKELY_PERCENT = 100;

/** What a check found. */
export interface Finding {
  /** Which check: `free-space`, `min-free`, `path`, `timeout`, `descriptors`, `directory`, `addresses`, `receivers`, `sessions`. */
  readonly check: string;
  readonly problem: string;
  readonly advice: string;
  /** No dump would be taken now. */
  readonly blocks: boolean;
}

/** What is looked at. */
export interface Subject {
  /** Real path of the dump directory. */
  readonly root: string;
  /** Default path below it. */
  readonly defaultPath: string;
  readonly minFree: MinFree;
  readonly timeoutMs: number;
  readonly mostSessions: number;
  /** Sessions for which there are descriptors; `null` if the system does not tell. */
  readonly room: number | null;
}

/** What opens descriptors in a server besides sessions. */
export interface OtherDescriptors {
  readonly receivers: number;
  readonly heraldSockets: number;
  /** Workers for the status page and for shipping. */
  readonly sideWorkers: number;
}

/** For how many sessions at once a process that may open so many descriptors has room. */
export function roomFor(
  descriptors: number,
  { receivers, heraldSockets, sideWorkers }: OtherDescriptors,
): number {
  const reserved = DESCRIPTORS_OF_PROGRAM + receivers * DESCRIPTORS_PER_RECEIVER + heraldSockets +
    sideWorkers * DESCRIPTORS_PER_SIDE_WORKER;
  return Math.max(0, Math.floor((descriptors - reserved) / DESCRIPTORS_PER_SESSION));
}

/** Looks at everything; what is well is not in the answer. */
export function checkReadiness(fs: FileSystem, subject: Subject): Finding[] {
  return [checkDirectory, checkPath, checkSpace, checkMinFree, checkTimeout, checkRoom].flatMap((check) =>
    check(fs, subject) ?? []
  );
}

/** How a running server is. */
export interface Running {
  readonly addresses: readonly string[];
  /** Sessions that receive data. */
  readonly busy: number;
  readonly mostSessions: number;
  /** Receivers that did not answer, of how many. */
  readonly silent: number;
  readonly receivers: number;
}

/** Looks at what can only go wrong while a server runs. */
export function checkRunning({ addresses, busy, mostSessions, silent, receivers }: Running): Finding[] {
  const findings: Finding[] = [];
  if (addresses.length === 0) {
    findings.push({
      check: "addresses",
      problem: "The server listens on no address",
      advice: "the machine has none; no dump can be received until it has",
      blocks: true,
    });
  }
  if (silent > 0) {
    findings.push({
      check: "receivers",
      problem: `${silent} of ${receivers} receivers do not answer`,
      advice: "a disk that hangs holds them up, or the machine is overloaded",
      blocks: silent >= receivers,
    });
  }
  if (busy >= mostSessions) {
    findings.push({
      check: "sessions",
      problem: `${busy} dumps are running, and --max-sessions and the open files allow ${mostSessions}`,
      advice: "further clients are refused until one ends; raise --max-sessions or the limit of open files",
      blocks: true,
    });
  }
  return findings;
}

function checkDirectory(fs: FileSystem, { root }: Subject): Finding | undefined {
  const path = join(root, `.netdump/probe.${crypto.randomUUID().slice(0, 8)}`);
  try {
    fs.close(fs.create(path, 0o600));
    fs.remove(path);
    return undefined;
  } catch (error) {
    return {
      check: "directory",
      problem: `Cannot create a file in dump directory ${quote(root)}: ${describeError(error)}`,
      advice: "no dump can be received until that is mended",
      blocks: true,
    };
  }
}

function checkPath(fs: FileSystem, { root, defaultPath }: Subject): Finding | undefined {
  try {
    resolvePlace(fs, root, defaultPath);
    return undefined;
  } catch (error) {
    return {
      check: "path",
      problem: `The default path ${quote(defaultPath)} cannot be used: ${escapeLine(describeError(error))}`,
      advice: `make the directory; until then dumps go to ${escapeLine(root)} itself`,
      blocks: false,
    };
  }
}

function checkSpace(fs: FileSystem, { root, defaultPath, minFree }: Subject): Finding | undefined {
  const room = leastRoom(fs, [root, join(root, defaultPath)], minFree);
  if (room === undefined || room.freeBytes > room.keptBytes) return undefined;
  return {
    check: "free-space",
    problem: `${escapeLine(room.directory)} has ${formatSize(room.freeBytes)} free, and ` +
      `${formatSize(room.keptBytes)} are to be kept free`,
    advice: "every dump is refused until there is more room or --min-free is lower",
    blocks: true,
  };
}

function checkMinFree(_fs: FileSystem, { minFree }: Subject): Finding | undefined {
  if (typeof minFree !== "number" || minFree === 0 || minFree > MOST_LIKELY_PERCENT) return undefined;
  return {
    check: "min-free",
    problem: `--min-free ${minFree} means ${minFree} bytes`,
    advice: `write ${minFree}% or ${minFree}G if that is what you mean`,
    blocks: false,
  };
}

function checkTimeout(_fs: FileSystem, { timeoutMs }: Subject): Finding | undefined {
  if (timeoutMs >= KERNEL_PATIENCE_MS) return undefined;
  return {
    check: "timeout",
    problem: `--timeout ${formatDuration(timeoutMs)} is less than a kernel's patience of ` +
      formatDuration(KERNEL_PATIENCE_MS),
    advice: "a dump whose client waits for a lost ack will be given up; the default is 10m",
    blocks: false,
  };
}

function checkRoom(_fs: FileSystem, { room, mostSessions }: Subject): Finding | undefined {
  if (room === null || room >= mostSessions) return undefined;
  return {
    check: "descriptors",
    problem: `The process may open files for ${room} dumps at once only, --max-sessions is ${mostSessions}`,
    advice: "raise the limit of open files (ulimit -n, LimitNOFILE=)",
    blocks: false,
  };
}
