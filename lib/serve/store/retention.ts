/**
 * `--keep N`: removes the complete dumps of a host but for the newest N.
 *
 * @module
 */
import { join } from "@std/path";
import { parseInfo } from "../../kerneldump/files/info.ts";
import { checkPlace } from "./dump_directory.ts";
import type { FileSystem } from "../../os/file_system.ts";
import { errorCode } from "../../os/system_error.ts";
import { dumpIndex, dumpNames, INCOMPLETE_SUFFIX } from "../../kerneldump/files/names.ts";

/**
 * Removes the files of old dumps. A dump without the words `Dump complete` is never touched, whatever its age; a
 * partial dump is all that is left of its crash (P10).
 *
 * @returns the names of the removed files
 */
export async function removeOldDumps(
  fs: FileSystem,
  directory: string,
  host: string,
  keep: number,
): Promise<string[]> {
  const byIndex = new Map<number, string[]>();
  for (const name of fs.list(directory)) {
    // A file that only looks like the dump's, such as an operator's note, is not ours to remove.
    const index = dumpIndex(name, host);
    if (index !== undefined) byIndex.set(index, [...byIndex.get(index) ?? [], name]);
  }
  const complete = [...byIndex.keys()].filter((index) =>
    isComplete(fs, directory, host, index, byIndex.get(index)!)
  );
  const old = complete.sort((a, b) => b - a).slice(keep);
  const removed: string[] = [];
  for (const name of old.flatMap((index) => infoLast(byIndex.get(index)!))) {
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

/** What is left when a server is killed in between has its info file, and goes the next time. */
function infoLast(names: readonly string[]): string[] {
  return names.toSorted((a, b) => Number(a.startsWith("info.")) - Number(b.startsWith("info.")));
}

function isComplete(
  fs: FileSystem,
  directory: string,
  host: string,
  index: number,
  names: string[],
): boolean {
  const { info } = dumpNames(host, index);
  if (!names.includes(info) || names.some((name) => name.endsWith(INCOMPLETE_SUFFIX))) return false;
  const path = join(directory, info);
  return fs.entry(path)?.kind === "file" && parseInfo(fs.readText(path))?.ending === "Dump complete";
}
