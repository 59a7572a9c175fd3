/**
 * The dumps of a directory as a table for people.
 *
 * @module
 */

import { told } from "./told.ts";
import type { Style } from "../../text/style.ts";
import { columnWidths, formatTable, truncate } from "../../text/table.ts";
import { formatSize } from "../../text/units.ts";
import type { Entry, State } from "../directory/entry.ts";
import type { FoundDumps } from "../directory/find_dumps.ts";
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

/** On a terminal narrower than the rest, a panic is better wrapped than gone. */
const MIN_PANIC_WIDTH = 20;

/** A column: its head, its cells, how they are set and painted. */
interface Column {
  readonly head: string;
  readonly cell: (entry: Entry) => string;
  readonly isRight?: true;
  readonly paint?: (cell: string, entry: Entry, style: Style) => string;
}

const COLUMNS: readonly Column[] = [
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

/** The table, piece by piece as dumps are read: columns become wider where they have to, and never narrower. */
export class DirectoryTable {
  readonly #columns: readonly Column[];
  readonly #style: Style;
  readonly #width: number | null;
  #widths: readonly number[] = [];

  /**
   * @param found what will be in it: where dumps lie in directories below the one that was named, there is a column for them
   * @param width columns of the terminal, to which panics are cut; `null` leaves them whole
   */
  constructor({ directory, dumps }: FoundDumps, style: Style, width: number | null) {
    const places = new Map(dumps.map((dump) => [dump.directory, dump.below]));
    const place = { head: "IN", cell: (entry: Entry) => told(places.get(entry.directory) || ".") };
    const isFlat = dumps.every((dump) => dump.directory === directory);
    this.#columns = isFlat ? COLUMNS : [place, ...COLUMNS];
    this.#style = style;
    this.#width = width;
  }

  /** The next lines; heads stand over the first. */
  add(entries: readonly Entry[]): string {
    const isFirst = this.#widths.length === 0;
    const heads = this.#columns.map(({ head }) => head);
    const cells = entries.map((entry) => this.#columns.map(({ cell }) => cell(entry)));
    const widths = columnWidths([heads, ...cells.map((row) => row.slice(0, -1))]);
    this.#widths = widths.map((width, at) => Math.max(width, this.#widths[at] ?? 0));
    const rows = isFirst ? [heads, ...cells.map(this.#fitted)] : cells.map(this.#fitted);
    const alignments = this.#columns.map(({ isRight }) => isRight ? "right" as const : "left" as const);
    const lines = formatTable(rows, alignments, (cell, row, column) => {
      const entry = entries[isFirst ? row - 1 : row];
      if (entry === undefined) return this.#style.bold(cell);
      return this.#columns[column]!.paint?.(cell, entry, this.#style) ?? cell;
    }, this.#widths);
    return lines.map((line) => `${line}\n`).join("");
  }

  /** Cuts the last cell so that no line is longer than the terminal is wide. */
  readonly #fitted = (row: readonly string[]): readonly string[] => {
    if (this.#width === null) return row;
    const before = this.#widths.slice(0, -1).reduce((sum, width) => sum + width + 2, 0);
    return [...row.slice(0, -1), truncate(row.at(-1)!, Math.max(this.#width - before, MIN_PANIC_WIDTH))];
  };
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
  return state === "orphaned" ? `only ${files.map(told).join(", ")}` : "";
}
