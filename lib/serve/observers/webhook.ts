/**
 * Posts each dump that ended to a URL, as JSON: what the log has of it. Beside the receiving (P2), within a time, again if
 * that may help, and told how it went.
 *
 * @module
 */
import { toJsonLine } from "../../text/json.ts";
import type { EventOf, Observe, ServerEvent, WebhookResult } from "../events.ts";
import { describeEvent, levelOf } from "./log_text.ts";

const MOST_AT_ONCE = 2;
const MOST_WAITING = 1024;

/** How a request ended. */
export interface Posted {
  /** HTTP status. */
  readonly status: number;
}

/** Where dumps are posted to, and with what patience. */
export interface WebhookSettings {
  /** Posts a body; rejects with what the system says, or when the signal ends it. */
  readonly post: (body: string, signal: AbortSignal) => Promise<Posted>;
  readonly now: () => number;
  /** Ms that a try may take, and that are waited before the second and the third one. */
  readonly limitMs: number;
  readonly backoffMs: readonly number[];
}

/** Patience with receivers of webhooks. */
export const WEBHOOK_PATIENCE = { limitMs: 10_000, backoffMs: [2000, 10_000] } as const;

type Ended = EventOf<"completed"> | EventOf<"incomplete">;

/** Posts dumps. */
export class Webhook {
  readonly #settings: WebhookSettings;
  readonly #observe: Observe;
  readonly #waiting: Ended[] = [];
  readonly #running = new Set<Promise<void>>();
  readonly #stopped = new AbortController();

  constructor(settings: WebhookSettings, observe: Observe) {
    this.#settings = settings;
    this.#observe = observe;
  }

  /** Posts a dump that ended, now or when its turn comes. */
  observe(event: ServerEvent): void {
    if (event.event !== "completed" && (event.event !== "incomplete" || event.resumable)) return;
    if (this.#waiting.length >= MOST_WAITING || this.#stopped.signal.aborted) {
      const reason = this.#stopped.signal.aborted
        ? "the server stopped"
        : `${this.#waiting.length} dumps are waiting already`;
      this.#tell(event, { result: "failed", tries: 0, reason });
      return;
    }
    this.#waiting.push(event);
    this.#next();
  }

  /** Resolves when all were posted; what is left when the patience is over is given up and told. */
  async settled(patienceMs: number): Promise<void> {
    const timer = setTimeout(() => this.#stopped.abort(), patienceMs);
    while (this.#running.size > 0) await Promise.all(this.#running);
    clearTimeout(timer);
  }

  #next(): void {
    while (this.#running.size < MOST_AT_ONCE) {
      const event = this.#waiting.shift();
      if (event === undefined) return;
      const run = this.#deliver(event).then((result) => {
        this.#running.delete(run);
        this.#tell(event, result);
        this.#next();
      });
      this.#running.add(run);
    }
  }

  async #deliver(event: Ended): Promise<WebhookResult> {
    const { post, now, limitMs, backoffMs } = this.#settings;
    const { event: name, ...facts } = event;
    const body = toJsonLine({
      ...{ time: new Date(now()).toISOString(), level: levelOf(event), event: name },
      ...{ message: describeEvent(event), ...facts },
    });
    let reason = "";
    for (let tries = 1;; tries++) {
      if (this.#stopped.signal.aborted) {
        return { result: "failed", tries: tries - 1, reason: "the server stopped" };
      }
      try {
        const { status } = await this.#within(limitMs, (signal) => post(body, signal));
        if (status >= 200 && status < 300) return { result: "delivered", tries, status };
        reason = `it answered ${status}`;
        if (!mayChange(status)) return { result: "failed", tries, reason };
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
      }
      const waitMs = backoffMs[tries - 1];
      if (waitMs === undefined) return { result: "failed", tries, reason };
      await this.#pause(waitMs);
    }
  }

  async #within<T>(limitMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    const stop = () => late.abort(new Error("the server stopped"));
    const timer = setTimeout(() => late.abort(new Error(`it took longer than ${limitMs / 1000} s`)), limitMs);
    this.#stopped.signal.addEventListener("abort", stop);
    try {
      return await work(late.signal);
    } finally {
      clearTimeout(timer);
      this.#stopped.signal.removeEventListener("abort", stop);
    }
  }

  async #pause(waitMs: number): Promise<void> {
    const { signal } = this.#stopped;
    if (signal.aborted) return;
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(over.resolve, waitMs);
    const stop = () => over.resolve();
    signal.addEventListener("abort", stop);
    await over.promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }

  #tell(event: Ended, result: WebhookResult): void {
    this.#observe({ event: "webhook", id: event.dump.id, result });
  }
}

/** Whether the same request may well be answered otherwise a little later. */
function mayChange(status: number): boolean {
  return status >= 500 || status === 408 || status === 429;
}
