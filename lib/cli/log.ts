/**
 * The server's log, on stderr: lines for people, or JSON lines. Bounded in rate (P7); its
 * text is escaped where it is made, and JSON escapes the facts (P8).
 *
 * @module
 */
import { type Level, levels, type LogEntry } from "../serve/log_entry.ts";

/** Lines that anyone on the network can provoke: at once, and per second after that. */
const BURST_LINES = 100;
const LINES_PER_SECOND = 20;

/** What JSON leaves as it is and a terminal obeys: see escape.ts. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/g;

/** Settings of a log. */
export interface LogSettings {
  readonly format: "text" | "json";
  readonly least: Level;
  readonly write: (line: string) => void;
  /** Unix time in ms. */
  readonly now: () => number;
}

/** A log. */
export class Log {
  readonly #settings: LogSettings;
  #tokens = BURST_LINES;
  #tokensMs = 0;
  #leftOut = 0;

  constructor(settings: LogSettings) {
    this.#settings = settings;
  }

  /** Writes a line, if its level is logged and the rate allows. */
  write(entry: LogEntry): void {
    if (levels.indexOf(entry.level) < levels.indexOf(this.#settings.least)) return;
    if (entry.provoked && !this.#takeToken()) {
      this.#leftOut++;
      return;
    }
    this.#tellLeftOut();
    this.#emit(entry);
  }

  /** Tells how many lines were left out, if any were; to be called now and then. */
  #tellLeftOut(): void {
    if (this.#leftOut === 0) return;
    const count = this.#leftOut;
    this.#leftOut = 0;
    const text = `${count} lines were left out`;
    this.#emit({ level: "warning", event: "lines-left-out", text, fields: { count } });
  }

  #emit({ level, event, text, fields }: LogEntry): void {
    const time = new Date(this.#settings.now());
    if (this.#settings.format === "json") {
      const line = { time: time.toISOString(), level, event, message: text, ...fields };
      this.#settings.write(
        JSON.stringify(line).replace(UNSAFE_IN_JSON, escapeJson),
      );
      return;
    }
    const mark = level === "warning" || level === "error" ? `${level}: ` : "";
    this.#settings.write(`${localTime(time)} ${mark}${text}`);
  }

  #takeToken(): boolean {
    const nowMs = this.#settings.now();
    // A clock that is set back takes nothing away.
    const earned = Math.max(nowMs - this.#tokensMs, 0) / 1000 * LINES_PER_SECOND;
    this.#tokens = Math.min(BURST_LINES, this.#tokens + earned);
    this.#tokensMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

function escapeJson(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function localTime(time: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ` +
    `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}
