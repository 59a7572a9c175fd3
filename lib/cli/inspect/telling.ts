/**
 * Lists of dumps and of groups of them, told as they become known.
 *
 * @module
 */

import { PanicGroups, type Sighting } from "../../inspect/panic_groups.ts";
import { formatGroups } from "../../inspect/tell/groups_text.ts";
import { toJsonLine } from "../../text/json.ts";
import type { Style } from "../../text/style.ts";
import { writeStdout } from "../output.ts";
import { terminalWidth } from "../terminal.ts";

/** Lines are written together where dumps are read quickly. */
const MOST_LINES = 100;
/** No line waits longer for others. */
const PATIENCE_MS = 300;

/**
 * Tells entries as they come.
 *
 * @param format some of them, a line each
 * @returns how many there were
 */
export async function tellList<Entry>(
  entries: AsyncIterable<Entry>,
  format: (ready: readonly Entry[]) => string,
): Promise<number> {
  let count = 0;
  let ready: Entry[] = [];
  let sinceMs = performance.now();
  for await (const entry of entries) {
    count++;
    ready.push(entry);
    if (ready.length < MOST_LINES && performance.now() - sinceMs < PATIENCE_MS) continue;
    await writeStdout(format(ready));
    ready = [];
    sinceMs = performance.now();
  }
  if (ready.length > 0) await writeStdout(format(ready));
  return count;
}

/** Values as JSON, a line each. */
export function jsonLines(values: readonly unknown[]): string {
  return values.map((value) => toJsonLine(value) + "\n").join("");
}

/**
 * Tells equal panics as one, as soon as all dumps are known.
 *
 * @returns how many groups there are
 */
export async function tellGroups(
  sightings: AsyncIterable<Sighting>,
  json: boolean,
  style: Style,
): Promise<number> {
  const groups = new PanicGroups();
  for await (const sighting of sightings) groups.add(sighting);
  const list = groups.list();
  if (json) await writeStdout(jsonLines(list));
  else if (list.length > 0) await writeStdout(formatGroups(list, style, terminalWidth()));
  return list.length;
}
