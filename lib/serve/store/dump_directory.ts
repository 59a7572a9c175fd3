/**
 * The dump directory: which places in it a dump may go to, which index it gets (P5).
 *
 * @module
 */
import { join, relative, SEPARATOR } from "@std/path";
import { parseInfo } from "../../kerneldump/files/read_info.ts";
import { type FileSystem } from "../../os/file_system.ts";
import { describeError, errorCode } from "../../os/system_error.ts";
import { allDumpNames, boundsName, dumpNames, STATE_DIRECTORY } from "../../kerneldump/files/names.ts";

/** Most indexes that are tried when others take them at the same time. */
const MOST_TRIES = 64;
/** Indexes go up to this: nine digits. */
const MOST_INDEX = 999_999_999;
/** How far back the newest dump is looked for when somebody has removed the last ones. */
const MOST_REMOVED = 64;
/** A bounds file has nine digits and a line feed; one that is larger is something else. */
const MOST_BOUNDS_BYTES = 64;
const DUMP_FILE_MODE = 0o600;
/** Label of the info line that carries a client's full host name. */
export const HOST_NAME_LABEL = "Host Name";

/** A path that must not be used, or cannot be. The message is one line; the path in it is not escaped. */
export class PlaceError extends Error {
  override readonly name = "PlaceError";
}

/**
 * Finds the directory that a path below the dump directory leads to. It must exist, and without its links it must
 * still lie below the dump directory.
 *
 * @param root real path of the dump directory
 * @param path relative, already held to the rules of a HERALD's path
 * @returns its real path
 * @throws {PlaceError}
 */
export function resolvePlace(fs: FileSystem, root: string, path: string): string {
  let real: string;
  try {
    real = fs.realPath(join(root, path));
  } catch (error) {
    // A link that leads outside is refused by the worker's permissions before it is resolved.
    throw new PlaceError(describeError(error));
  }
  const within = relative(root, real);
  if (
    within === ".." || within.startsWith(".." + SEPARATOR) || (within !== "" && join(root, within) !== real)
  ) {
    throw new PlaceError("leads outside the dump directory");
  }
  if (within.split(SEPARATOR)[0] === STATE_DIRECTORY) throw new PlaceError("belongs to the server");
  if (fs.entry(real)?.kind !== "directory") throw new PlaceError("not a directory");
  return real;
}

/** Throws {@linkcode PlaceError} if a real path has become a link to elsewhere since it was resolved. */
export function checkPlace(fs: FileSystem, directory: string): void {
  if (fs.realPath(directory) !== directory) throw new PlaceError("the directory was replaced by a link");
}

/**
 * Reserves an index for a host's dump by creating its info file: the one in the bounds file, or one behind the dumps that
 * are there.
 *
 * @param onTry is told an index before it is tried, so that what a killed server leaves is known
 * @throws the file system's error, or {@linkcode PlaceError} if no index is free
 */
export function reserveIndex(
  fs: FileSystem,
  directory: string,
  host: string,
  onTry: (index: number) => void = () => {},
): number {
  const taken = (at: number) => isTaken(fs, directory, host, at);
  let index = freeIndex(taken, readBounds(fs, directory, host));
  // Bounds that somebody set too high cost no dump.
  if (index > MOST_INDEX) index = freeIndex(taken, 0);
  for (let tries = 0; tries < MOST_TRIES && index <= MOST_INDEX; tries++, index++) {
    if (isTaken(fs, directory, host, index)) continue;
    try {
      onTry(index);
      createInPlace(fs, join(directory, dumpNames(host, index).info));
      return index;
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
  }
  throw new PlaceError("no free index");
}

/**
 * Finds an index that is not taken, from the first one on. Where bounds was lost and thousands of dumps lie, asking for
 * one after the other would keep all sessions of a receiver waiting (P2): steps are doubled until they are behind the dumps,
 * then halved. Where the numbers have gaps it may be in one of them.
 */
export function freeIndex(isTaken: (index: number) => boolean, first: number): number {
  if (!isTaken(first)) return first;
  let taken = first;
  let free = first + 1;
  for (let step = 1; free <= MOST_INDEX && isTaken(free); step *= 2) {
    taken = free;
    free += step;
  }
  while (free - taken > 1) {
    const middle = taken + Math.floor((free - taken) / 2);
    if (isTaken(middle)) taken = middle;
    else free = middle;
  }
  return free;
}

/** Asks for each name: a listing of the directory takes longer with each dump in it, and keeps acks waiting (P2). */
function isTaken(fs: FileSystem, directory: string, host: string, index: number): boolean {
  return allDumpNames(host, index).some((name) => fs.entry(join(directory, name)) !== undefined);
}

/** Creates an empty file, and makes sure that the directory was not replaced by a link while it did. */
function createInPlace(fs: FileSystem, path: string): void {
  const fd = fs.create(path, DUMP_FILE_MODE);
  try {
    fs.close(fd);
    if (fs.realPath(path) !== path) throw new PlaceError("the directory was replaced by a link");
  } catch (error) {
    fs.remove(path);
    throw error;
  }
}

/** The index in a host's bounds file; 0 if there is none, or nothing sensible in it. */
export function readBounds(fs: FileSystem, directory: string, host: string): number {
  const path = join(directory, boundsName(host));
  try {
    const entry = fs.entry(path);
    if (entry?.kind !== "file" || entry.sizeBytes > MOST_BOUNDS_BYTES) return 0;
    const [digits] = /^\d{1,9}(?=\n|$)/.exec(fs.readText(path)) ?? [];
    return digits === undefined ? 0 : Number(digits);
  } catch {
    return 0;
  }
}

/**
 * Raises a host's bounds to `next`, atomically, if it is below. A convenience: without it the next index is looked for.
 *
 * @throws the file system's error, or {@linkcode PlaceError} if bounds is no file
 */
export function raiseBounds(fs: FileSystem, directory: string, host: string, next: number): void {
  checkPlace(fs, directory);
  const path = join(directory, boundsName(host));
  if (readBounds(fs, directory, host) >= next) return;
  const kind = fs.entry(path)?.kind ?? "file";
  if (kind !== "file") throw new PlaceError(`${boundsName(host)} is not a file`);
  // What has this name was left by a killed server.
  const temporary = `${path}.new`;
  if (fs.entry(temporary)?.kind === "file") fs.remove(temporary);
  const fd = fs.create(temporary, DUMP_FILE_MODE);
  try {
    const bytes = new TextEncoder().encode(`${next}\n`);
    fs.write(fd, bytes, 0, bytes.byteLength, 0);
    fs.replace(temporary, path);
  } catch (error) {
    fs.remove(temporary);
    throw error;
  } finally {
    fs.close(fd);
  }
}

/**
 * Picks the host part of a dump's names. Two hosts that share a short name do not share a series: when the newest
 * dump of the name came from another address and another full host name, the address is added.
 */
export function seriesName(
  fs: FileSystem,
  directory: string,
  label: string,
  client: { readonly address: string; readonly hostName: string | null },
): string {
  const path = newestInfo(fs, directory, label);
  if (path === undefined) return label;
  let info;
  try {
    info = parseInfo(fs.readText(path));
  } catch {
    return label;
  }
  const owner = info?.others.find(([name]) => name === HOST_NAME_LABEL)?.[1];
  const sameAddress = (info?.client?.address ?? client.address) === client.address;
  const sameName = owner === undefined || owner === client.hostName;
  return sameAddress || sameName ? label : `${label}-${client.address.replaceAll(".", "-")}`;
}

/** Path of a host's newest info file, found from its bounds: those of running dumps come behind them. */
function newestInfo(fs: FileSystem, directory: string, host: string): string | undefined {
  const pathOf = (index: number) => join(directory, dumpNames(host, index).info);
  const bounds = readBounds(fs, directory, host);
  let index = freeIndex((at) => fs.entry(pathOf(at)) !== undefined, bounds);
  for (const least = Math.max(0, bounds - MOST_REMOVED); --index >= least;) {
    if (fs.entry(pathOf(index))?.kind === "file") return pathOf(index);
  }
  return undefined;
}
