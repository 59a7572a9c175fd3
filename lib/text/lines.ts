/**
 * Lines of text for people.
 *
 * @module
 */

const LABEL_WIDTH = 9;

/** A label and its value, of which further lines stand below the first. */
export function labelled(label: string, lines: string | readonly string[], width = LABEL_WIDTH): string[] {
  const [first = "", ...rest] = typeof lines === "string" ? [lines] : lines;
  return [`  ${label.padEnd(width)} ${first}`, ...rest.map((line) => `  ${" ".repeat(width)} ${line}`)];
}
