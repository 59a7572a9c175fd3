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
 */
export function formatTable(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[] = [],
  paint: (padded: string, row: number, column: number) => string = (padded) => padded,
): string[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from(
    { length: columns },
    (_, column) => rows.reduce((width, row) => Math.max(width, displayWidth(row[column] ?? "")), 0),
  );
  return rows.map((row, at) => {
    const cells = row.map((cell, column) => {
      const padding = " ".repeat(widths[column]! - displayWidth(cell));
      const last = column === row.length - 1 && alignments[column] !== "right";
      return paint(
        alignments[column] === "right" ? padding + cell : last ? cell : cell + padding,
        at,
        column,
      );
    });
    return cells.join("  ").trimEnd();
  });
}

/** Cuts text to a width on the terminal, with an ellipsis where something is left out. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = "";
  for (const character of text) {
    if (displayWidth(kept + character) > width - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u;
const COMBINING = /\p{M}/u;

/** Columns that escaped text takes on a terminal. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += COMBINING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}
