/**
 * The receivers: workers with the permissions they need and no others.
 *
 * @module
 */
import type { Order, ReceiverSettings, Report } from "./orders.ts";

/** A receiver that crashes more often than this within a minute is not started again. */
const MOST_CRASHES_PER_MINUTE = 10;
/** Receivers beyond those asked for: for disks that may hang and addresses that came later. */
const MOST_MORE = 8;
/** Receivers are told so many reports at a time that theirs were taken. */
const TAKEN_EVERY = 64;

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
  /** Libraries that they may open before they take a datagram. */
  readonly ffi: readonly string[];
}

/** Starts a worker. */
export type StartWorker = (name: string, permissions: Deno.PermissionOptionsObject) => Worker;

/** The permissions of one receiver: all that it can do to the machine, whatever a datagram makes of it. */
export function receiverPermissions(
  { root, addresses, clients, ackPort, ffi }: PoolPermissions,
): Deno.PermissionOptionsObject {
  return {
    read: [root],
    write: [root],
    net: [...addresses, ...clients.map((network) => `${network}:${ackPort}`)],
    sys: ["statfs"],
    env: false,
    run: false,
    ffi: ffi.length > 0 ? [...ffi] : false,
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

/** A receiver of the pool. */
interface Member {
  worker: Worker;
  /** Addresses that it may bind. */
  addresses: ReadonlySet<string>;
  /** It crashed and was not started again, or is not wanted any more. */
  isGone: boolean;
  /** Sessions by the file system that they write to. */
  readonly sessions: Map<number, number>;
  /** Reports taken since it was told last. */
  taken: number;
}

/** A pool of receivers. */
export class ReceiverPool {
  readonly #startWorker: StartWorker;
  readonly #settings: ReceiverSettings;
  readonly #events: PoolEvents;
  readonly #asked: number;
  #permissions: PoolPermissions;
  readonly #members: Member[] = [];
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
    this.#asked = count;
    for (let i = 0; i < count; i++) this.#add();
  }

  /** The receivers that run. */
  get running(): number[] {
    return [...this.#members.keys()].filter((index) => !this.#members[index]!.isGone);
  }

  /** Gives an order. */
  order(receiver: number, order: Order): void {
    const member = this.#members[receiver];
    if (member !== undefined && !member.isGone) member.worker.postMessage(order);
  }

  /**
   * The receiver that a session goes to: of those that may bind its address one that writes to the same disk, or to none yet,
   * so that a disk which hangs holds up no dump on another; of these the one with the fewest sessions. Where there is none
   * a receiver more is started, as far as that goes.
   *
   * @param device number of the file system that the dump goes to
   */
  place(address: string, device: number): number {
    const able = this.running.filter((index) => this.#members[index]!.addresses.has(address));
    const apart = able.filter((index) => {
      const devices = [...this.#members[index]!.sessions.keys()];
      return devices.every((other) => other === device);
    });
    const best = this.#leastLoaded(apart) ?? this.#more(address) ?? this.#leastLoaded(able) ??
      this.#members.length - 1;
    const { sessions } = this.#members[best]!;
    sessions.set(device, (sessions.get(device) ?? 0) + 1);
    return best;
  }

  /** Notes that a session of a receiver is over. */
  release(receiver: number, device: number): void {
    const { sessions } = this.#members[receiver]!;
    const left = (sessions.get(device) ?? 1) - 1;
    if (left > 0) sessions.set(device, left);
    else sessions.delete(device);
    this.#retire(receiver);
  }

  /** Ends all workers. */
  terminate(): void {
    for (const { worker } of this.#members) worker.terminate();
  }

  #leastLoaded(receivers: readonly number[]): number | undefined {
    return receivers.toSorted((a, b) => this.#load(a) - this.#load(b))[0];
  }

  #load(receiver: number): number {
    let sessions = 0;
    for (const count of this.#members[receiver]!.sessions.values()) sessions += count;
    return sessions;
  }

  /** Starts a receiver more, that may bind all addresses there are; `undefined` if there are enough. */
  #more(address: string): number | undefined {
    const { addresses } = this.#permissions;
    const isNew = !addresses.includes(address);
    if (isNew) this.#permissions = { ...this.#permissions, addresses: [...addresses, address] };
    if (this.running.length >= this.#asked + MOST_MORE) {
      // One that has nothing to do gives way to one that may bind the new address.
      const idle = isNew ? this.running.find((index) => this.#load(index) === 0) : undefined;
      if (idle === undefined) return undefined;
      this.#end(idle);
    }
    const added = this.#add();
    // Receivers that could not bind the newest address go once they are idle.
    for (const index of this.running) this.#retire(index);
    return added;
  }

  /** Ends a receiver that has nothing to do, if there are more than were asked for. */
  #retire(receiver: number): void {
    const { isGone, addresses } = this.#members[receiver]!;
    if (isGone || this.#load(receiver) > 0) return;
    const isStale = this.#permissions.addresses.some((address) => !addresses.has(address));
    const isLast = receiver === this.#members.length - 1;
    if (this.running.length > this.#asked && (isStale || !isLast)) this.#end(receiver);
  }

  #end(receiver: number): void {
    const member = this.#members[receiver]!;
    member.isGone = true;
    member.worker.terminate();
  }

  #add(): number {
    const index = this.#members.length;
    this.#members.push({ ...this.#start(index), isGone: false, sessions: new Map(), taken: 0 });
    this.order(index, { order: "start", settings: this.#settings });
    return index;
  }

  #start(index: number): Pick<Member, "worker" | "addresses"> {
    const worker = this.#startWorker(`receiver ${index}`, receiverPermissions(this.#permissions));
    worker.onmessage = (event: MessageEvent<Report>) => this.#onReport(index, event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#crash(index, event.message);
    };
    return { worker, addresses: new Set(this.#permissions.addresses) };
  }

  #onReport(index: number, report: Report): void {
    const member = this.#members[index]!;
    if (++member.taken === TAKEN_EVERY) {
      member.taken = 0;
      this.order(index, { order: "taken", reports: TAKEN_EVERY });
    }
    this.#events.report(index, report);
  }

  #crash(index: number, reason: string): void {
    const member = this.#members[index]!;
    if (member.isGone) return;
    member.worker.terminate();
    const nowMs = Date.now();
    this.#crashesMs = [...this.#crashesMs.filter((ms) => nowMs - ms < 60_000), nowMs];
    if (this.#crashesMs.length > MOST_CRASHES_PER_MINUTE) {
      member.isGone = true;
      this.#events.failed(reason);
      return;
    }
    // One that takes the place of another gets its sessions.
    Object.assign(member, this.#start(index), { taken: 0 });
    this.order(index, { order: "start", settings: this.#settings });
    this.#events.crashed(index, reason);
  }
}
