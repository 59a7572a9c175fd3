/**
 * How quickly a receiver stores and acks: counted for all, and told of each run where somebody traces it. A few additions a
 * run, nothing a message.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import type { RunBuffer } from "./run_buffer.ts";
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

/** The runs of one session: measured when they are stored, counted behind their acks (P2). */
export class RunPace {
  readonly #pace: Pace;
  readonly #id: string;
  readonly #clock: Pick<Clock, "now" | "unixMs">;
  /** A run that was stored, and not counted yet. */
  #untold: Omit<StoredRun, "id" | "atMs"> | undefined;

  /** @param id the session's */
  constructor(pace: Pace, id: string, clock: Pick<Clock, "now" | "unixMs">) {
    this.#pace = pace;
    this.#id = id;
    this.#clock = clock;
  }

  /**
   * Measures a run that was just stored.
   *
   * @param heardMs when its first message came, and `startedMs` when its write began; both monotonic
   * @param acks how many are due now
   */
  stored(
    { seqno, count, offset, length }: RunBuffer,
    heardMs: number,
    startedMs: number,
    acks: number,
  ): void {
    // Two runs may be stored before the acks of either go out.
    this.tell();
    const [gatherMs, storeMs] = [startedMs - heardMs, this.#clock.now() - startedMs];
    this.#untold = { seqno, messages: count, offset, bytes: length, acks, gatherMs, storeMs };
  }

  /** Counts it. */
  tell(): void {
    if (this.#untold === undefined) return;
    this.#pace.stored({ id: this.#id, atMs: this.#clock.unixMs(), ...this.#untold });
    this.#untold = undefined;
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
