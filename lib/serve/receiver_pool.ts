/**
 * The receivers: workers with the permissions they need and no others.
 *
 * @module
 */
import type { Order, ReceiverSettings, Report } from "./orders.ts";

/** A receiver that crashes more often than this within a minute is not started again. */
const MOST_CRASHES_PER_MINUTE = 10;

/** What the receivers' owner is told. */
export interface PoolEvents {
  readonly report: (receiver: number, report: Report) => void;
  /** A receiver crashed; another is in its place, and does not know its sessions yet. */
  readonly crashed: (receiver: number, reason: string) => void;
  /** Receivers crash again and again. */
  readonly failed: (reason: string) => void;
}

/** What receivers may do. */
export interface PoolPermissions {
  /** Real path of the dump directory. */
  readonly root: string;
  /** Local addresses to bind. */
  readonly addresses: readonly string[];
  /** Networks to send acks to, in CIDR notation, and the port there. */
  readonly clients: readonly string[];
  readonly ackPort: number;
}

/** Starts a worker. */
export type StartWorker = (name: string, permissions: Deno.PermissionOptionsObject) => Worker;

/** The permissions of one receiver: all that it can do to the machine, whatever a datagram makes of it. */
export function receiverPermissions(
  { root, addresses, clients, ackPort }: PoolPermissions,
): Deno.PermissionOptionsObject {
  return {
    read: [root],
    write: [root],
    net: [...addresses, ...clients.map((network) => `${network}:${ackPort}`)],
    sys: ["statfs"],
    env: false,
    run: false,
    ffi: false,
    import: false,
  };
}

/** Starts a receiver as a worker with the given permissions. */
export const startReceiver: StartWorker = (name, permissions) => {
  const options: WorkerOptions & { deno: { permissions: Deno.PermissionOptionsObject } } = {
    type: "module",
    name,
    deno: { permissions },
  };
  return new Worker(new URL("./receiver/receiver_worker.ts", import.meta.url), options);
};

/** A pool of receivers. */
export class ReceiverPool {
  readonly #startWorker: StartWorker;
  readonly #settings: ReceiverSettings;
  readonly #events: PoolEvents;
  #permissions: PoolPermissions;
  readonly #workers: Worker[] = [];
  readonly #sessions: number[] = [];
  /** Addresses that each receiver may bind. */
  readonly #addresses: ReadonlySet<string>[] = [];
  /** Receivers that crashed and were not started again. */
  readonly #dead = new Set<number>();
  #crashesMs: number[] = [];

  constructor(
    count: number,
    settings: ReceiverSettings,
    permissions: PoolPermissions,
    events: PoolEvents,
    startWorker = startReceiver,
  ) {
    this.#startWorker = startWorker;
    this.#settings = settings;
    this.#permissions = permissions;
    this.#events = events;
    for (let i = 0; i < count; i++) this.#start(i);
  }

  /** The receivers that run. */
  get running(): number[] {
    return [...this.#workers.keys()].filter((index) => !this.#dead.has(index));
  }

  /** Gives an order. */
  order(receiver: number, order: Order): void {
    this.#workers[receiver]?.postMessage(order);
  }

  /**
   * The receiver with the fewest sessions among those that may bind an address; a new one if none may, since an
   * address that came after the start is not in the permissions of those there are.
   */
  place(address: string): number {
    let best: number | undefined;
    for (let i = 0; i < this.#workers.length; i++) {
      if (!this.#addresses[i]!.has(address)) continue;
      if (best === undefined || this.#sessions[i]! < this.#sessions[best]!) best = i;
    }
    if (best === undefined) {
      best = this.#workers.length;
      this.#permissions = { ...this.#permissions, addresses: [...this.#permissions.addresses, address] };
      this.#start(best);
    }
    this.#sessions[best]!++;
    return best;
  }

  /** Notes that a session of a receiver is over. */
  release(receiver: number): void {
    this.#sessions[receiver]!--;
  }

  /** Ends all workers. */
  terminate(): void {
    for (const worker of this.#workers) worker.terminate();
  }

  #start(index: number): void {
    const worker = this.#startWorker(`receiver ${index}`, receiverPermissions(this.#permissions));
    worker.onmessage = (event: MessageEvent<Report>) => this.#events.report(index, event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#crash(index, event.message);
    };
    this.#workers[index] = worker;
    // One that takes the place of another gets its sessions.
    this.#sessions[index] ??= 0;
    this.#addresses[index] = new Set(this.#permissions.addresses);
    this.order(index, { order: "start", settings: this.#settings });
  }

  #crash(index: number, reason: string): void {
    this.#workers[index]!.terminate();
    const nowMs = Date.now();
    this.#crashesMs = [...this.#crashesMs.filter((ms) => nowMs - ms < 60_000), nowMs];
    if (this.#crashesMs.length > MOST_CRASHES_PER_MINUTE) {
      this.#dead.add(index);
      this.#events.failed(reason);
      return;
    }
    this.#start(index);
    this.#events.crashed(index, reason);
  }
}
