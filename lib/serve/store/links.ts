/**
 * The links to a host's newest complete dump. Made by the main thread, since a worker that is held to a directory
 * may not make symbolic links at all; and since a receiver is not trusted, what it names is checked first.
 *
 * @module
 */
import { join, relative } from "@std/path";
import { type FileSystem, linkingUnsupported } from "../../os/file_system.ts";
import { describeError } from "../../os/system_error.ts";
import { coreNames, dumpIndex, dumpNames, isHostLabel, lastLinks } from "../../kerneldump/files/names.ts";
import { resolvePlace } from "./dump_directory.ts";

/** Windows wants a privilege for symbolic links that hardly anybody has (ERROR_PRIVILEGE_NOT_HELD). */
const NO_PRIVILEGE = /os error 1314/;
/** Names that are tried for a link before it takes the old one's place. */
const MOST_TEMPORARY = 8;

/** Where a dump is, as a receiver tells it. */
export interface DumpLocation {
  /** Path of its directory below the dump directory, `.` for itself. */
  readonly directory: string;
  readonly host: string;
  readonly index: number;
  readonly core: string;
  readonly info: string;
}

/**
 * Checks what a receiver says of a dump: a directory below the dump directory, and names that a dump of that host and index
 * has.
 *
 * @returns what is wrong with it; `undefined` if nothing is
 */
export function locationProblem(fs: FileSystem, root: string, location: DumpLocation): string | undefined {
  const { directory, host, index, core, info } = location;
  if (!isHostLabel(host) || !Number.isSafeInteger(index) || index < 0) return "no such host or index";
  if (!coreNames(host, index).includes(core) || info !== dumpNames(host, index).info) {
    return "no name of a dump's file";
  }
  try {
    const real = resolvePlace(fs, root, directory);
    if ((relative(root, real) || ".") !== directory) return "not a plain path below the dump directory";
  } catch (error) {
    return `directory "${directory}": ${describeError(error)}`;
  }
  return undefined;
}

/**
 * Points `vmcore.<host>.last` and `info.<host>.last` to a dump, each replaced atomically. They are a convenience: whatever
 * has such a name and is no link is left alone (P5), and what cannot be made is told. A link to a newer dump stays.
 *
 * @param location checked by {@linkcode locationProblem}
 * @returns what could not be done, a line each
 */
export function linkNewest(fs: FileSystem, root: string, location: DumpLocation): string[] {
  const directory = join(root, location.directory);
  const links = lastLinks(location.host);
  const told: string[] = [];
  for (const [name, target] of [[links.core, location.core], [links.info, location.info]] as const) {
    try {
      replaceLink(fs, join(directory, name), target, location);
    } catch (error) {
      told.push(`${name} was not made: ${whyNot(error)}`);
    }
  }
  return told;
}

function replaceLink(fs: FileSystem, path: string, target: string, location: DumpLocation): void {
  const there = fs.entry(path);
  const kind = there?.kind ?? "link";
  if (there?.kind === "link" && (dumpIndex(fs.readLink(path), location.host) ?? -1) > location.index) return;
  if (kind !== "link") throw new TypeError(`what has its name is a ${kind === "other" ? "device" : kind}`);
  for (let i = 0; i < MOST_TEMPORARY; i++) {
    const temporary = `${path}.new${i === 0 ? "" : i}`;
    const there = fs.entry(temporary);
    // Links are made one at a time: one that is there was left by a killed server. All else is somebody's.
    if (there !== undefined && there.kind !== "link") continue;
    if (there !== undefined) fs.remove(temporary);
    fs.link(target, temporary);
    try {
      fs.replace(temporary, path);
    } catch (error) {
      fs.remove(temporary);
      throw error;
    }
    return;
  }
  throw new TypeError(`${path}.new and the like are taken`);
}

function whyNot(error: unknown): string {
  const lacksLinks = linkingUnsupported(error) || NO_PRIVILEGE.test((error as Error).message);
  return lacksLinks ? "the dump directory has no symbolic links" : describeError(error);
}
