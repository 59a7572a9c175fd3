/**
 * The main thread of the server: HERALDs, admission, the receivers, hooks, restarts. It sees no packet of a dump.
 *
 * @module
 */
import { decodeHeraldPath, type HeraldPath } from "../protocol/herald_path.ts";
import type { Message } from "../protocol/message.ts";
import type { Network } from "../protocol/ipv4.ts";
import { quote } from "../text/escape.ts";
import { describeError } from "../os/system_error.ts";
import { Admission } from "./admission.ts";
import { realFileSystem } from "../os/file_system.ts";
import { HeraldSockets, type HeraldSocketSettings, type LocalMachine } from "./herald_sockets.ts";
import { type Hook } from "./observers/hook.ts";
import type { HostNames } from "./hostname.ts";
import type { SessionIdentity } from "./session/journal.ts";
import { linkNewest, LinksUnsupportedError } from "./store/links.ts";
import { type LogSink, reportEntry } from "./log_entry.ts";
import type { ReceiverSettings, Report } from "./orders.ts";
import { ReceiverPool, type StartWorker } from "./receiver_pool.ts";
import { findSessions, giveUp } from "./restart.ts";
import { SessionTable, type TableEntry } from "./session_table.ts";
import type { StateDirectory } from "./store/state_directory.ts";

/** A server that stops waits this long for hooks: the next one must be there within the clients' patience (P9). */
const HOOK_PATIENCE_MS = 5000;

/** What a server needs. */
export interface ServerSettings extends ReceiverSettings, HeraldSocketSettings {
  readonly allow: readonly Network[];
  readonly mostSessions: number;
  readonly mostSessionsPerClient: number;
  readonly workers: number;
}

/** The server's helpers. */
export interface ServerParts {
  readonly state: StateDirectory;
  /** `undefined` to name dumps by address. */
  readonly names: HostNames | undefined;
  readonly hook: Hook | undefined;
  readonly log: LogSink;
  readonly startWorker: StartWorker;
  readonly machine: LocalMachine;
}

/** A running server. */
export class Supervisor {
  readonly #settings: ServerSettings;
  readonly #parts: ServerParts;
  readonly #admission: Admission;
  readonly #sessions: SessionTable;
  readonly #sockets: HeraldSockets;
  readonly #pool: ReceiverPool;
  readonly #stopped = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<string>();
  /** Dumps being labelled that could not be taken up. */
  readonly #givingUp = new Set<Promise<void>>();
  #stopping = false;
  #toStop = 0;

  /**
   * Starts a server: binds its addresses, starts its receivers, takes up sessions that an earlier server left.
   *
   * @throws the system's error if an address cannot be bound
   */
  constructor(settings: ServerSettings, parts: ServerParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.#admission = new Admission(settings);
    this.#sessions = new SessionTable(parts.state);
    this.#sockets = new HeraldSockets(settings, parts.machine, parts.log);
    const { addresses } = this.#sockets;
    const { root, ackPort, allow } = settings;
    const clients = allow.length > 0 ? allow.map(({ text }) => text) : ["0.0.0.0/0"];
    this.#pool = new ReceiverPool(settings.workers, settings, { root, addresses, clients, ackPort }, {
      report: (receiver, report) => this.#onReport(receiver, report),
      crashed: (receiver, reason) => this.#onCrash(receiver, reason),
      failed: (reason) => this.#failed.resolve(reason),
    }, parts.startWorker);
    this.#takeUp();
    this.#sockets.listen((local, herald, client) => this.#onHerald(local, herald, client));
  }

  /** Addresses it listens on. */
  get addresses(): string[] {
    return this.#sockets.addresses;
  }

  /** Resolves with the reason if the server cannot go on. */
  get failed(): Promise<string> {
    return this.#failed.promise;
  }

  /** Stops: no more HERALDs, open sessions are flushed and labelled, hooks get a moment to end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#sockets.close();
    const { running } = this.#pool;
    this.#toStop = running.length;
    for (const receiver of running) this.#pool.order(receiver, { order: "stop" });
    if (running.length > 0) await this.#stopped.promise;
    this.#pool.terminate();
    await Promise.all(this.#givingUp);
    this.#parts.state.close();
    const left = await this.#parts.hook?.settled(HOOK_PATIENCE_MS);
    if (left === undefined || left.running + left.waiting === 0) return;
    const text =
      `Programs that go on by themselves: ${left.running}; that did not get to run: ${left.waiting}`;
    this.#parts.log({ level: "warning", event: "hooks-left", text, fields: left });
  }

  #onHerald(local: string, message: Message, client: string): void {
    const asked = decodeHeraldPath(message.payload);
    const path = asked.kind === "path" ? asked.text : null;
    const herald = { client, local, path, heraldSeqno: message.seqno };
    const decision = this.#admission.decide(herald, this.#sessions.entries(), performance.now());
    switch (decision.decision) {
      case "again":
        this.#onHeraldAgain(this.#sessions.get(decision.id)!);
        return;
      case "refuse":
        this.#refuse(client, decision.reason);
        return;
      case "admit":
        if (this.#diskIsFull()) {
          this.#refuse(client, "the disk has no more than the space to be kept free");
          return;
        }
        for (const id of decision.evict) this.#evict(id);
        this.#admit({ id: crypto.randomUUID(), port: 0, startedMs: Date.now(), ...herald }, asked);
    }
  }

  #onHeraldAgain({ id, open, identity: { port } }: TableEntry): void {
    if (open) this.#ackHerald(id);
    // Its state could not be written before; perhaps it can now.
    else if (port !== 0) this.#onOpened(id, port);
  }

  #admit(identity: SessionIdentity, asked: HeraldPath): void {
    if (asked.kind === "refused") {
      const text = `Path ${quote(asked.text)} of client ${identity.client} is refused (${asked.reason}); ` +
        "its dump goes to the default path";
      this.#provoked("warning", "path-refused", text, { client: identity.client, path: asked.text });
    }
    this.#startSession(this.#add(identity, "heralded"));
  }

  #add(identity: SessionIdentity, stage: TableEntry["stage"]): TableEntry {
    return this.#sessions.add(identity, stage, this.#pool.place(identity.local));
  }

  /** Has a receiver open a session, or take up what another one, or an earlier server, had of it. */
  #startSession({ id, identity, stage, receiver }: TableEntry): void {
    if (stage === "heralded") {
      this.#pool.order(receiver, { order: "open", session: identity });
      void this.#tellName(receiver, identity);
    } else {
      this.#pool.order(receiver, { order: "resume", id });
    }
  }

  async #tellName(receiver: number, { id, client }: SessionIdentity): Promise<void> {
    const name = await this.#parts.names?.name(client) ?? { label: client, hostName: null };
    this.#pool.order(receiver, { order: "name", id, name });
  }

  #evict(id: string): void {
    const entry = this.#sessions.get(id);
    if (entry !== undefined) this.#pool.order(entry.receiver, { order: "evict", id });
  }

  #ackHerald(id: string): void {
    const entry = this.#sessions.get(id);
    if (entry !== undefined) this.#pool.order(entry.receiver, { order: "ack-herald", id });
  }

  #refuse(client: string, reason: string): void {
    this.#provoked("warning", "refused", `Refused a HERALD from ${client}: ${reason}`, { client, reason });
  }

  #diskIsFull(): boolean {
    const { root, minFreeBytes } = this.#settings;
    try {
      return realFileSystem.space(root).freeBytes <= minFreeBytes;
    } catch {
      // Some file systems cannot tell; a write will.
      return false;
    }
  }

  #onReport(receiver: number, report: Report): void {
    switch (report.report) {
      case "opened":
        this.#onOpened(report.id, report.port);
        return;
      case "refused":
        this.#onRefused(report.id, report.reason);
        return;
      case "path-refused": {
        const client = this.#sessions.get(report.id)?.client ?? "";
        const text = `Path ${quote(report.path)} of client ${client} cannot be used (${report.reason}); ` +
          "retrying with the default path";
        this.#provoked("warning", "path-refused", text, { client, path: report.path, reason: report.reason });
        return;
      }
      case "link":
        this.#makeLinks(receiver, report);
        return;
      case "closed":
        this.#forget(report.id);
        return;
      case "stopped":
        if (--this.#toStop === 0) this.#stopped.resolve();
        return;
      case "started":
        this.#setStage(report.dump.id, "data");
        break;
      case "empty":
        this.#setStage(report.id, "finished");
        break;
      case "finished":
        this.#setStage(report.dump.id, "finished");
        if (!report.resumable) this.#parts.hook?.run(report);
        break;
    }
    const entry = reportEntry(report);
    if (entry !== undefined) this.#parts.log(entry);
  }

  /** The HERALD is acked only when the session is on disk, so that a restart finds it (P9). */
  #onOpened(id: string, port: number): void {
    const entry = this.#sessions.get(id);
    if (entry === undefined) return;
    entry.identity = { ...entry.identity, port };
    if (entry.stage === "heralded" && !this.#writeHeralds()) return;
    entry.open = true;
    if (entry.stage === "heralded") this.#ackHerald(id);
  }

  #onRefused(id: string, reason: string): void {
    const entry = this.#sessions.get(id);
    if (entry === undefined) return;
    this.#forget(id);
    if (entry.stage === "heralded") this.#refuse(entry.client, reason);
    else this.#giveUp(id, `it could not be resumed (${reason})`);
  }

  /** A session is over. A server that stops leaves them all to the next one. */
  #forget(id: string): void {
    const entry = this.#sessions.get(id);
    if (entry === undefined) return;
    this.#sessions.remove(id);
    this.#pool.release(entry.receiver);
    if (this.#sessions.isListed(id) && !this.#stopping) this.#writeHeralds();
  }

  #setStage(id: string, stage: TableEntry["stage"]): void {
    const entry = this.#sessions.get(id);
    if (entry !== undefined) entry.stage = stage;
  }

  #writeHeralds(): boolean {
    try {
      this.#sessions.writeList();
      return true;
    } catch (error) {
      const text = `Cannot write the state of a session, its HERALD stays unanswered: ${
        describeError(error)
      }`;
      this.#provoked("error", "state-failed", text, {});
      return false;
    }
  }

  #makeLinks(receiver: number, { request, link }: Extract<Report, { report: "link" }>): void {
    let error: string | null = null;
    try {
      linkNewest(link);
    } catch (cause) {
      if (cause instanceof LinksUnsupportedError) {
        this.#parts.log({ level: "warning", event: "no-links", text: cause.message });
      } else error = describeError(cause);
    }
    this.#pool.order(receiver, { order: "linked", request, error });
  }

  /** Takes up the sessions that an earlier server left (P9). */
  #takeUp(): void {
    const { state, log } = this.#parts;
    const { sessions, lost, notices } = findSessions(state, this.#settings);
    for (const text of notices) log({ level: "warning", event: "not-resumed", text });
    for (const { id, reason } of lost) this.#giveUp(id, reason);
    for (const { identity, stage } of sessions) this.#startSession(this.#add(identity, stage));
  }

  #giveUp(id: string, reason: string): void {
    const { state, hook, log } = this.#parts;
    // deno-lint-ignore require-await
    const labelling = giveUp(state, this.#settings.root, id, reason, async (link) => linkNewest(link)).then(
      (report) => {
        if (report === undefined) return;
        log(reportEntry(report)!);
        hook?.run(report);
      },
      (error) => {
        const text = `Cannot label the dump of session ${id} (${reason}): ${describeError(error)}`;
        log({ level: "warning", event: "not-labelled", text });
      },
    ).finally(() => this.#givingUp.delete(labelling));
    this.#givingUp.add(labelling);
  }

  /** A receiver that crashed takes down its own sessions only, and they go on in another. */
  #onCrash(receiver: number, reason: string): void {
    if (this.#stopping) {
      if (--this.#toStop === 0) this.#stopped.resolve();
      return;
    }
    this.#parts.log({
      level: "error",
      event: "receiver-crashed",
      text: `A receiver crashed, its sessions are taken up by another: ${quote(reason)}`,
      fields: { receiver, reason },
    });
    for (const entry of this.#sessions.entries(receiver)) {
      entry.open = false;
      this.#startSession(entry);
    }
  }

  #provoked(
    level: "debug" | "warning" | "error",
    event: string,
    text: string,
    fields: Record<string, unknown>,
  ): void {
    this.#parts.log({ level, event, text, fields, provoked: true });
  }
}
