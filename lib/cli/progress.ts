/**
 * A progress bar on standard error, on a terminal only.
 *
 * @module
 */
import { escapeLine } from "../text/escape.ts";
import { formatDuration, formatSize } from "../text/units.ts";
import { terminalWidth } from "./terminal.ts";

/** Of a terminal that does not know its size. */
const USUAL_COLUMNS = 80;

/** What a bar shows. */
export interface Progress {
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly elapsedMs: number;
  /** A word more at the end of the line, such as `3 resends`; empty for none. */
  readonly note: string;
}

const REFRESH_MS = 200;
const MOST_BAR = 30;
const LEAST_BAR = 8;
const ERASE_LINE = "\r\x1b[K";

/**
 * One line, at most `columns` wide: `vmcore.w1.0 [=====>    ]  52%  1.50 GiB  97.0 MiB/s  15.4 s left`. What does not
 * fit is left out, the name first.
 */
export function progressLine(label: string, progress: Progress, columns: number, color: boolean): string {
  const { doneBytes, totalBytes, elapsedMs, note } = progress;
  const share = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
  const rate = elapsedMs > 0 ? doneBytes / elapsedMs * 1000 : 0;
  const left = rate > 0 && share < 1 ? `${formatDuration((totalBytes - doneBytes) / rate * 1000)} left` : "";
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const facts = [percent, formatSize(doneBytes), `${formatSize(Math.round(rate))}/s`, left, note]
    .filter((fact) => fact !== "");
  const name = escapeLine(label);
  const room = (parts: readonly string[]) => columns - 1 - parts.join("  ").length - 4;
  while (facts.length > 1 && room(facts) < LEAST_BAR) facts.pop();
  const withName = room(facts) - widthOf(name) - 1 >= LEAST_BAR;
  const width = Math.min(MOST_BAR, room(facts) - (withName ? widthOf(name) + 1 : 0));
  if (width < 1) return percent.trim();
  const filled = Math.floor(share * width);
  const bar = ("=".repeat(filled) + (filled < width ? ">" : "")).slice(0, width).padEnd(width);
  const shown = color ? `\x1b[36m${bar}\x1b[0m` : bar;
  return `${withName ? `${name} ` : ""}[${shown}] ${facts.join("  ")}`;
}

/** Columns of a text, at most: characters from Hangul upwards may take two. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += (character.codePointAt(0) ?? 0) < 0x1100 ? 1 : 2;
  return width;
}

/** Shows progress until it is stopped; does nothing where standard error is no terminal. */
export class ProgressBar {
  readonly #timer: ReturnType<typeof setInterval> | undefined;

  /** @param progress asked several times a second */
  constructor(label: string, progress: () => Progress) {
    if (!Deno.stderr.isTerminal()) return;
    this.#timer = setInterval(() => {
      const columns = terminalWidth(Deno.stderr) ?? USUAL_COLUMNS;
      write(`\r${progressLine(label, progress(), columns, !Deno.noColor)}\x1b[K`);
    }, REFRESH_MS);
  }

  /** Writes a line of its own; the bar comes again below it. */
  readonly say = (line: string): void => {
    write(`${this.#timer === undefined ? "" : ERASE_LINE}${escapeLine(line)}\n`);
  };

  /** Removes the bar. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    write(ERASE_LINE);
  }
}

function write(text: string): void {
  try {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  } catch {
    // A terminal that went away does not stop the work.
  }
}
