/**
 * `--keep N`: removes the complete dumps of a host but for the newest N.
 *
 * @module
 */
import { join } from "@std/path";
import { parseInfo } from "../kerneldump/info.ts";
import type { FileSystem } from "./file_system.ts";
import { dumpNames, INCOMPLETE_SUFFIX, parseDumpName } from "./names.ts";

const OWN_SUFFIXES = ["", ".gz", ".zst", INCOMPLETE_SUFFIX];

/**
 * Removes the files of old dumps. A dump without the words `Dump complete` is never touched, whatever its age; a
 * partial dump is all that is left of its crash (P10).
 *
 * @returns the names of the removed files
 */
export function removeOldDumps(fs: FileSystem, directory: string, host: string, keep: number): string[] {
  const byIndex = new Map<number, string[]>();
  for (const name of fs.list(directory)) {
    const parsed = parseDumpName(name, host);
    // A file that only looks like the dump's, such as an operator's note, is not ours to remove.
    if (parsed !== undefined && OWN_SUFFIXES.includes(parsed.suffix)) {
      byIndex.set(parsed.index, [...byIndex.get(parsed.index) ?? [], name]);
    }
  }
  const complete = [...byIndex.keys()].filter((index) =>
    isComplete(fs, directory, host, index, byIndex.get(index)!)
  );
  const old = complete.sort((a, b) => b - a).slice(keep);
  const removed: string[] = [];
  for (const name of old.flatMap((index) => byIndex.get(index)!)) {
    if (fs.entry(join(directory, name))?.kind !== "file") continue;
    fs.remove(join(directory, name));
    removed.push(name);
  }
  return removed;
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
