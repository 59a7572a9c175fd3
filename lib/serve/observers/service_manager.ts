/**
 * Tells the service manager how the server is (sd_notify(3)): ready, what it does, that it lives, that it stops.
 *
 * @module
 */
import { escapeLine } from "../../text/escape.ts";
import { formatCount, formatSize } from "../../text/units.ts";
import type { ServerEvent } from "../events.ts";
import type { Board } from "./board.ts";

/** What it does is told at most this often. */
const STATUS_MS = 1000;
/** While it stops, the manager is asked for so much time, again and again. */
const EXTENSION_MS = 10_000;
const EXTEND_EVERY_MS = 4000;
/** Longest status, in characters. */
const MOST_STATUS = 200;

/** What the service manager is told through. */
export interface ServiceManager {
  /** Never rejects for good: what is not delivered is lost. */
  readonly send: (variables: Readonly<Record<string, string>>) => Promise<void>;
  /** The manager expects a sign of life within this time; `null` if it does not. */
  readonly watchdogMs: number | null;
}

/** Tells a service manager. */
export class ServiceNotifier {
  readonly #manager: ServiceManager;
  readonly #board: Board;
  readonly #isAlive: () => Promise<boolean>;
  /** Problems of readiness by their checks. */
  readonly #problems = new Map<string, string>();
  #timers: ReturnType<typeof setInterval>[] = [];
  #statusTimer: ReturnType<typeof setTimeout> | undefined;
  #status = "";
  #stopping = false;

  /** @param isAlive whether every receiver answers */
  constructor(manager: ServiceManager, board: Board, isAlive: () => Promise<boolean>) {
    this.#manager = manager;
    this.#board = board;
    this.#isAlive = isAlive;
  }

  /** Takes an event; the board has taken it already. */
  observe(event: ServerEvent): void {
    switch (event.event) {
      case "ready":
        return this.#ready();
      case "stopping":
        return this.#stop();
      case "not-ready":
        this.#problems.set(event.check, event.problem);
        return this.#later();
      case "mended":
        this.#problems.delete(event.check);
        return this.#later();
      case "started":
      case "resumed":
      case "progress":
      case "completed":
      case "incomplete":
        return this.#later();
      default:
        return;
    }
  }

  /** Tells nothing more. */
  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#statusTimer);
    this.#timers = [];
    this.#statusTimer = undefined;
    this.#stopping = true;
  }

  #ready(): void {
    this.#status = this.#describe();
    this.#tell({ READY: "1", STATUS: this.#status });
    const { watchdogMs } = this.#manager;
    if (watchdogMs === null) return;
    const live = async () => {
      if (await this.#isAlive() && !this.#stopping) this.#tell({ WATCHDOG: "1" });
    };
    void live();
    // The manual's advice: at half the time.
    this.#timers.push(setInterval(() => void live(), watchdogMs / 2));
  }

  #stop(): void {
    this.close();
    const extension = { EXTEND_TIMEOUT_USEC: `${EXTENSION_MS * 1000}` };
    this.#tell({ STOPPING: "1", STATUS: "Shutting down", ...extension });
    // Unless the last syncs end sooner, the server's own patience does. A sign of life is due while they run, too.
    this.#timers.push(setInterval(() => this.#tell({ ...extension, WATCHDOG: "1" }), EXTEND_EVERY_MS));
  }

  #later(): void {
    if (this.#stopping || this.#statusTimer !== undefined) return;
    this.#statusTimer = setTimeout(() => {
      this.#statusTimer = undefined;
      const status = this.#describe();
      if (status === this.#status) return;
      this.#status = status;
      this.#tell({ STATUS: status });
    }, STATUS_MS);
  }

  #describe(): string {
    const { running } = this.#board;
    const rates = running.flatMap(({ bytesPerSecond }) => bytesPerSecond ?? []);
    const rate = rates.reduce((sum, rate) => sum + rate, 0);
    const dumps = running.length === 0 ? "Waiting for clients" : formatCount(running.length, "dump") +
      (rates.length === 0 ? "" : `, ${formatSize(Math.round(rate))}/s`);
    const text = [dumps, ...this.#problems.values()].join("; ");
    return escapeLine(text).slice(0, MOST_STATUS);
  }

  #tell(variables: Readonly<Record<string, string>>): void {
    this.#manager.send(variables).catch(() => {});
  }
}
