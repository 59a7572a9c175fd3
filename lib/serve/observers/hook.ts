/**
 * Runs the operator's program after each dump: netdumpd's five arguments (reference netdump-protocol.md 5.5), and
 * the same facts and more in the environment. Never through a shell, with a time limit, beside the receiving (P2).
 *
 * @module
 */
import { escapeLine } from "../../text/escape.ts";
import { formatRanges } from "../session/completeness.ts";
import type { DumpRecord, FinishedReport, Outcome } from "../orders.ts";

const MOST_AT_ONCE = 4;
const MOST_WAITING = 1024;

/** Times that a program is given. */
export interface HookLimits {
  /** After this it is told to end. */
  readonly timeLimitMs: number;
  /** So much later it is made to. */
  readonly graceMs: number;
}

const LIMITS: HookLimits = { timeLimitMs: 10 * 60_000, graceMs: 10_000 };

/** What became of a run, for the log. */
export type HookResult =
  | {
    readonly result: "exited";
    readonly pid: number;
    readonly status: number;
    readonly signal: string | null;
  }
  | { readonly result: "timed-out"; readonly pid: number }
  | { readonly result: "failed"; readonly reason: string };

/** Runs a program for dumps, a few at a time. */
export class Hook {
  readonly #program: string;
  readonly #cwd: string;
  readonly #onResult: (result: HookResult, dump: DumpRecord) => void;
  readonly #limits: HookLimits;
  readonly #waiting: FinishedReport[] = [];
  readonly #running = new Set<Promise<void>>();

  /** @param program absolute path */
  constructor(
    program: string,
    cwd: string,
    onResult: (result: HookResult, dump: DumpRecord) => void,
    limits = LIMITS,
  ) {
    this.#program = program;
    this.#cwd = cwd;
    this.#onResult = onResult;
    this.#limits = limits;
  }

  /** Runs the program for a dump, now or when its turn comes. */
  run(report: FinishedReport): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#onResult({ result: "failed", reason: `${MOST_WAITING} dumps are waiting already` }, report.dump);
      return;
    }
    this.#waiting.push(report);
    this.#next();
  }

  /**
   * Resolves when all have run, or when the patience is over: then those that run go on by themselves.
   *
   * @returns how many run, and how many did not get to it
   */
  async settled(patienceMs: number): Promise<{ readonly running: number; readonly waiting: number }> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let late = false;
    const lateness = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        late = true;
        resolve();
      }, patienceMs);
    });
    while (this.#running.size > 0 && !late) await Promise.race([Promise.all(this.#running), lateness]);
    clearTimeout(timer);
    return { running: this.#running.size, waiting: this.#waiting.length };
  }

  #next(): void {
    while (this.#running.size < MOST_AT_ONCE) {
      const report = this.#waiting.shift();
      if (report === undefined) return;
      const run = this.#execute(report).then((result) => {
        this.#running.delete(run);
        this.#onResult(result, report.dump);
        this.#next();
      });
      this.#running.add(run);
    }
  }

  async #execute(report: FinishedReport): Promise<HookResult> {
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(this.#program, {
        args: hookArguments(report),
        env: hookEnvironment(report),
        clearEnv: true,
        cwd: this.#cwd,
        stdin: "null",
        stdout: "inherit",
        stderr: "inherit",
      }).spawn();
    } catch (error) {
      return { result: "failed", reason: (error as Error).message };
    }
    const { timeLimitMs, graceMs } = this.#limits;
    let timedOut = false;
    const timers = [
      setTimeout(() => {
        timedOut = true;
        kill(child, "SIGTERM");
      }, timeLimitMs),
      setTimeout(() => kill(child, "SIGKILL"), timeLimitMs + graceMs),
    ];
    const status = await child.status;
    for (const timer of timers) clearTimeout(timer);
    if (timedOut) return { result: "timed-out", pid: child.pid };
    return { result: "exited", pid: child.pid, status: status.code, signal: status.signal };
  }
}

/** netdumpd's arguments: reason, client address, host, info path, core path. */
export function hookArguments({ outcome, dump }: { outcome: Outcome; dump: DumpRecord }): string[] {
  return [outcome, dump.client, dump.host, path(dump, dump.info), path(dump, dump.core)];
}

/** The environment, and nothing else is in it. What the client wrote is escaped (P8). */
export function hookEnvironment(report: FinishedReport): Record<string, string> {
  const { dump } = report;
  const header = dump.kernelDumpHeader;
  return {
    NETDUMP_OUTCOME: report.outcome,
    NETDUMP_COMPLETE: report.complete ? "1" : "0",
    NETDUMP_REASON: escapeLine(report.reason ?? ""),
    NETDUMP_MISSING: formatRanges(report.missing),
    NETDUMP_CLIENT: dump.client,
    NETDUMP_HOST: dump.host,
    NETDUMP_HOST_NAME: escapeLine(dump.hostName ?? ""),
    NETDUMP_INDEX: String(dump.index),
    NETDUMP_INFO: path(dump, dump.info),
    NETDUMP_CORE: path(dump, dump.core),
    NETDUMP_HEADER: dump.header === null ? "" : path(dump, dump.header),
    NETDUMP_KEY: dump.key === null ? "" : path(dump, dump.key),
    NETDUMP_ENCRYPTED: dump.encrypted ? "1" : "0",
    NETDUMP_BYTES: String(dump.receivedBytes),
    NETDUMP_DURATION_MS: String(dump.durationMs),
    NETDUMP_ARCHITECTURE: escapeLine(header?.architecture ?? ""),
    NETDUMP_COMPRESSION: String(header?.compression ?? "none"),
    NETDUMP_KERNEL_HOST_NAME: escapeLine(header?.hostname ?? ""),
    NETDUMP_VERSION: escapeLine(header?.versionString ?? ""),
    NETDUMP_PANIC: escapeLine(header?.panicString ?? ""),
  };
}

/** Path from the dump directory, as netdumpd writes it: `./vmcore.w1.0`. */
function path(dump: DumpRecord, name: string): string {
  return `${dump.directory}/${name}`;
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended by itself.
  }
}
