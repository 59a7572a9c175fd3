/**
 * The server's log: lines for people, or each event as a line of JSON. Bounded in rate where strangers provoke lines (P7).
 *
 * @module
 */
import { toJsonLine } from "../../text/json.ts";
import { formatLocalTime } from "../../text/time.ts";
import type { ServerEvent } from "../events.ts";
import { describeEvent, isProvoked, type Level, levelOf, levels } from "./log_text.ts";

/** Lines that anyone on the network can provoke: at once, and per second after that. */
const BURST_LINES = 100;
const LINES_PER_SECOND = 20;
/** What was left out is told this long after the first of it. */
const TELL_LEFT_OUT_MS = 1000;
/** How far a dump is becomes a line this often. */
const PROGRESS_MS = 10_000;

/** Settings of a log. */
export interface LogSettings {
  readonly format: "text" | "json";
  readonly least: Level;
  readonly write: (line: string) => void;
  /** Lines that `write` could not pass on since this was asked last. */
  readonly takeDropped?: () => number;
  /** Unix time in ms. */
  readonly now: () => number;
}

/** A log. */
export class Log {
  readonly #settings: LogSettings;
  #tokens = BURST_LINES;
  #tokensMs = 0;
  #leftOut = 0;
  /** When something was last told of the dumps that run. */
  readonly #toldMs = new Map<string, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(settings: LogSettings) {
    this.#settings = settings;
  }

  /** Writes an event's line, if its level is logged and the rate allows. */
  observe(event: ServerEvent): void {
    if (!this.#isDue(event)) return;
    if (levels.indexOf(levelOf(event)) < levels.indexOf(this.#settings.least)) return;
    if (isProvoked(event) && !this.#takeToken()) {
      this.#leftOut++;
      if (this.#timer !== undefined) return;
      this.#timer = setTimeout(() => this.tellLeftOut(), TELL_LEFT_OUT_MS);
      Deno.unrefTimer(this.#timer);
      return;
    }
    this.tellLeftOut();
    this.#emit(event);
  }

  /** Tells how many lines were left out, if any were. */
  tellLeftOut(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const count = this.#leftOut;
    this.#leftOut = 0;
    if (count > 0) this.#emit({ event: "lines-left-out", count, reason: "rate" });
    const dropped = this.#settings.takeDropped?.() ?? 0;
    if (dropped > 0) this.#emit({ event: "lines-left-out", count: dropped, reason: "reader" });
  }

  #emit(event: ServerEvent): void {
    const time = new Date(this.#settings.now());
    const level = levelOf(event);
    const message = describeEvent(event);
    if (this.#settings.format === "json") {
      const { event: name, ...facts } = event;
      this.#settings.write(toJsonLine({ time: time.toISOString(), level, event: name, message, ...facts }));
      return;
    }
    const mark = level === "warning" || level === "error" ? `${level}: ` : "";
    this.#settings.write(`${formatLocalTime(time)} ${mark}${message}`);
  }

  /** Whether an event of those that come again and again is to be told now; all others are. */
  #isDue(event: ServerEvent): boolean {
    const nowMs = this.#settings.now();
    switch (event.event) {
      case "run":
        // There are thousands a second; --trace has a file for them.
        return false;
      case "progress":
        if (Math.abs(nowMs - (this.#toldMs.get(event.dump.id) ?? 0)) < PROGRESS_MS) return false;
        this.#toldMs.set(event.dump.id, nowMs);
        return true;
      case "started":
      case "resumed":
        this.#toldMs.set(event.dump.id, nowMs);
        return true;
      case "completed":
      case "incomplete":
        this.#toldMs.delete(event.dump.id);
        return true;
      case "distrusted":
        this.#toldMs.delete(event.id);
        return true;
      default:
        return true;
    }
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
