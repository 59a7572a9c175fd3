/**
 * Columns of text that line up on a terminal.
 *
 * @module
 */

/** How a column is set. */
export type Alignment = "left" | "right";

/**
 * Sets rows in columns, two spaces between them; blanks at the end of a line are left out.
 *
 * @param alignments by column, "left" where none is given
 * @param paint colours a cell that is already padded
 * @param widths of the columns, at least: of the rows that came before
 */
export function formatTable(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
  paint: (padded: string, row: number, column: number) => string = (padded) => padded,
  widths: readonly number[] = [],
): string[] {
  const needed = columnWidths(rows);
  return rows.map((row, at) => {
    const cells = row.map((cell, column) => {
      const last = column === row.length - 1 && alignments[column] !== "right";
      const padding = last
        ? ""
        : " ".repeat(Math.max(needed[column]!, widths[column] ?? 0) - displayWidth(cell));
      return paint(
        alignments[column] === "right" ? padding + cell : last ? cell : cell + padding,
        at,
        column,
      );
    });
    return cells.join("  ").trimEnd();
  });
}

/** Columns of the terminal that each column of a table takes. */
export function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, displayWidth(cell));
  }
  return widths;
}

/** Cuts text to a width on the terminal, with an ellipsis where something is left out. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = "";
  let left = width - 1;
  for (const character of text) {
    left -= displayWidth(character);
    if (left < 0) break;
    kept += character;
  }
  return `${kept}…`;
}

/** The same where the end tells more than the beginning, as a path's does. */
export function truncateFront(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = "";
  let left = width - 1;
  for (const character of [...text].reverse()) {
    left -= displayWidth(character);
    if (left < 0) break;
    kept = character + kept;
  }
  return `…${kept}`;
}

const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u;
const COMBINING = /\p{M}/u;
const PLAIN = /^[ -~]*$/;

/** Columns that escaped text takes on a terminal. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}
