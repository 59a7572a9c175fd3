/**
 * `netdump inspect DIR`: the dumps of a directory as a list or in groups, told as they are read.
 *
 * @module
 */

import { findDumps, type FoundDumps } from "../../inspect/directory/find_dumps.ts";
import { EntryCache } from "../../inspect/directory/entry_cache.ts";
import { listDumps, type Selection } from "../../inspect/directory/list_dumps.ts";
import { directoryTable, isTimeMarked, TIME_MARK } from "../../inspect/tell/directory_text.ts";
import { escapeLine } from "../../text/escape.ts";
import { styleFor } from "../../text/style.ts";
import { VERSION } from "../../version.ts";
import { writeStdout } from "../output.ts";
import type { Options } from "./options.ts";
import { terminalWidth } from "../terminal.ts";
import { jsonLines, tellGroups, tellList } from "./telling.ts";

/** A directory whose dumps are found but not read yet, and what is known of them. */
export interface OpenDirectory {
  readonly found: FoundDumps;
  readonly cache: EntryCache;
}

/** Directories that were not looked into, and are named. */
const MOST_LEFT = 5;

/**
 * Finds a directory's dumps. From then on reading them needs no permission to write.
 *
 * @throws {Error} of the file system
 */
export async function openDirectory(path: string): Promise<OpenDirectory> {
  const found = findDumps(path);
  const { state } = await Deno.permissions.query({ name: "write", path });
  return { found, cache: EntryCache.open(found, VERSION, state === "granted") };
}

/**
 * Tells what is asked about a directory.
 *
 * @returns whether all dumps in it are whole, if that is asked
 */
export async function inspectDirectory(
  { found, cache }: OpenDirectory,
  options: Options,
  titled: boolean,
): Promise<boolean> {
  const { json, group, verify } = options;
  const selection = selectionOf(options);
  const entries = listDumps(
    found,
    verify ? { thoroughness: "verify", selection } : { thoroughness: "glance", cache, selection },
  );
  let isGood = true;
  let isAnyMarked = false;
  async function* judged() {
    for await (const entry of entries) {
      isGood &&= entry.state === "whole";
      isAnyMarked ||= isTimeMarked(entry);
      yield entry;
    }
  }
  const style = styleFor(Deno.stdout.isTerminal(), Deno.noColor);
  if (titled && !json) await writeStdout(`${style.bold(escapeLine(found.directory))}\n`);
  try {
    const width = terminalWidth();
    const table = directoryTable(found, style, width);
    const count = group
      ? await tellGroups(judged(), json, style)
      : await tellList(judged(), json ? jsonLines : (ready) => table.add(ready));
    if (count === 0 && !json) {
      const place = escapeLine(found.directory);
      await writeStdout(
        found.dumps.length === 0
          ? `No dumps in ${place}: no file there is named like one, such as vmcore.0\n`
          : `No such dumps in ${place}\n`,
      );
    }
    // Programs that read the table need no legend.
    if (isAnyMarked && width !== null && !group && !json) await writeStdout(`${style.dim(TIME_MARK)}\n`);
  } finally {
    cache.close();
  }
  for (const left of found.left.slice(0, MOST_LEFT)) console.error(`netdump: Not looked into: ${left}`);
  const more = found.left.length - MOST_LEFT;
  if (more > 0) console.error(`netdump: Not looked into: ${more} more directories`);
  return !verify || isGood;
}

function selectionOf({ since, host, state, limit }: Options): Selection {
  return { sinceMs: since === undefined ? undefined : Date.now() - since, host, state, limit };
}
