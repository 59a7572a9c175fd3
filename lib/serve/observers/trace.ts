/**
 * Writes a line of JSON for each run that was stored: for the day when a dump is slow.
 *
 * @module
 */
import { toJsonLine } from "../../text/json.ts";
import type { ServerEvent } from "../events.ts";

/** Traces runs. */
export class Trace {
  readonly #write: (line: string) => void;

  /** @param write takes a line without a line feed, and never waits */
  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** Writes a run's line. */
  observe(event: ServerEvent): void {
    if (event.event !== "run") return;
    const { atMs, id, seqno, messages, offset, bytes, acks, gatherMs, storeMs } = event.run;
    this.#write(toJsonLine({
      ...{ time: new Date(atMs).toISOString(), id, seqno, messages, offset, bytes, acks },
      ...{ gatherMs: rounded(gatherMs), storeMs: rounded(storeMs) },
    }));
  }
}

/** Microseconds are what the clock knows. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
