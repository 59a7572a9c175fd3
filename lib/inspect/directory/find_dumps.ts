/**
 * Which dumps lie in a directory and below it, by the names of files.
 *
 * @module
 */

import { join } from "@std/path";
import { parseDumpName } from "../../kerneldump/files/dump_name.ts";
import { STATE_DIRECTORY } from "../../kerneldump/files/names.ts";
import { describeError } from "../../os/system_error.ts";
import { quote } from "../../text/escape.ts";

/** The files of one dump. */
export interface DumpFiles {
  /** Where they lie: the directory that was named, or one below it. */
  readonly directory: string;
  /** The path from the directory that was named; empty for that itself. */
  readonly below: string;
  /** What the names have in common: `<host>.<n>` or `<n>`. */
  readonly id: string;
  /** The dump first; of an orphan what is left. */
  readonly files: readonly string[];
  readonly orphaned: boolean;
}

/** What was found. */
export interface FoundDumps {
  /** As it was named. */
  readonly directory: string;
  readonly dumps: readonly DumpFiles[];
  /** What was not looked into, in sentences. */
  readonly left: readonly string[];
}

/** How far directories below one are looked into. */
interface Limits {
  readonly depth: number;
  readonly directories: number;
}

/** Clients ask for directories (net.netdump.path), operators make them: a tree that is larger is no dump directory. */
const LIMITS: Limits = { depth: 4, directories: 10_000 };
/** Where there is neither a dump nor a server's state, somebody may have named his home, or `/`. */
const STRANGE_LIMITS: Limits = { depth: 2, directories: 100 };
/** More than there are names for one dump. */
const MOST_FILES = 64;
/** Prefixes of dumps; the other names accompany one. */
const DUMPS = ["vmcore", "vmcore_encrypted", "livecore", "textdump.tar"];

/**
 * Finds the dumps in a directory and in the directories below it; links are not followed, names with a dot in front are
 * left out.
 *
 * @throws {Error} of the file system if the directory itself cannot be read
 */
export function findDumps(directory: string, given?: Limits): FoundDumps {
  const dumps: DumpFiles[] = [];
  const left: string[] = [];
  let limits = given ?? LIMITS;
  // A list that grows while it is walked: each directory before those in it.
  const places = [{ directory, below: "", depth: 0 }];
  for (const place of places) {
    let found: Names;
    try {
      found = readNames(place.directory);
    } catch (error) {
      if (place.depth === 0) throw error;
      left.push(`${quote(place.directory)}: ${describeError(error)}`);
      continue;
    }
    for (const [id, names] of found.groups) dumps.push(...dumpsOf({ ...place, id }, names));
    if (place.depth === 0 && dumps.length === 0 && !found.hasState) limits = given ?? STRANGE_LIMITS;
    for (const name of found.directories.sort()) {
      if (place.depth === limits.depth || places.length === limits.directories) {
        const most =
          `no more than ${limits.directories} directories are, and none deeper than ${limits.depth}`;
        left.push(`${quote(join(place.directory, name))}: ${most}`);
        break;
      }
      places.push({
        directory: join(place.directory, name),
        below: join(place.below, name),
        depth: place.depth + 1,
      });
    }
  }
  return { directory, dumps, left };
}

interface Names {
  /** Names of files by the id in them. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  readonly directories: string[];
  /** A server's state is among them. */
  readonly hasState: boolean;
}

function readNames(directory: string): Names {
  const groups = new Map<string, string[]>();
  const directories: string[] = [];
  let hasState = false;
  for (const { name, isFile, isDirectory } of Deno.readDirSync(directory)) {
    if (isDirectory && !name.startsWith(".")) directories.push(name);
    hasState ||= isDirectory && name === STATE_DIRECTORY;
    // Links such as vmcore.w1.last lead to files that are listed anyway.
    if (!isFile) continue;
    const { id } = parseDumpName(name);
    if (id === null) continue;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [name]);
    else group.push(name);
  }
  return { groups, directories, hasState };
}

/** Two dumps can have one number, after a wrap-around. */
function dumpsOf(
  { directory, below, id }: Pick<DumpFiles, "directory" | "below" | "id">,
  names: readonly string[],
): DumpFiles[] {
  const files = names.toSorted();
  const isDump = (name: string) => DUMPS.includes(parseDumpName(name).prefix ?? "");
  const others = files.filter((name) => !isDump(name)).slice(0, MOST_FILES);
  const dumps = files.filter(isDump);
  if (dumps.length > 0) {
    return dumps.map((dump) => ({ directory, below, id, files: [dump, ...others], orphaned: false }));
  }
  // crashinfo's report alone is what a clean-up leaves on purpose; `info.txt` and `key.pem` are nobody's.
  const isOrphan = /(?:^|\.)\d{1,9}$/.test(id) && others.some((name) => !name.startsWith("core.txt."));
  return isOrphan ? [{ directory, below, id, files: others, orphaned: true }] : [];
}
