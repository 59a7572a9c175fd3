/**
 * `--keep N`: which old dumps of a client go when a new one is complete. A crash is lost for good, so what can be forged
 * pushes nothing out.
 *
 * @module
 */
import { join } from "@std/path";
import { decodeKernelDumpHeader, type KernelDumpHeader } from "../../kerneldump/files/header.ts";
import { parseInfo } from "../../kerneldump/files/read_info.ts";
import { dumpIndex, dumpNames, INCOMPLETE_SUFFIX } from "../../kerneldump/files/names.ts";
import type { FileSystem } from "../../os/file_system.ts";
import { errorCode } from "../../os/system_error.ts";
import type { DumpPlace } from "../session/journal.ts";
import { checkPlace } from "./dump_directory.ts";

/** Nothing younger goes, unless there is no room for another dump like the newest. */
const YOUNG_MS = 86_400_000;

/** How much is kept. */
export interface Policy {
  /** Complete dumps of a client. */
  readonly keep: number;
  /** Unix time in ms. */
  readonly nowMs: number;
  /** Bytes that may still be written to the disk. */
  readonly spareBytes: number;
}

/** A dump that `--keep` removed. */
export interface RemovedDump {
  readonly host: string;
  readonly index: number;
  readonly directory: string;
  readonly files: readonly string[];
  readonly panic: string;
  /** ISO 8601 time at which it was received; `null` if its files do not tell. */
  readonly receivedAt: string | null;
  readonly bytes: number;
}

/** A dump that counts: complete, and with a sound header. */
interface KeptDump {
  readonly index: number;
  readonly names: readonly string[];
  readonly client: string;
  /** Panic with its numbers masked: dumps of one bug have the same. */
  readonly bug: string;
  readonly panic: string;
  readonly receivedMs: number;
  readonly bytes: number;
}

/**
 * Removes old dumps of the client whose dump has just become complete. A dump without the words `Dump complete`, or without
 * a sound header, is neither removed nor counted, and neither is one of another address: a partial dump is all that is
 * left of its crash (P10). Of the others the newest of each panic stay before those that repeat one.
 *
 * @param index the dump that has just become complete
 * @returns what was removed
 */
export async function removeOldDumps(
  fs: FileSystem,
  directory: string,
  { directory: place, host }: DumpPlace,
  index: number,
  { keep, nowMs, spareBytes }: Policy,
): Promise<RemovedDump[]> {
  const dumps = completeDumps(fs, directory, host);
  const newest = dumps.find((dump) => dump.index === index);
  if (newest === undefined) return [];
  const series = byWorth(dumps.filter(({ client }) => client === newest.client));
  const isPressed = spareBytes < newest.bytes;
  const old = series.slice(keep).filter(({ receivedMs }) => isPressed || nowMs - receivedMs >= YOUNG_MS);
  const removed: RemovedDump[] = [];
  for (const dump of old) {
    const files = await removeFiles(fs, directory, dump.names);
    if (files.length === 0) continue;
    const receivedAt = new Date(dump.receivedMs).toISOString();
    removed.push({
      ...{ host, index: dump.index, directory: place, files },
      ...{ panic: dump.panic, receivedAt, bytes: dump.bytes },
    });
  }
  return removed;
}

/** The newest first, but behind the newest of each panic those that repeat one. */
function byWorth(dumps: readonly KeptDump[]): KeptDump[] {
  const newestFirst = dumps.toSorted((a, b) => b.receivedMs - a.receivedMs || b.index - a.index);
  const seen = new Set<string>();
  const repeats = new Set<KeptDump>();
  for (const dump of newestFirst) {
    if (seen.has(dump.bug)) repeats.add(dump);
    seen.add(dump.bug);
  }
  return newestFirst.toSorted((a, b) => Number(repeats.has(a)) - Number(repeats.has(b)));
}

function completeDumps(fs: FileSystem, directory: string, host: string): KeptDump[] {
  const byIndex = new Map<number, string[]>();
  for (const name of fs.list(directory)) {
    // A file that only looks like the dump's, such as an operator's note, is not ours to remove.
    const index = dumpIndex(name, host);
    if (index !== undefined) byIndex.set(index, [...byIndex.get(index) ?? [], name]);
  }
  return [...byIndex].flatMap(([index, names]) => readDump(fs, directory, host, index, names) ?? []);
}

function readDump(
  fs: FileSystem,
  directory: string,
  host: string,
  index: number,
  names: readonly string[],
): KeptDump | undefined {
  const { info, header } = dumpNames(host, index);
  if (!names.includes(info) || names.some((name) => name.endsWith(INCOMPLETE_SUFFIX))) return undefined;
  const entry = fs.entry(join(directory, info));
  if (entry?.kind !== "file") return undefined;
  const read = parseInfo(fs.readText(join(directory, info)));
  const sound = readHeader(fs, join(directory, header));
  if (read?.ending !== "Dump complete" || read.client === null) return undefined;
  // What a server that was killed left of an old dump has no core: it goes with the rest.
  const isLeftOver = !names.some((name) => name.startsWith("vmcore"));
  if (sound === undefined && !isLeftOver) return undefined;
  const panic = sound?.panicString ?? "";
  return {
    ...{ index, names, client: read.client.address, panic },
    bug: panic.replace(/0x[0-9a-f]+|\d+/gi, "#"),
    receivedMs: entry.changedMs,
    bytes: names.reduce((sum, name) => sum + (fs.entry(join(directory, name))?.sizeBytes ?? 0), 0),
  };
}

/** The kernel dump header of a dump, if it is sound. */
function readHeader(fs: FileSystem, path: string): KernelDumpHeader | undefined {
  if (fs.entry(path)?.kind !== "file") return undefined;
  try {
    const header = decodeKernelDumpHeader(fs.readBytes(path));
    return header.parityOk ? header : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Removes a dump's files: the core first, without which the rest counts as what is left of a removal, and the info file last,
 * so that what a killed server leaves goes the next time.
 */
async function removeFiles(fs: FileSystem, directory: string, names: readonly string[]): Promise<string[]> {
  const removed: string[] = [];
  const rank = (name: string) => name.startsWith("vmcore") ? 0 : name.startsWith("info.") ? 2 : 1;
  for (const name of names.toSorted((a, b) => rank(a) - rank(b))) {
    const path = join(directory, name);
    checkPlace(fs, directory);
    if (fs.entry(path)?.kind !== "file") continue;
    // A core of a hundred gigabytes must not hold up the acks of other dumps (P2).
    try {
      await fs.removeLarge(path);
      removed.push(name);
    } catch (error) {
      // Another dump of the host, finished at the same time, was quicker.
      if (errorCode(error) !== "ENOENT") throw error;
    }
  }
  return removed;
}
