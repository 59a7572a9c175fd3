/**
 * `netdump inspect DIR`: the dumps of a directory as a list or in groups, told as they are read.
 *
 * @module
 */

import type { Entry } from "../../inspect/directory/entry.ts";
import { findDumps, type FoundDumps } from "../../inspect/directory/find_dumps.ts";
import { KeptEntries } from "../../inspect/directory/kept_entries.ts";
import { listDumps, type Selection } from "../../inspect/directory/list_dumps.ts";
import { PanicGroups } from "../../inspect/panic_groups.ts";
import { DirectoryTable } from "../../inspect/tell/directory_text.ts";
import { formatGroups } from "../../inspect/tell/groups_text.ts";
import { escapeLine } from "../../text/escape.ts";
import { toJsonLine } from "../../text/json.ts";
import { type Style, styleFor } from "../../text/style.ts";
import { VERSION } from "../../version.ts";
import { writeStdout } from "../output.ts";
import type { Options } from "./options.ts";

/** A directory whose dumps are found but not read yet, and what is known of them. */
export interface OpenDirectory {
  readonly found: FoundDumps;
  readonly kept: KeptEntries;
}

/**
 * Finds a directory's dumps. From then on reading them needs no permission to write.
 *
 * @throws {Error} of the file system
 */
export async function openDirectory(path: string): Promise<OpenDirectory> {
  const found = findDumps(path);
  const { state } = await Deno.permissions.query({ name: "write", path });
  return { found, kept: KeptEntries.open(found, VERSION, state === "granted") };
}

/**
 * Tells what is asked about a directory.
 *
 * @returns whether all dumps in it are whole, if that is asked
 */
export async function inspectDirectory(
  { found, kept }: OpenDirectory,
  options: Options,
  titled: boolean,
): Promise<boolean> {
  const selection = selectionOf(options);
  const entries = listDumps(
    found,
    options.verify ? { thoroughness: "verify", selection } : { thoroughness: "glance", kept, selection },
  );
  const style = styleFor(Deno.stdout.isTerminal(), Deno.noColor);
  if (titled && !options.json) await writeStdout(`${style.bold(escapeLine(found.directory))}\n`);
  const counts = { told: 0, whole: 0 };
  async function* counted() {
    for await (const entry of entries) {
      counts.told++;
      if (entry.state === "whole") counts.whole++;
      yield entry;
    }
  }
  try {
    await (options.group
      ? tellGroups(counted(), options, style)
      : tellList(counted(), found, options, style));
  } finally {
    kept.close();
  }
  if (counts.told === 0 && !options.json) {
    const none = found.dumps.length === 0 ? "No dumps" : "No such dumps";
    await writeStdout(`${none} in ${escapeLine(found.directory)}\n`);
  }
  for (const left of found.left.slice(0, MOST_LEFT)) console.error(`netdump: Not looked into: ${left}`);
  const more = found.left.length - MOST_LEFT;
  if (more > 0) console.error(`netdump: Not looked into: ${more} more directories`);
  return !options.verify || counts.whole === counts.told;
}

function selectionOf({ since, host, state, limit }: Options): Selection {
  return { sinceMs: since === undefined ? undefined : Date.now() - since, host, state, limit };
}

/** Directories that were not looked into, and are named. */
const MOST_LEFT = 5;
/** Lines are written together where dumps are read quickly. */
const MOST_LINES = 100;
/** No line waits longer for others. */
const PATIENCE_MS = 300;

async function tellList(
  entries: AsyncIterable<Entry>,
  found: FoundDumps,
  { json }: Options,
  style: Style,
): Promise<void> {
  const table = new DirectoryTable(found, style, Deno.stdout.isTerminal() ? terminalWidth() : null);
  const format = (ready: readonly Entry[]) =>
    json ? ready.map((entry) => toJsonLine(entry) + "\n").join("") : table.add(ready);
  let ready: Entry[] = [];
  let sinceMs = performance.now();
  for await (const entry of entries) {
    ready.push(entry);
    if (ready.length < MOST_LINES && performance.now() - sinceMs < PATIENCE_MS) continue;
    await writeStdout(format(ready));
    ready = [];
    sinceMs = performance.now();
  }
  if (ready.length > 0) await writeStdout(format(ready));
}

/** Tells equal panics as one, as soon as all dumps are known. */
export async function tellGroups(
  sightings: AsyncIterable<Parameters<PanicGroups["add"]>[0]>,
  { json }: Options,
  style: Style,
): Promise<void> {
  const groups = new PanicGroups();
  for await (const sighting of sightings) groups.add(sighting);
  const list = groups.list();
  if (json) await writeStdout(list.map((group) => toJsonLine(group) + "\n").join(""));
  else if (list.length > 0) await writeStdout(formatGroups(list, style));
}

function terminalWidth(): number | null {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return null;
  }
}
