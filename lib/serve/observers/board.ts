/**
 * What a server is doing and what came of it, from its events: running dumps, those that ended, refusals. Bounded (P7).
 *
 * @module
 */
import type { DumpRecord, EventOf, FinishedDump, ServerEvent } from "../events.ts";

const MOST_RUNNING = 4096;
const MOST_ENDED = 200;
const MOST_REFUSALS = 50;
/** A rate is that of the last reports over at least this time. */
const RATE_MS = 4000;

/** A dump that runs. Times are Unix times in ms. */
export interface RunningDump {
  readonly dump: DumpRecord;
  readonly sinceMs: number;
  readonly heardMs: number;
  /** Of late, `null` until there are two reports. */
  readonly bytesPerSecond: number | null;
}

/** A dump that ended. */
export interface EndedDump extends FinishedDump {
  readonly endedMs: number;
}

/** A refusal, and when. */
export interface TimedRefusal extends Omit<EventOf<"refused">, "event"> {
  readonly atMs: number;
}

/** The server at a glance. */
export class Board {
  readonly #now: () => number;
  readonly #running = new Map<
    string,
    RunningDump & { readonly markMs: number; readonly markBytes: number }
  >();
  readonly #ended: EndedDump[] = [];
  readonly #refusals: TimedRefusal[] = [];

  /** @param now Unix time in ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The dumps that run, the newest first. */
  get running(): readonly RunningDump[] {
    return [...this.#running.values()].reverse();
  }

  /** The dumps that ended since the start, the newest first. */
  get ended(): readonly EndedDump[] {
    return this.#ended;
  }

  /** The refusals of late, the newest first. */
  get refusals(): readonly TimedRefusal[] {
    return this.#refusals;
  }

  /** Takes an event. */
  observe(event: ServerEvent): void {
    switch (event.event) {
      case "started":
      case "resumed":
      case "header":
      case "key":
      case "progress":
        this.#follow(event.dump);
        return;
      case "completed":
      case "incomplete": {
        const { event: _, ...finished } = event;
        this.#running.delete(event.dump.id);
        keep(this.#ended, { ...finished, endedMs: this.#now() }, MOST_ENDED);
        return;
      }
      case "distrusted":
        this.#running.delete(event.id);
        return;
      case "refused": {
        const { event: _, ...refusal } = event;
        keep(this.#refusals, { ...refusal, atMs: this.#now() }, MOST_REFUSALS);
        return;
      }
      default:
        return;
    }
  }

  #follow(dump: DumpRecord): void {
    const nowMs = this.#now();
    const known = this.#running.get(dump.id);
    if (known === undefined) {
      if (this.#running.size >= MOST_RUNNING) return;
      const sinceMs = nowMs - dump.durationMs;
      this.#running.set(dump.id, {
        ...{ dump, sinceMs, heardMs: nowMs, bytesPerSecond: null },
        ...{ markMs: nowMs, markBytes: dump.receivedBytes },
      });
      return;
    }
    const pastMs = nowMs - known.markMs;
    if (pastMs < RATE_MS) {
      this.#running.set(dump.id, { ...known, dump, heardMs: nowMs });
      return;
    }
    const bytesPerSecond = Math.max(0, dump.receivedBytes - known.markBytes) / pastMs * 1000;
    this.#running.set(dump.id, {
      ...known,
      ...{ dump, heardMs: nowMs, bytesPerSecond, markMs: nowMs, markBytes: dump.receivedBytes },
    });
  }
}

function keep<T>(list: T[], item: T, most: number): void {
  list.unshift(item);
  if (list.length > most) list.pop();
}
