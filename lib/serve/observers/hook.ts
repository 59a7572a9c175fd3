/**
 * Runs the operator's program after each dump: netdumpd's five arguments (reference netdump-protocol.md 5.5), and
 * the same facts and more in the environment. Never through a shell, with a time limit, beside the receiving (P2). What it
 * prints becomes events, so that it does not break a log of JSON lines.
 *
 * @module
 */
import { escapeLine } from "../../text/escape.ts";
import { formatRanges } from "../../text/ranges.ts";
import type { DumpRecord, FinishedDump, HookResult, Observe, Outcome, ServerEvent } from "../events.ts";

/** Programs at once; one that takes longer than a while no longer keeps the others waiting. */
const MOST_AT_ONCE = 4;
const MOST_SLOW = 12;
const SLOW_MS = 10_000;
const MOST_WAITING = 1024;
/** What a program prints is logged up to this: lines, and characters of a line. */
const MOST_LINES = 200;
const MOST_LINE_LENGTH = 1000;
/** What of the server's own environment a program gets. */
export const PASSED_ON = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"] as const;

/** Times that a program is given. */
export interface HookLimits {
  /** After this it is told to end. */
  readonly timeLimitMs: number;
  /** So much later it is made to. */
  readonly graceMs: number;
}

const LIMITS: HookLimits = { timeLimitMs: 10 * 60_000, graceMs: 10_000 };

/** A program to run. */
export interface HookProgram {
  /** Absolute path. */
  readonly path: string;
  /** Where it runs: the dump directory. */
  readonly directory: string;
  /** What it gets of the server's own environment: {@linkcode PASSED_ON}. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Runs a program for dumps, a few at a time. */
export class Hook {
  readonly #program: HookProgram;
  readonly #observe: Observe;
  readonly #limits: HookLimits;
  readonly #waiting: FinishedDump[] = [];
  readonly #running = new Set<Promise<void>>();
  /** Programs that have run for so long that others do not wait for them. */
  #slow = 0;

  constructor(program: HookProgram, observe: Observe, limits = LIMITS) {
    this.#program = program;
    this.#observe = observe;
    this.#limits = limits;
  }

  /** Runs the program for each dump that ends, now or when its turn comes. */
  observe(event: ServerEvent): void {
    if (event.event === "completed" || (event.event === "incomplete" && !event.resumable)) this.run(event);
  }

  /** Runs the program for a dump, now or when its turn comes. */
  run(finished: FinishedDump): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#tell(finished.dump, { result: "failed", reason: `${MOST_WAITING} dumps are waiting already` });
      return;
    }
    this.#waiting.push(finished);
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
    while (this.#running.size - this.#slow < MOST_AT_ONCE) {
      const finished = this.#waiting.shift();
      if (finished === undefined) return;
      let isSlow = false;
      const timer = setTimeout(() => {
        if (this.#slow >= MOST_SLOW) return;
        isSlow = true;
        this.#slow++;
        this.#next();
      }, SLOW_MS);
      const run = this.#execute(finished).then((result) => {
        clearTimeout(timer);
        if (isSlow) this.#slow--;
        this.#running.delete(run);
        this.#tell(finished.dump, result);
        this.#next();
      });
      this.#running.add(run);
    }
  }

  #tell(dump: DumpRecord, result: HookResult): void {
    this.#observe({ event: "hook", id: dump.id, program: this.#program.path, result });
  }

  async #execute(finished: FinishedDump): Promise<HookResult> {
    const { path, directory, environment } = this.#program;
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(path, {
        args: hookArguments(finished),
        env: { ...environment, ...hookEnvironment(finished) },
        clearEnv: true,
        cwd: directory,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
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
    const budget = { lines: MOST_LINES };
    const printed = (["stdout", "stderr"] as const).map((stream) => {
      const tell = (line: string) =>
        this.#observe({ event: "hook-output", id: finished.dump.id, pid: child.pid, stream, line });
      return passLines(child[stream], budget, tell);
    });
    const status = await child.status;
    for (const timer of timers) clearTimeout(timer);
    // A grandchild may keep the pipes open: what it prints is of no more interest.
    let late: ReturnType<typeof setTimeout> | undefined;
    const lateness = new Promise((resolve) => late = setTimeout(resolve, graceMs / 10));
    await Promise.race([Promise.all(printed), lateness]);
    clearTimeout(late);
    if (timedOut) return { result: "timed-out", pid: child.pid };
    return { result: "exited", pid: child.pid, status: status.code, signal: status.signal };
  }
}

/** Tells each line of a stream, as far as the budget goes; the rest is read and dropped. */
async function passLines(
  stream: ReadableStream<Uint8Array>,
  budget: { lines: number },
  tell: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  const pass = (line: string) => {
    if (budget.lines === 0) return;
    budget.lines--;
    tell(budget.lines === 0 ? "(what follows is left out)" : line.slice(0, MOST_LINE_LENGTH));
  };
  try {
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!.slice(0, MOST_LINE_LENGTH);
      for (const line of lines) pass(line.replace(/\r$/, ""));
    }
  } catch {
    // The pipe broke; what was read is told.
  }
  if (rest !== "") pass(rest);
}

/** netdumpd's arguments: reason, client address, host, info path, core path. */
function hookArguments({ outcome, dump }: { outcome: Outcome; dump: DumpRecord }): string[] {
  return [outcome, dump.client, dump.host, path(dump, dump.info), path(dump, dump.core)];
}

/** The dump in the environment. What the client wrote is escaped (P8). */
function hookEnvironment(finished: FinishedDump): Record<string, string> {
  const { dump } = finished;
  const header = dump.kernelDumpHeader;
  return {
    NETDUMP_OUTCOME: finished.outcome,
    NETDUMP_COMPLETE: finished.complete ? "1" : "0",
    NETDUMP_REASON: escapeLine(finished.reason ?? ""),
    NETDUMP_MISSING: formatRanges(finished.missing),
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
