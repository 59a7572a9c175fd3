/**
 * Lines broken between words, for terminals that are too narrow for them.
 *
 * @module
 */

import { displayWidth } from "./table.ts";

/** What paints text (see style.ts) takes no columns. */
// deno-lint-ignore no-control-regex
const PAINT = /\x1b\[\d{1,2}m/g;
/** How far the rest of a line stands in, where it has no label. */
const REST_INDENT = 2;

/**
 * Breaks the lines that are too wide. What follows a label and two blanks goes on below itself.
 *
 * @param width columns of the terminal; `null` leaves all lines whole
 */
export function foldLines(text: string, width: number | null): string {
  if (width === null) return text;
  return text.split("\n").map((line) => foldLine(line, width)).join("\n");
}

function foldLine(line: string, width: number): string {
  if (visibleWidth(line) <= width) return line;
  const indent = " ".repeat(restIndent(line.replace(PAINT, ""), width));
  const lines: string[] = [];
  let current = "";
  let isEmpty = true;
  for (const [at, word] of line.split(" ").entries()) {
    const longer = at === 0 ? word : `${current} ${word}`;
    if (isEmpty || visibleWidth(longer) <= width) {
      current = longer;
    } else {
      lines.push(current.trimEnd());
      // The blank before the word is part of the indent.
      current = indent + word;
    }
    isEmpty &&= word === "";
  }
  return [...lines, current].join("\n");
}

/** Where the rest of a line stands: below what follows its label, unless that stands too far in. */
function restIndent(plain: string, width: number): number {
  const start = plain.search(/\S/);
  const gap = plain.indexOf("  ", start);
  const value = gap < 0 ? -1 : gap + plain.slice(gap).search(/\S/);
  return value > gap && value <= width / 2 ? value : start + REST_INDENT;
}

function visibleWidth(text: string): number {
  return displayWidth(text.replace(PAINT, ""));
}
