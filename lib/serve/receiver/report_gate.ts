/**
 * What stands between a receiver and the main thread: while that is busy, reports of little weight are dropped and counted
 * instead of being kept without bound (P7). Nothing waits here, least of all an ack (P2).
 *
 * @module
 */
import type { Report } from "../orders.ts";

/** Reports under way from which on those of little weight are dropped. */
const MOST_UNDER_WAY = 512;

/** Counts reports under way. */
export class ReportGate {
  readonly #post: (report: Report) => void;
  #underWay = 0;
  #dropped = 0;

  constructor(post: (report: Report) => void) {
    this.#post = post;
  }

  /** Passes a report on, or drops it. */
  pass(report: Report): void {
    if (this.#underWay >= MOST_UNDER_WAY && isLight(report)) {
      this.#dropped++;
      return;
    }
    this.#underWay++;
    this.#post(report);
  }

  /** The main thread has taken so many reports. */
  taken(count: number): void {
    this.#underWay -= count;
    if (this.#dropped === 0 || this.#underWay >= MOST_UNDER_WAY) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.pass({ report: "dropped", count: dropped });
  }
}

/** Whether nothing but a line of the log depends on a report. */
function isLight({ report }: Report): boolean {
  switch (report) {
    case "header":
    case "key":
    case "progress":
    case "activity":
    case "pace":
    case "run":
    case "path-refused":
    case "default-path-unusable":
    case "notice":
    case "removed":
      return true;
    default:
      return false;
  }
}
