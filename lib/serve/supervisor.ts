/**
 * The main thread of the server: HERALDs, admission, the receivers, restarts. It sees no packet of a dump, writes no file
 * of one, and words nothing: what it has to tell are events.
 *
 * @module
 */
import { join } from "@std/path";
import type { FileSystem } from "../os/file_system.ts";
import { decodeHeraldPath, type HeraldPath } from "../protocol/herald_path.ts";
import type { Network } from "../protocol/ipv4.ts";
import type { Message } from "../protocol/message.ts";
import { formatSize } from "../text/units.ts";
import { Admission } from "./admission.ts";
import type { Observe } from "./events.ts";
import { HeraldSockets, type HeraldSocketSettings, type LocalMachine } from "./herald_sockets.ts";
import { byAddress, type HostNames } from "./hostname.ts";
import type { FinishedReport, ReceiverSettings, Report } from "./orders.ts";
import { ReceiverPool, type StartWorker } from "./receiver_pool.ts";
import { type Refusal, Refusals } from "./refusals.ts";
import { eventOf } from "./report_event.ts";
import { lookAt } from "./restart.ts";
import { RollCall } from "./roll_call.ts";
import type { SessionIdentity } from "./session/journal.ts";
import { SessionTable, type TableEntry } from "./session_table.ts";
import { type DumpLocation, linkNewest, locationProblem } from "./store/links.ts";
import { leastRoom } from "./store/space.ts";
import type { StateDirectory } from "./store/state_directory.ts";

/** Receivers that stop are waited for so long: the next server must be there within the clients' patience (P9). */
const STOP_PATIENCE_MS = 8000;
/** Journals that could not be taken up or labelled are looked at again this often. */
const RETRY_MS = 60_000;

/** What a server needs. */
export interface ServerSettings extends Omit<ReceiverSettings, "native">, HeraldSocketSettings {
  readonly allow: readonly Network[];
  readonly mostSessions: number;
  readonly mostSessionsPerClient: number;
  readonly workers: number;
}

/** The server's helpers. */
export interface ServerParts {
  readonly fs: FileSystem;
  readonly state: StateDirectory;
  /** `undefined` to name dumps by address. */
  readonly names: HostNames | undefined;
  readonly observe: Observe;
  readonly startWorker: StartWorker;
  readonly machine: LocalMachine;
  /** Unix time in ms at which the machine was started. */
  readonly bootedMs: number;
  /** Libraries that receivers may open; none for Deno's operations only. */
  readonly ffi: readonly string[];
}

/** A running server. */
export class Supervisor {
  readonly #settings: ServerSettings;
  readonly #parts: ServerParts;
  readonly #admission: Admission;
  readonly #sessions = new SessionTable();
  readonly #refusals: Refusals;
  readonly #sockets: HeraldSockets;
  readonly #pool: ReceiverPool;
  readonly #failed = Promise.withResolvers<string>();
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  /** Receivers that have not stopped yet, once they were told to. */
  #stopping: { readonly receivers: Set<number>; readonly done: () => void } | undefined;
  /** Journals that were told of already: they stay, and are tried again without another word. */
  readonly #told = new Set<string>();
  #takingUp: Promise<void> = Promise.resolve();
  #toldDatagrams = false;
  readonly #rollCall = new RollCall((receiver, number) =>
    this.#pool.order(receiver, { order: "ping", number })
  );

  /**
   * Starts a server: binds its addresses, starts its receivers, takes up sessions that an earlier server left.
   *
   * @throws the system's error if an address cannot be bound
   */
  constructor(settings: ServerSettings, parts: ServerParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#admission = new Admission(settings);
    this.#refusals = new Refusals(parts.observe);
    this.#sockets = new HeraldSockets(settings, parts.machine, parts.observe);
    const { addresses } = this.#sockets;
    const { root, ackPort, allow } = settings;
    const clients = allow.length > 0 ? allow.map(({ text }) => text) : ["0.0.0.0/0"];
    const native = parts.ffi.length === 0 ? null : addresses[0] ?? null;
    this.#pool = new ReceiverPool(settings.workers, { ...settings, native }, {
      root,
      addresses,
      clients,
      ackPort,
      ffi: parts.ffi,
    }, {
      report: (receiver, report) => this.#onReport(receiver, report),
      crashed: (receiver, reason) => this.#onCrash(receiver, reason),
      failed: (reason) => this.#failed.resolve(reason),
    }, parts.startWorker);
    this.#sockets.listen((local, herald, { client, port }) => this.#onHerald(local, herald, client, port));
    this.#takingUp = this.#takeUp();
    this.#timers.push(
      setInterval(() => this.#takingUp = this.#takingUp.then(() => this.#takeUp()), RETRY_MS),
      setInterval(() => this.#refusals.sumUp(performance.now()), 1000),
    );
  }

  /** Addresses it listens on. */
  get addresses(): string[] {
    return this.#sockets.addresses;
  }

  /** Number of sessions by stage. */
  get stages(): Record<TableEntry["stage"], number> {
    const stages = { heralded: 0, data: 0, finished: 0 };
    for (const { stage } of this.#sessions.all()) stages[stage]++;
    return stages;
  }

  /** Number of receivers that run. */
  get receivers(): number {
    return this.#pool.running.length;
  }

  /** Asks each receiver whether it is there; resolves with those that do not answer in time. */
  silentReceivers(patienceMs: number): Promise<number[]> {
    return this.#rollCall.call(this.#pool.running, patienceMs);
  }

  /** Resolves with the reason if the server cannot go on. */
  get failed(): Promise<string> {
    return this.#failed.promise;
  }

  /** Resolves when the sessions that an earlier server left have been handed to receivers. */
  get takenUp(): Promise<void> {
    return this.#takingUp;
  }

  /**
   * Stops: no more HERALDs, open sessions are flushed and labelled. A disk that hangs is not waited for without end.
   *
   * @returns what was left, in words
   */
  async stop(patienceMs = STOP_PATIENCE_MS): Promise<string[]> {
    this.#sockets.close();
    for (const timer of this.#timers) clearInterval(timer);
    this.#refusals.sumUp(Infinity);
    const stopped = Promise.withResolvers<void>();
    this.#stopping = { receivers: new Set(this.#pool.running), done: stopped.resolve };
    await this.#takingUp;
    for (const receiver of this.#pool.running) this.#pool.order(receiver, { order: "stop" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, patienceMs));
    if (this.#stopping.receivers.size > 0) await Promise.race([stopped.promise, late]);
    clearTimeout(timer);
    const left = [...this.#stopping.receivers].flatMap((receiver) =>
      this.#sessions.entries(receiver).map(({ client, id }) => `the dump of ${client} (session ${id})`)
    );
    this.#pool.terminate();
    this.#parts.state.close();
    return left;
  }

  #onHerald(local: string, message: Message, client: string, port: number): void {
    const nowMs = performance.now();
    const herald = { client, local, path: null as string | null, heraldSeqno: message.seqno };
    const asked = decodeHeraldPath(message.payload);
    if (asked.kind === "path") herald.path = asked.text;
    const decision = this.#admission.decide(herald, this.#sessions, nowMs);
    switch (decision.decision) {
      case "again": {
        const entry = this.#sessions.get(decision.id)!;
        this.#pool.order(entry.receiver, { order: "ack-herald", id: entry.id });
        return;
      }
      case "refuse":
        this.#refuse({ client, cause: decision.cause, reason: decision.reason });
        return;
      case "admit": {
        const refusal = this.#cannotSucceed(client, port, herald.path);
        if (refusal !== undefined) return this.#refuse(refusal);
        for (const id of decision.evict) this.#evict(id);
        this.#admit({ id: crypto.randomUUID(), port: 0, startedMs: Date.now(), ...herald }, asked);
      }
    }
  }

  /** Why a dump that is admitted would not get through all the same. */
  #cannotSucceed(client: string, port: number, path: string | null): Refusal | undefined {
    const { root, defaultPath, ackPort, minFree } = this.#settings;
    if (port !== ackPort) {
      const reason =
        `its HERALD came from port ${port}, and acks go to port ${ackPort}, from which FreeBSD sends: ` +
        "a NAT on the way changes ports, or it is no FreeBSD client";
      return { client, cause: "client-port", reason };
    }
    const room = leastRoom(this.#parts.fs, [root, join(root, path ?? defaultPath)], minFree);
    if (room === undefined || room.freeBytes > room.keptBytes) return undefined;
    const reason =
      `${room.directory} has ${formatSize(room.freeBytes)} free, and ${formatSize(room.keptBytes)} ` +
      "are to be kept free (--min-free)";
    return { client, cause: "disk-full", reason };
  }

  #refuse(refusal: Refusal): void {
    this.#refusals.refuse(refusal, performance.now());
  }

  #admit(identity: SessionIdentity, asked: HeraldPath): void {
    if (asked.kind === "refused") {
      const { client } = identity;
      this.#parts.observe({ event: "path-refused", client, path: asked.text, reason: asked.reason });
    }
    const entry = this.#add(identity, "heralded");
    this.#pool.order(entry.receiver, { order: "open", session: identity });
    void this.#tellName(entry);
  }

  #add(identity: SessionIdentity, stage: TableEntry["stage"]): TableEntry {
    const device = this.#deviceOf(identity.path);
    const receiver = this.#pool.place(identity.local, device);
    return this.#sessions.add(identity, { stage, receiver, device }, performance.now());
  }

  async #tellName({ id, client, receiver }: TableEntry): Promise<void> {
    const name = await this.#parts.names?.name(client) ?? byAddress(client);
    this.#pool.order(receiver, { order: "name", id, name });
  }

  #evict(id: string): void {
    const entry = this.#sessions.get(id);
    if (entry === undefined) return;
    entry.isLeaving = true;
    this.#pool.order(entry.receiver, { order: "evict", id });
  }

  /** The file system that a dump with this path goes to; that of the dump directory where the path leads nowhere. */
  #deviceOf(path: string | null): number {
    const { root, defaultPath } = this.#settings;
    return this.#try(() =>
      this.#parts.fs.entry(this.#parts.fs.realPath(join(root, path ?? defaultPath)))?.device
    ) ?? 0;
  }

  /** What a file system does not tell is not held against a dump: a write will. */
  #try<T>(ask: () => T): T | undefined {
    try {
      return ask();
    } catch {
      return undefined;
    }
  }

  #onReport(receiver: number, report: Report): void {
    switch (report.report) {
      case "opened": {
        const entry = this.#sessions.get(report.id);
        if (entry === undefined) return;
        entry.identity = { ...entry.identity, port: report.port };
        return;
      }
      case "refused":
        this.#refuse({ client: this.#clientOf(report.id) ?? "", cause: "files", reason: report.reason });
        this.#forget(report.id);
        return;
      case "started":
        this.#setStage(report.dump.id, "data");
        break;
      case "activity":
        for (const activity of report.sessions) this.#sessions.note(activity, performance.now());
        return;
      case "finished":
        this.#onFinished(receiver, report);
        return;
      case "empty":
        this.#setStage(report.id, "finished");
        break;
      case "not-labelled":
        this.#tellOnce("not-labelled", report.id, report.reason);
        return;
      case "closed":
        this.#forget(report.id);
        return;
      case "ready":
        this.#tellDatagrams(report);
        return;
      case "alive":
        this.#rollCall.answered(receiver, report.number);
        return;
      case "stopped":
        this.#hasStopped(receiver);
        return;
    }
    const event = eventOf(report, receiver, (id) => this.#clientOf(id));
    if (event !== undefined) this.#parts.observe(event);
  }

  /** Links and programs get what a receiver names only if it is what a dump of its session has: a receiver is not trusted. */
  #onFinished(receiver: number, report: FinishedReport): void {
    const { fs, observe } = this.#parts;
    const { dump, complete } = report;
    this.#setStage(dump.id, "finished");
    const { root } = this.#settings;
    const entry = this.#sessions.get(dump.id);
    const problem = entry === undefined || entry.receiver !== receiver
      ? "it has no such session"
      : entry.client !== dump.client
      ? "the session has another client"
      : locationProblem(fs, root, dump);
    if (problem !== undefined) {
      observe({ event: "distrusted", id: dump.id, receiver, reason: problem });
      return;
    }
    const { report: _, ...finished } = report;
    observe({ event: complete ? "completed" : "incomplete", ...finished });
    if (complete) this.#link(dump.id, dump);
  }

  #link(id: string, location: DumpLocation): void {
    const { fs, observe } = this.#parts;
    const { root } = this.#settings;
    if (locationProblem(fs, root, location) !== undefined) return;
    for (const reason of linkNewest(fs, root, location)) observe({ event: "link-failed", id, reason });
  }

  /** How datagrams are moved, told once: all receivers have the same machine. */
  #tellDatagrams({ native, receiveBufferBytes }: Extract<Report, { report: "ready" }>): void {
    if (this.#toldDatagrams) return;
    this.#toldDatagrams = true;
    this.#parts.observe({ event: "datagrams", native, receiveBufferBytes });
  }

  #clientOf(id: string): string | undefined {
    return this.#sessions.get(id)?.client;
  }

  #setStage(id: string, stage: TableEntry["stage"]): void {
    const entry = this.#sessions.get(id);
    if (entry !== undefined) entry.stage = stage;
  }

  #forget(id: string): void {
    const entry = this.#sessions.get(id);
    if (entry === undefined) return;
    this.#sessions.remove(id);
    this.#pool.release(entry.receiver, entry.device);
  }

  #tellOnce(event: "not-resumed" | "not-labelled", id: string, reason: string): void {
    if (this.#told.has(id)) return;
    this.#told.add(id);
    this.#parts.observe({ event, id, reason });
  }

  /**
   * Takes up the sessions that an earlier server left (P9), the newest first: their clients wait for twelve seconds. Between
   * two of them HERALDs get their turn. Of more than there may be at once the oldest are labelled.
   */
  async #takeUp(): Promise<void> {
    const { state, bootedMs } = this.#parts;
    const { timeoutMs, mostSessions } = this.#settings;
    for (const journal of this.#try(() => state.journals()) ?? []) {
      if (this.#sessions.get(journal.id) !== undefined) continue;
      const found = lookAt(state, journal, { nowMs: Date.now(), bootedMs, timeoutMs });
      if (found?.found === "unreadable") this.#tellOnce("not-resumed", found.id, found.reason);
      else if (found?.found === "lost") {
        if (this.#stopping === undefined) this.#giveUp(found.identity, found.reason);
      } else if (found !== undefined) {
        if (found.complete !== undefined) this.#link(found.identity.id, found.complete);
        if (this.#stopping !== undefined) continue;
        if (!this.addresses.includes(found.identity.local)) {
          this.#giveUp(found.identity, `the server no longer listens on ${found.identity.local}`);
        } else if (this.#sessions.size < mostSessions) {
          this.#resume(this.#add(found.identity, found.stage));
        } else this.#giveUp(found.identity, "more dumps were open than there may be at once");
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  #resume(entry: TableEntry): void {
    this.#pool.order(entry.receiver, { order: "resume", id: entry.id });
    // Whether it has a name already only its receiver can tell: the files may have been begun, and not got far enough.
    if (entry.stage !== "finished") void this.#tellName(entry);
  }

  #giveUp(identity: SessionIdentity, reason: string): void {
    // It needs no socket, so any receiver will do.
    const local = this.addresses[0] ?? identity.local;
    const { receiver, id } = this.#add({ ...identity, local }, "finished");
    this.#pool.order(receiver, { order: "give-up", id, reason });
  }

  /** A receiver that crashed takes down its own sessions only, and they go on in another. */
  #onCrash(receiver: number, reason: string): void {
    if (this.#stopping !== undefined) {
      this.#hasStopped(receiver);
      return;
    }
    this.#parts.observe({ event: "receiver-crashed", receiver, reason });
    for (const entry of this.#sessions.entries(receiver)) {
      // Asked of the disk: what the receiver did last, an ack of the HERALD too, it may not have come to tell.
      if (this.#try(() => this.#parts.state.readJournal(entry.id)) !== undefined) this.#resume(entry);
      // Its HERALD was not acked, so it comes again.
      else this.#forget(entry.id);
    }
  }

  #hasStopped(receiver: number): void {
    this.#stopping?.receivers.delete(receiver);
    if (this.#stopping?.receivers.size === 0) this.#stopping.done();
  }
}
