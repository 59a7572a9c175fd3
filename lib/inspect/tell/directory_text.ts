/**
 * The dumps of a directory as a table for people.
 *
 * @module
 */

import { escapeLine } from "../../text/escape.ts";
import type { Style } from "../../text/style.ts";
import { displayWidth, formatTable, truncate } from "../../text/table.ts";
import { formatSize } from "../../text/units.ts";
import type { Entry, State } from "../directory.ts";
import { signatureTag } from "../../kerneldump/files/panic_signature.ts";

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

const ALIGNMENTS = ["left", "right", "left", "right"] as const;
const STATE_COLUMN = 5;
/** On a terminal narrower than the rest, a panic is better wrapped than gone. */
const MIN_PANIC_WIDTH = 20;

const COLUMNS = ["HOST", "NO.", "TIME (UTC)", "SIZE", "KIND", "STATE", "SAME", "PANIC"];

/**
 * Formats the list. In the column SAME equal panics have the same tag; panics that occur once have none.
 *
 * @param width columns of the terminal, to which panics are cut; `null` leaves them whole
 */
export function formatDirectory(entries: readonly Entry[], style: Style, width: number | null): string {
  const tags = entries.map(({ signature }) => signature === null ? "" : signatureTag(signature));
  const repeated = new Set(tags.filter((tag, i) => tag !== "" && tags.indexOf(tag) !== i));
  const rows = entries.map((entry, i) => [
    entry.host === null ? "-" : escapeLine(entry.host),
    entry.number === null ? "-" : `${entry.number}`,
    formatWhen(entry),
    entry.state === "orphaned" ? "-" : formatSize(entry.size),
    entry.state === "orphaned" ? "-" : formatKind(entry),
    STATE_WORDS[entry.state],
    repeated.has(tags[i]!) ? tags[i]! : "",
    entry.panic === null ? leftBehind(entry) : escapeLine(entry.panic),
  ]);
  return formatTable(fitted([COLUMNS, ...rows], width), ALIGNMENTS, (cell, row, column) => {
    const entry = entries[row - 1];
    if (entry === undefined) return style.bold(cell);
    return column === STATE_COLUMN ? style[STATE_STYLES[entry.state]](cell) : cell;
  }).join("\n") + "\n";
}

/** Cuts the last column so that no line is longer than the terminal is wide. */
function fitted(rows: readonly (readonly string[])[], width: number | null): readonly (readonly string[])[] {
  if (width === null) return rows;
  const before = formatTable(rows.map((row) => [...row.slice(0, -1), "|"]), ALIGNMENTS);
  const left = width - displayWidth(before[0] ?? "") + 1;
  return rows.map((
    row,
  ) => [...row.slice(0, -1), truncate(row.at(-1) ?? "", Math.max(left, MIN_PANIC_WIDTH))]);
}

/** A time that is not the crash's but the file's is marked, and one that came without its zone. */
function formatWhen({ time, timeOfCrash, timeZoned }: Entry): string {
  if (time === null) return "-";
  const text = time.replace("T", " ").replace(/:\d\dZ$/, "");
  return timeOfCrash && timeZoned ? text : `${text} *`;
}

function formatKind({ kind, layers }: Entry): string {
  const words = { "elf-core": "full", unknown: layers.length > 0 ? "" : "?" } as Readonly<
    Record<string, string>
  >;
  return [words[kind] ?? kind, ...layers.toReversed()].filter((word) => word !== "").join("+");
}

function leftBehind({ state, files }: Entry): string {
  return state === "orphaned" ? `only ${files.map(escapeLine).join(", ")}` : "";
}
