/**
 * A table that is told piece by piece, as its rows become known.
 *
 * @module
 */

import type { Style } from "./style.ts";
import { columnWidths, formatTable, truncate } from "./table.ts";

/** A column: its head, its cells (escaped), how they are set and painted. */
export interface Column<Row> {
  readonly head: string;
  readonly cell: (row: Row) => string;
  readonly isRight?: true;
  readonly paint?: (padded: string, row: Row, style: Style) => string;
}

/** On a terminal narrower than the rest, the last cell is better wrapped than gone. */
const LEAST_LAST_WIDTH = 20;
const GAP = 2;

/** A table whose columns become wider where they have to, and never narrower. */
export class GrowingTable<Row> {
  readonly #columns: readonly Column<Row>[];
  readonly #style: Style;
  readonly #width: number | null;
  #widths: readonly number[] = [];

  /** @param width columns of the terminal, to which the last cell of each row is cut; `null` leaves it whole */
  constructor(columns: readonly Column<Row>[], style: Style, width: number | null) {
    this.#columns = columns;
    this.#style = style;
    this.#width = width;
  }

  /** The next lines; heads stand over the first. */
  add(rows: readonly Row[]): string {
    const isFirst = this.#widths.length === 0;
    const heads = this.#columns.map(({ head }) => head);
    const cells = rows.map((row) => this.#columns.map(({ cell }) => cell(row)));
    const widths = columnWidths([heads, ...cells.map((row) => row.slice(0, -1))]);
    this.#widths = widths.map((width, at) => Math.max(width, this.#widths[at] ?? 0));
    const shown = cells.map((row) => this.#fitted(row));
    const alignments = this.#columns.map(({ isRight }) => isRight ? "right" as const : "left" as const);
    const paint = (padded: string, line: number, column: number) => {
      const row = rows[isFirst ? line - 1 : line];
      if (row === undefined) return this.#style.bold(padded);
      return this.#columns[column]!.paint?.(padded, row, this.#style) ?? padded;
    };
    const lines = formatTable(isFirst ? [heads, ...shown] : shown, alignments, paint, this.#widths);
    return lines.map((line) => `${line}\n`).join("");
  }

  /** Cuts the last cell so that no line is longer than the terminal is wide. */
  #fitted(row: readonly string[]): readonly string[] {
    if (this.#width === null) return row;
    const before = this.#widths.slice(0, -1).reduce((sum, width) => sum + width + GAP, 0);
    return [...row.slice(0, -1), truncate(row.at(-1)!, Math.max(this.#width - before, LEAST_LAST_WIDTH))];
  }
}
