/**
 * Colour for terminals, and nothing for anything else.
 *
 * @module
 */

/** Ways to make text stand out. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;

/**
 * Chooses a style: colour is for terminals, unless `NO_COLOR` has a value (no-color.org).
 *
 * @param noColor `Deno.noColor`
 */
export function styleFor(isTerminal: boolean, noColor: boolean): Style {
  const colour = isTerminal && !noColor;
  const paint = (code: number) => (text: string) => colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    red: paint(CODES.red),
    green: paint(CODES.green),
    yellow: paint(CODES.yellow),
  };
}
