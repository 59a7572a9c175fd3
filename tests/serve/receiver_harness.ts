/**
 * A receiver without its worker: any sockets, any file system, and a client that speaks in turns.
 */
import { assert } from "@std/assert";
import { encodeMessage, type Message } from "../../lib/protocol/message.ts";
import { type FileSystem, realFileSystem } from "../../lib/os/file_system.ts";
import type { SessionIdentity } from "../../lib/serve/session/journal.ts";
import { linkNewest } from "../../lib/serve/store/links.ts";
import type { FinishedReport, ReceiverSettings, Report } from "../../lib/serve/orders.ts";
import { realClock } from "../../lib/serve/receiver/clock.ts";
import { Receiver } from "../../lib/serve/receiver/receiver.ts";
import { inMemory, type OpenWire, type Wire } from "./wires.ts";
import { PATIENCE_MS } from "../patience.ts";

/** The name of every client here. */
const NAME = { label: "w1", hostName: "w1.example.org" };

/** What differs from a usual receiver. */
export interface Special {
  readonly settings?: Partial<ReceiverSettings>;
  readonly longJournalBytes?: number;
  /** In memory, unless it is another. */
  readonly openWire?: OpenWire;
}

/** A receiver with one session. */
export class ReceiverHarness {
  readonly reports: Report[] = [];
  readonly #receiver: Receiver;
  readonly #wire: Wire;
  #acked: number[] = [];
  #id = "";
  readonly #root: string;
  #wake: () => void = () => {};

  constructor(root: string, fs: FileSystem, special: Special = {}) {
    const { settings = {}, longJournalBytes = Infinity, openWire = inMemory } = special;
    this.#root = root;
    const all: ReceiverSettings = {
      root,
      defaultPath: ".",
      ackPort: 20024,
      timeoutMs: 60_000,
      lingerMs: 60_000,
      mostBytes: null,
      minFree: 0,
      native: null,
      keep: null,
      trace: false,
      ...settings,
    };
    this.#wire = openWire({
      bound: () => this.#acked = [],
      acked: (seqnos) => {
        this.#acked.push(...seqnos);
        this.#wake();
      },
    });
    this.#receiver = new Receiver(all, {
      fs,
      longJournalBytes,
      report: (report) => this.#onReport(report),
      clock: realClock,
      sockets: this.#wire.sockets,
    });
  }

  /** What the session's socket has acked so far. */
  get acked(): readonly number[] {
    return this.#acked;
  }

  /** How the dump ended, if it did. */
  get finished(): FinishedReport | undefined {
    return this.reports.find((report) => report.report === "finished");
  }

  /** Whether the session that was opened last is gone. */
  get closed(): boolean {
    return this.reports.some((report) =>
      (report.report === "closed" || report.report === "refused") && report.id === this.#id
    );
  }

  /** Opens a session for a HERALD, or one that an earlier receiver had opened. */
  async open(session: Partial<SessionIdentity> = {}): Promise<SessionIdentity> {
    const id = this.#id = session.id ?? crypto.randomUUID();
    const all = {
      client: this.#wire.client,
      local: this.#wire.local,
      port: 0,
      heraldSeqno: 1,
      path: null,
      startedMs: Date.now(),
    };
    const identity = { ...all, ...session, id };
    await this.#receiver.obey({ order: "open", session: identity });
    await this.#receiver.obey({ order: "name", id, name: NAME });
    return { ...identity, port: this.#wire.port };
  }

  /** Takes up a session that has a journal. */
  async resume(id: string): Promise<void> {
    this.#id = id;
    await this.#receiver.obey({ order: "resume", id });
    await this.#receiver.obey({ order: "name", id, name: NAME });
  }

  /** Has a session labelled that cannot go on. */
  async giveUp(id: string, reason: string): Promise<void> {
    await this.#receiver.obey({ order: "give-up", id, reason });
  }

  /** Sends messages from the client's address and port, whoever they are from, and expects nothing. */
  forge(...messages: Message[]): void {
    for (const message of messages) this.#wire.deliver(encodeMessage(message));
  }

  /** Sends any datagram, and expects nothing. */
  deliver(datagram: Uint8Array<ArrayBuffer>): void {
    this.#wire.deliver(datagram);
  }

  /** Sends messages as one burst; resolves when all are acked or the session is gone, with whether they are acked. */
  async send(...messages: Message[]): Promise<boolean> {
    const from = this.acked.length;
    for (const message of messages) this.#wire.deliver(encodeMessage(message));
    const allAcked = () => messages.every(({ seqno }) => this.acked.indexOf(seqno, from) >= 0);
    await this.until(() => allAcked() || this.closed, `acks of ${messages.map(({ seqno }) => seqno)}`);
    return allAcked();
  }

  /** Waits until something holds that acks and reports tell. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const late = Date.now() + PATIENCE_MS;
    while (!condition()) {
      assert(Date.now() < late, `waited in vain for ${what}`);
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, 50);
      });
      clearTimeout(timer);
    }
  }

  /** Stops the receiver as a signal to the server does. */
  async stop(): Promise<void> {
    await this.#receiver.obey({ order: "stop" });
    await this.#wire.close();
  }

  #onReport(report: Report): void {
    this.reports.push(report);
    this.#wake();
    // What the main thread does.
    if (report.report === "finished" && report.complete) linkNewest(realFileSystem, this.#root, report.dump);
  }
}
