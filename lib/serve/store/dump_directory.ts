/**
 * The dump directory: which places in it a dump may go to, which index it gets (P5).
 *
 * @module
 */
import { join, relative, SEPARATOR } from "@std/path";
import { parseInfo } from "../../kerneldump/files/info.ts";
import { type FileSystem } from "../../os/file_system.ts";
import { describeError, errorCode } from "../../os/system_error.ts";
import { allDumpNames, boundsName, dumpNames, STATE_DIRECTORY } from "../../kerneldump/files/names.ts";

/** Most indexes that are tried when others take them at the same time. */
const MOST_TRIES = 64;
/** How far back the newest dump is looked for when somebody has removed the last ones. */
const MOST_REMOVED = 64;
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

/** A reserved index, with the info file that reserves it. */
export interface Reservation {
  readonly index: number;
  readonly infoFd: number;
}

/**
 * Reserves an index for a host's dump by creating its info file: the one in the bounds file, or the next that no
 * file of any kind has.
 *
 * @throws the file system's error, or {@linkcode PlaceError} if no index is free
 */
export function reserveIndex(fs: FileSystem, directory: string, host: string): Reservation {
  let index = readBounds(fs, directory, host);
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    while (isTaken(fs, directory, host, index)) index++;
    try {
      return { index, infoFd: createInPlace(fs, join(directory, dumpNames(host, index).info)) };
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error;
    }
  }
  throw new PlaceError("no free index");
}

/** Asks for each name: a listing of the directory takes longer with each dump in it, and keeps acks waiting (P2). */
function isTaken(fs: FileSystem, directory: string, host: string, index: number): boolean {
  return allDumpNames(host, index).some((name) => fs.entry(join(directory, name)) !== undefined);
}

/** Creates a file, and makes sure that the directory was not replaced by a link while it did. */
function createInPlace(fs: FileSystem, path: string): number {
  const fd = fs.create(path, DUMP_FILE_MODE);
  try {
    if (fs.realPath(path) !== path) throw new PlaceError("the directory was replaced by a link");
    return fd;
  } catch (error) {
    fs.close(fd);
    fs.remove(path);
    throw error;
  }
}

/** The index in a host's bounds file; 0 if there is none, or nothing sensible in it. */
export function readBounds(fs: FileSystem, directory: string, host: string): number {
  const path = join(directory, boundsName(host));
  try {
    if (fs.entry(path)?.kind !== "file") return 0;
    const [digits] = /^\d{1,9}(?=\n|$)/.exec(fs.readText(path)) ?? [];
    return digits === undefined ? 0 : Number(digits);
  } catch {
    return 0;
  }
}

/** Raises a host's bounds to `next`, atomically, if it is below. */
export async function raiseBounds(
  fs: FileSystem,
  directory: string,
  host: string,
  next: number,
): Promise<void> {
  checkPlace(fs, directory);
  const path = join(directory, boundsName(host));
  // Only the dump with the index before this one uses the name; what is there was left by a killed server.
  const temporary = `${path}.${next}.new`;
  if (fs.entry(temporary) !== undefined) fs.remove(temporary);
  if (readBounds(fs, directory, host) >= next) return;
  const kind = fs.entry(path)?.kind ?? "file";
  if (kind !== "file") throw new PlaceError(`${boundsName(host)} is not a file`);
  const fd = fs.create(temporary, DUMP_FILE_MODE);
  try {
    const bytes = new TextEncoder().encode(`${next}\n`);
    fs.write(fd, bytes, 0, bytes.byteLength, 0);
    await fs.sync(fd);
    // Another dump of the host may have raised them further meanwhile.
    if (readBounds(fs, directory, host) >= next) fs.remove(temporary);
    else fs.replace(temporary, path);
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
  let index = bounds;
  while (fs.entry(pathOf(index)) !== undefined) index++;
  for (const least = Math.max(0, bounds - MOST_REMOVED); --index >= least;) {
    if (fs.entry(pathOf(index))?.kind === "file") return pathOf(index);
  }
  return undefined;
}
