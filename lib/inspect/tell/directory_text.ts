/**
 * The dumps of a directory as a table for people.
 *
 * @module
 */

import { type Column, GrowingTable } from "../../text/growing_table.ts";
import { truncateFront } from "../../text/table.ts";
import type { Style } from "../../text/style.ts";
import { formatSize } from "../../text/units.ts";
import type { Entry, State } from "../directory/entry.ts";
import type { FoundDumps } from "../directory/find_dumps.ts";
import { signatureTag } from "../../kerneldump/files/panic_signature.ts";
import { told } from "./told.ts";

const STATE_WORDS: Readonly<Record<State, string>> = {
  whole: "whole",
  partial: "PARTIAL",
  truncated: "TRUNCATED",
  bad: "BAD",
  unknown: "?",
  orphaned: "ORPHANED",
  unreadable: "UNREADABLE",
};
const STATE_STYLES: Readonly<Record<State, keyof Style>> = {
  whole: "green",
  partial: "red",
  truncated: "red",
  bad: "red",
  unknown: "yellow",
  orphaned: "yellow",
  unreadable: "red",
};

const COLUMNS: readonly Column<Entry>[] = [
  { head: "HOST", cell: ({ host }) => host === null ? "-" : told(host) },
  { head: "NO.", cell: ({ number }) => number === null ? "-" : `${number}`, isRight: true },
  { head: "TIME (UTC)", cell: formatWhen },
  {
    head: "SIZE",
    cell: ({ state, size }) => state === "orphaned" ? "-" : formatSize(size),
    isRight: true,
  },
  { head: "KIND", cell: (entry) => entry.state === "orphaned" ? "-" : formatKind(entry) },
  {
    head: "STATE",
    cell: ({ state }) => STATE_WORDS[state],
    paint: (cell, { state }, style) => style[STATE_STYLES[state]](cell),
  },
  { head: "SAME", cell: ({ signature }) => signature === null ? "" : signatureTag(signature) },
  { head: "PANIC", cell: (entry) => entry.panic === null ? leftBehind(entry) : told(entry.panic) },
];

/** A directory's path takes a sixth of the terminal at most, but no less than this. */
const LEAST_PLACE_WIDTH = 12;

/**
 * The table of a directory's dumps. Equal panics have the same tag in the column SAME.
 *
 * @param found what will be in it: where dumps lie in directories below the one that was named, there is a column for them
 * @param width columns of the terminal, to which directories and panics are cut; `null` leaves them whole
 */
export function directoryTable(
  { directory, dumps }: FoundDumps,
  style: Style,
  width: number | null,
): GrowingTable<Entry> {
  const places = new Map(dumps.map((dump) => [dump.directory, dump.below]));
  const mostWidth = width === null ? Infinity : Math.max(LEAST_PLACE_WIDTH, Math.floor(width / 6));
  const place = {
    head: "IN",
    cell: (entry: Entry) => truncateFront(told(places.get(entry.directory) || "."), mostWidth),
  };
  const isFlat = dumps.every((dump) => dump.directory === directory);
  return new GrowingTable(isFlat ? COLUMNS : [place, ...COLUMNS], style, width);
}

/** What the mark behind a time means. */
export const TIME_MARK = "* when the file was written, or by an info file that tells no zone";

/** Whether a time is marked: it is not the crash's but the file's, or came without its zone. */
export function isTimeMarked({ time, timeOfCrash, timeZoned }: Entry): boolean {
  return time !== null && !(timeOfCrash && timeZoned);
}

function formatWhen(entry: Entry): string {
  if (entry.time === null) return "-";
  const text = entry.time.replace("T", " ").replace(/:\d\dZ$/, "");
  return isTimeMarked(entry) ? `${text} *` : text;
}

function formatKind({ kind, layers }: Entry): string {
  const words = { "elf-core": "full", unknown: layers.length > 0 ? "" : "?" } as Readonly<
    Record<string, string>
  >;
  return [words[kind] ?? kind, ...layers.toReversed()].filter((word) => word !== "").join("+");
}

function leftBehind({ state, files }: Entry): string {
  return state === "orphaned" ? `only ${files.map(told).join(", ")}` : "";
}
