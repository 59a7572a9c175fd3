/**
 * How quickly a receiver stores and acks: counted for all, and told of each run where somebody traces it. A few additions a
 * run, nothing a message.
 *
 * @module
 */
import { BURST_BOUNDS, LATENCY_BOUNDS_S, type PaceCounts, type StoredRun } from "../events.ts";

/** Counts runs. */
export class Pace {
  readonly #trace: ((run: StoredRun) => void) | undefined;
  #counts = nothing();

  /** @param trace is told of each run */
  constructor(trace?: (run: StoredRun) => void) {
    this.#trace = trace;
  }

  /** A run is in the file and in the journal, and the acks that are due go out. */
  stored(run: StoredRun): void {
    const latencyS = (run.gatherMs + run.storeMs) / 1000;
    const counts = this.#counts;
    counts.bursts[bucket(BURST_BOUNDS, run.messages)]!++;
    counts.messages += run.messages;
    counts.latencies[bucket(LATENCY_BOUNDS_S, latencyS)]!++;
    counts.latencySumS += latencyS;
    this.#trace?.(run);
  }

  /** What was counted since this was asked last; `undefined` for nothing. */
  take(): PaceCounts | undefined {
    const counts = this.#counts;
    if (counts.messages === 0) return undefined;
    this.#counts = nothing();
    return counts;
  }
}

function nothing() {
  return {
    bursts: new Array<number>(BURST_BOUNDS.length + 1).fill(0),
    messages: 0,
    latencies: new Array<number>(LATENCY_BOUNDS_S.length + 1).fill(0),
    latencySumS: 0,
  };
}

function bucket(bounds: readonly number[], value: number): number {
  let i = 0;
  while (i < bounds.length && value > bounds[i]!) i++;
  return i;
}
