/**
 * Lines of text for people.
 *
 * @module
 */

const TAB_STOP = 8;

/** Puts white space in the place of tabs, as a terminal does: kernels align their reports with them. */
export function expandTabs(line: string): string {
  if (!line.includes("\t")) return line;
  const [first = "", ...rest] = line.split("\t");
  let expanded = first;
  for (const piece of rest) expanded += " ".repeat(TAB_STOP - expanded.length % TAB_STOP) + piece;
  return expanded;
}

/** Nothing that a kernel or its users wrote as a line is longer. */
const MOST_LINE_LENGTH = 2000;

/** Cuts a line that nobody wrote as one, and says so. */
export function cutLine(line: string): string {
  if (line.length <= MOST_LINE_LENGTH) return line;
  return `${line.slice(0, MOST_LINE_LENGTH)} [${line.length - MOST_LINE_LENGTH} more characters]`;
}

const LABEL_WIDTH = 9;

/** A label and its value, of which further lines stand below the first. */
export function labelled(label: string, lines: string | readonly string[], width = LABEL_WIDTH): string[] {
  const [first = "", ...rest] = typeof lines === "string" ? [lines] : lines;
  return [`  ${label.padEnd(width)} ${first}`, ...rest.map((line) => `  ${" ".repeat(width)} ${line}`)];
}

/** Cuts a text into pieces of at most so many characters, never within one that takes two. */
export function* piecesOf(text: string, mostUnits: number): Generator<string> {
  for (let at = 0; at < text.length;) {
    let end = Math.min(at + mostUnits, text.length);
    const splits = end < text.length && (text.charCodeAt(end) & 0xfc00) === 0xdc00 &&
      (text.charCodeAt(end - 1) & 0xfc00) === 0xd800;
    if (splits && end - 1 > at) end--;
    yield text.slice(at, end);
    at = end;
  }
}
