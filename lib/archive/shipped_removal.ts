/**
 * `--ship-keep N`: local files of dumps that are in the store, with their catalogue entries, go (P12).
 *
 * @module
 */
import { join } from "@std/path";
import { allDumpNames, dumpNames } from "../kerneldump/files/names.ts";
import type { FileSystem } from "../os/file_system.ts";
import { readMarks, type ShippedMark } from "./outbox.ts";

/** A dump whose local files were removed. */
export interface RemovedShipped {
  readonly directory: string;
  readonly files: readonly string[];
  readonly catalogueKey: string;
}

/**
 * Removes local files of dumps that are marked as shipped, but for the newest of each host.
 *
 * @param root real path of the dump directory
 * @param idleMs files that changed since stay: their session may still answer its client
 */
export async function removeShipped(
  fs: FileSystem,
  root: string,
  keep: number,
  idleMs: number,
): Promise<RemovedShipped[]> {
  const byHost = Map.groupBy(readMarks(fs, root).map(({ mark }) => mark), ({ host }) => host);
  const removed: RemovedShipped[] = [];
  for (const marks of byHost.values()) {
    const old = marks.toSorted((a, b) => b.startedMs - a.startedMs || b.number - a.number).slice(keep);
    for (const mark of old) {
      const files = await removeFiles(fs, root, mark, idleMs);
      if (files.length > 0) {
        removed.push({ directory: mark.directory, files, catalogueKey: mark.catalogueKey });
      }
    }
  }
  return removed;
}

/** The core goes first and the info file last, so that what a kill leaves goes the next time. */
async function removeFiles(
  fs: FileSystem,
  root: string,
  { directory, host, number }: ShippedMark,
  idleMs: number,
): Promise<string[]> {
  const place = join(root, directory);
  const info = fs.entry(join(place, dumpNames(host, number).info));
  // A directory that was replaced by a link leads elsewhere (P5).
  if (info?.kind !== "file" || info.changedMs > idleMs || fs.realPath(place) !== place) return [];
  const removed: string[] = [];
  const rank = (name: string) => name.startsWith("vmcore") ? 0 : name.startsWith("info.") ? 2 : 1;
  for (const name of allDumpNames(host, number).sort((a, b) => rank(a) - rank(b))) {
    if (fs.entry(join(place, name))?.kind !== "file") continue;
    await fs.removeLarge(join(place, name));
    removed.push(name);
  }
  return removed;
}
