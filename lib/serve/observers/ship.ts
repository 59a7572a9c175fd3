/**
 * Ships finished dumps to object storage, in a worker of its own that may read the dump directory, write its outbox and reach
 * the store, and nothing else. It is never on the way to an ack (P2).
 *
 * @module
 */
import type { ShipOrder, ShipSettings } from "../../archive/ship_orders.ts";
import { removeShipped } from "../../archive/shipped_removal.ts";
import type { ShipperReport } from "../../archive/shipper.ts";
import type { FileSystem } from "../../os/file_system.ts";
import { describeError } from "../../os/system_error.ts";
import { escapeLine } from "../../text/escape.ts";
import type { Observe, ServerEvent } from "../events.ts";
import type { Weakness } from "./server_view.ts";

type Problem = Extract<ShipperReport, { report: "problem" }>;

const RESTART_MS = 10_000;
const REMOVE_EVERY_MS = 60_000;

/** What shipping needs. */
export interface ShipParts {
  readonly settings: ShipSettings;
  /** Dumps of a host that stay here when they are shipped; `null` for all. */
  readonly keep: number | null;
  /** For so long after its end a session may still answer its client. */
  readonly lingerMs: number;
  readonly fs: FileSystem;
  readonly observe: Observe;
  readonly startWorker: (permissions: Deno.PermissionOptionsObject) => Worker;
}

/** The permissions of the worker. */
function shipPermissions({ root, store }: ShipSettings, outbox: string): Deno.PermissionOptionsObject {
  const { protocol, hostname, port } = new URL(store.endpoint);
  return {
    read: [root],
    write: [outbox],
    net: [`${hostname}:${port !== "" ? port : protocol === "https:" ? 443 : 80}`],
    env: false,
    run: false,
    sys: false,
    ffi: false,
    import: false,
  };
}

/** Ships dumps as they end. */
export class Ship {
  readonly #parts: ShipParts;
  readonly #arriving = new Set<string>();
  /** What is wrong with which dump, or with the store: told once. */
  readonly #told = new Map<string | null, Problem>();
  #worker: Worker | undefined;
  #isReady = false;
  #pending: number | undefined;
  #restart: ReturnType<typeof setTimeout> | undefined;
  readonly #removing: ReturnType<typeof setInterval> | undefined;
  #removal: Promise<void> = Promise.resolve();

  constructor(parts: ShipParts) {
    this.#parts = parts;
    this.#start();
    if (parts.keep !== null) this.#removing = setInterval(() => this.#remove(), REMOVE_EVERY_MS);
  }

  /** Takes an event. */
  observe(event: ServerEvent): void {
    switch (event.event) {
      case "started":
      case "resumed":
        this.#arriving.add(event.dump.id);
        break;
      case "completed":
      case "incomplete":
        this.#arriving.delete(event.dump.id);
        break;
      default:
        return;
    }
    this.#order({ order: "arriving", dumps: this.#arriving.size });
  }

  /** What keeps dumps from being shipped: the store itself, or else one of them. It keeps none from being received. */
  get weakness(): Weakness | null {
    const found = this.#told.get(null) ?? this.#told.values().next().value;
    if (found === undefined) return null;
    const { info, problem, advice } = found;
    const what = info === null ? "dumps" : escapeLine(info);
    return { check: "shipping", problem: `Cannot ship ${what}: ${problem}`, advice, blocks: false };
  }

  /** Ends it; what is on its way is taken up by the next server. */
  async stop(): Promise<void> {
    clearTimeout(this.#restart);
    clearInterval(this.#removing);
    this.#worker?.terminate();
    this.#worker = undefined;
    await this.#removal;
  }

  #order(order: ShipOrder): void {
    this.#worker?.postMessage(order);
  }

  #start(): void {
    const { settings, startWorker, observe } = this.#parts;
    const outbox = `${settings.root}/.netdump/outbox`;
    const worker = this.#worker = startWorker(shipPermissions(settings, outbox));
    worker.onmessage = (event: MessageEvent<ShipperReport>) => this.#onReport(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      worker.terminate();
      observe({
        event: "ship-problem",
        info: null,
        failure: "worker",
        problem: `The shipping worker crashed: ${event.message}`,
        advice: "it is started again",
      });
      this.#restart = setTimeout(() => this.#start(), RESTART_MS);
    };
    this.#order({ order: "start", settings });
    this.#order({ order: "arriving", dumps: this.#arriving.size });
  }

  #onReport(report: ShipperReport): void {
    const { observe, settings } = this.#parts;
    switch (report.report) {
      case "ready": {
        if (!this.#isReady || this.#told.delete(null)) {
          const { endpoint, bucket } = settings.store;
          observe({ event: "ship-ready", endpoint, bucket, collector: report.collector });
        }
        this.#isReady = true;
        return;
      }
      case "pending":
        // What was wrong with dumps that are gone is no problem any more.
        if (report.dumps === 0) {
          for (const info of this.#told.keys()) if (info !== null) this.#told.delete(info);
        }
        if (this.#pending !== report.dumps) observe({ event: "ship-pending", dumps: report.dumps });
        this.#pending = report.dumps;
        return;
      case "problem": {
        const { info, failure, problem, advice } = report;
        const isNews = this.#told.get(info)?.failure !== failure;
        this.#told.set(info, report);
        if (!isNews) return;
        observe({ event: "ship-problem", info, failure, problem, advice });
        return;
      }
      case "shipped": {
        const { report: _, ...shipped } = report;
        this.#told.clear();
        observe({ event: "shipped", ...shipped });
        this.#remove();
      }
    }
  }

  #remove(): void {
    const { keep } = this.#parts;
    if (keep !== null) this.#removal = this.#removal.then(() => this.#removeBeyond(keep));
  }

  async #removeBeyond(keep: number): Promise<void> {
    const { fs, settings, lingerMs, observe } = this.#parts;
    try {
      const removed = await removeShipped(fs, settings.root, keep, Date.now() - lingerMs);
      for (const dump of removed) observe({ event: "ship-removed", ...dump });
    } catch (error) {
      const problem = `Cannot remove what is shipped: ${describeError(error)}`;
      this.#onReport({
        report: "problem",
        info: null,
        failure: "file",
        problem,
        advice: "see whether the server may write to its own dump directory",
      });
    }
  }
}
