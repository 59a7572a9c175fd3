/**
 * The receiver that ships, in simulated time: Receiver, Transfer, ReceivedDump, DumpFiles and journal as they are, over sockets and
 * files in memory. It can be killed at any change of a file and before any ack, and is started again from what it left.
 *
 * @module
 */
import { encodeMessage, type Message, MessageType } from "../../lib/protocol/message.ts";
import type { FinishedReport, Report } from "../../lib/serve/orders.ts";
import type { Clock } from "../../lib/serve/receiver/clock.ts";
import { Receiver } from "../../lib/serve/receiver/receiver.ts";
import { type MemorySocket, MemorySockets } from "../udp/memory_socket.ts";
import { Killed, MemoryFiles, memoryFileSystem } from "./memory_file_system.ts";
import type { SimulatedTime } from "./simulated_time.ts";

/** Settings of a server. */
export interface ServerModelSettings {
  /** Chance to be killed at each step; and how long it then takes to come back, at most. */
  readonly kill?: number;
  readonly downMs?: number;
  /** Whether journals are condensed all the time, and not only when they are long. */
  readonly condense?: boolean;
  /** Longest time that making a dump final takes. */
  readonly finalizeMs?: number;
}

/** What a dump is played to. */
export interface ServerOfOne {
  /** A datagram reaches the server. */
  receive(message: Message): void;
  /** Content of the core file, of the header and of the key. */
  readonly core: Uint8Array;
  readonly header: Uint8Array;
  readonly key: Uint8Array;
  /** Whether the core file has the name of a complete dump. */
  readonly complete: boolean;
  /** How the dump ended, if a server lived to tell it. */
  readonly finished: Pick<FinishedReport, "complete" | "missing" | "dump"> | undefined;
  /** Data that came and is not acked. */
  readonly unacked: number;
  readonly kills: number;
  /** Called when a burst is written and acked. */
  onQuiet: (() => void) | undefined;
}

const ROOT = "/dumps";
const STATE = `${ROOT}/.netdump`;
const ID = "6b1f0f0e-5e0d-4b0c-8a52-5d1a3a1c7e01";
const CLIENT = "192.0.2.7";
const NAME = { label: "w1", hostName: null };
/** Longest time from a packet's arrival to the end of its burst. */
const BURST_MS = 0.2;
/** Unix time at which simulations begin. */
const EPOCH_MS = 1_700_000_000_000;
/** Syncs of a dump that is made final. */
const SYNCS = 5;
/** Promises that wait for each other in a row, at most. */
const MICROTASKS = 40;

/** One life of the server: what it does counts until it is killed. */
interface Life {
  alive: boolean;
  readonly receiver: Receiver;
  socket: MemorySocket | undefined;
}

/** A server of one client. */
export class ServerModel implements ServerOfOne {
  finished: FinishedReport | undefined;
  kills = 0;
  onQuiet: (() => void) | undefined;
  /** Orders and answers between threads that the HERALD took before it was acked. */
  crossings = 0;
  readonly #files = new MemoryFiles(ROOT);
  readonly #time: SimulatedTime;
  readonly #random: () => number;
  readonly #sendAck: (seqno: number) => void;
  readonly #settings: ServerModelSettings;
  readonly #heraldSeqno: number;
  /** Messages of the client by their numbers, as they came first. */
  readonly #heard = new Map<number, Message>();
  readonly #unacked = new Set<number>();
  #life: Life | undefined;
  #isKnown = false;

  constructor(
    time: SimulatedTime,
    random: () => number,
    sendAck: (seqno: number) => void,
    settings: ServerModelSettings = {},
    heraldSeqno = 1,
  ) {
    this.#time = time;
    this.#random = random;
    this.#sendAck = sendAck;
    this.#settings = settings;
    this.#heraldSeqno = heraldSeqno;
    this.#files.add(STATE, "directory", EPOCH_MS);
    this.#life = this.#begin();
  }

  get core(): Uint8Array {
    return this.#files.find(/\/vmcore(_encrypted)?\.w1\.0(\.incomplete|\.gz|\.zst)?$/);
  }

  get complete(): boolean {
    return [...this.#files.nodes.keys()].some((path) =>
      /\/vmcore(_encrypted)?\.w1\.0(\.gz|\.zst)?$/.test(path)
    );
  }

  get header(): Uint8Array {
    return this.#files.find(/\/kdh\.w1\.0$/);
  }

  get key(): Uint8Array {
    return this.#files.find(/\/key\.w1\.0$/);
  }

  get unacked(): number {
    return this.#unacked.size;
  }

  receive(message: Message): void {
    const life = this.#life;
    if (life === undefined) return;
    if (!this.#heard.has(message.seqno)) this.#heard.set(message.seqno, message);
    if (message.type === MessageType.VMCORE) this.#unacked.add(message.seqno);
    if (message.type !== MessageType.HERALD) life.socket?.deliver(encodeMessage(message));
    else this.#time.after(0, () => this.#live(life, () => this.#herald(life)));
  }

  /** Ends it: nothing that is under way counts any more. */
  stop(): void {
    if (this.#life !== undefined) this.#life.alive = false;
    this.#life = undefined;
  }

  /** What the main thread does with a HERALD. */
  async #herald({ receiver }: Life): Promise<void> {
    if (this.#isKnown) return await receiver.obey({ order: "ack-herald", id: ID });
    this.#isKnown = true;
    await receiver.obey({
      order: "open",
      session: {
        id: ID,
        client: CLIENT,
        local: "192.0.2.1",
        port: 0,
        heraldSeqno: this.#heraldSeqno,
        path: null,
        startedMs: EPOCH_MS + this.#time.nowMs,
      },
    });
    await receiver.obey({ order: "name", id: ID, name: NAME });
  }

  #begin(): Life {
    // The next server's processes get new descriptors.
    this.#files.open.clear();
    const die = () => {
      if (!life.alive) return;
      life.alive = false;
      this.#die();
    };
    const step = () => {
      if (life.alive && this.#happens(this.#settings.kill ?? 0)) die();
      if (!life.alive) throw new Killed();
    };
    const clock: Clock = {
      now: () => this.#time.nowMs,
      unixMs: () => EPOCH_MS + this.#time.nowMs,
      after: (waitMs, action) => {
        let isWanted = true;
        // Timers fire late, but never early.
        this.#time.after(waitMs + this.#random(), () => {
          if (!isWanted) return;
          return this.#live(life, async () => {
            await action();
            this.onQuiet?.();
          });
        });
        return () => isWanted = false;
      },
    };
    const fs = memoryFileSystem(this.#files, {
      step,
      part: this.#random,
      unixMs: clock.unixMs,
      sync: async () => {
        step();
        await this.#wait(life, this.#random() * (this.#settings.finalizeMs ?? 50) / SYNCS);
        step();
      },
    });
    const sockets = new MemorySockets({
      bound: (socket) => life.socket = socket,
      acked: (seqnos) => {
        if (life.alive && this.#happens(this.#settings.kill ?? 0)) die();
        if (life.alive) { for (const seqno of seqnos) this.#acked(seqno); }
      },
      soon: (burst) => {
        this.#time.after(this.#random() * BURST_MS, () =>
          this.#live(life, async () => {
            await burst();
            this.onQuiet?.();
          }));
      },
    });
    const settings = {
      root: ROOT,
      defaultPath: ".",
      ackPort: 20024,
      timeoutMs: 600_000,
      lingerMs: 60_000,
      mostBytes: null,
      minFree: 0,
      keep: null,
      native: null,
      trace: false,
    };
    const life: Life = {
      alive: true,
      socket: undefined,
      receiver: new Receiver(settings, {
        fs,
        sockets,
        clock,
        report: (report) => life.alive && this.#onReport(report),
        longJournalBytes: this.#settings.condense ? 400 + this.#random() * 2000 : 1024 * 1024,
      }),
    };
    return life;
  }

  /** P1: an ack means "it is in the file". */
  #acked(seqno: number): void {
    const message = this.#heard.get(seqno);
    if (message === undefined) throw new Error(`Acked ${seqno}, which never came`);
    const { type, offset, payload } = message;
    const file = type === MessageType.VMCORE
      ? this.core
      : type === MessageType.KDH
      ? this.header
      : type === MessageType.EKCD_KEY
      ? this.key
      : undefined;
    // The padding of a compressed dump's last block is cut off when it is final.
    const length = this.complete && type === MessageType.VMCORE ? this.core.byteLength : Infinity;
    if (file !== undefined && !isAt(file, payload.subarray(0, Math.max(length - offset, 0)), offset)) {
      throw new Error(`Acked ${seqno}, which is not in the file`);
    }
    if (type === MessageType.FINISHED && this.#heard.size > 2 && this.finished === undefined) {
      // It is told behind its ack; what was told by an earlier life stays told.
      if (this.#files.find(/\/info\.w1\.0$/).byteLength === 0) {
        throw new Error("Acked FINISHED without a dump");
      }
    }
    this.#unacked.delete(seqno);
    this.#sendAck(seqno);
  }

  #onReport(report: Report): void {
    if (report.report === "finished") this.finished = report;
    else if (report.report === "refused" || report.report === "closed") this.#isKnown = false;
  }

  #die(): void {
    this.kills++;
    this.#life = undefined;
    this.#time.after(this.#random() * (this.#settings.downMs ?? 1000), () => {
      const life = this.#life = this.#begin();
      return this.#live(life, () => this.#takeUp(life));
    });
  }

  /** What the main thread does when it starts. */
  async #takeUp({ receiver }: Life): Promise<void> {
    const journal = this.#files.nodes.get(`${STATE}/${ID}.journal`);
    this.#files.nodes.delete(`${STATE}/${ID}.journal.new`);
    // A HERALD whose journal was not written was not acked.
    this.#isKnown = journal !== undefined && journal.bytes.subarray(0, journal.size).includes(0x0a);
    if (!this.#isKnown) {
      this.#files.nodes.delete(`${STATE}/${ID}.journal`);
      return;
    }
    const resumed = receiver.obey({ order: "resume", id: ID });
    await receiver.obey({ order: "name", id: ID, name: NAME });
    await resumed;
  }

  /** Does something that counts as long as the server lives; resolves when all is done that needs no further event. */
  async #live(life: Life, action: () => Promise<void> | void): Promise<void> {
    if (!life.alive) return;
    let failure: unknown;
    Promise.resolve(action()).catch((error) => failure = error);
    for (let i = 0; i < MICROTASKS; i++) await undefined;
    if (failure !== undefined && life.alive) throw failure;
  }

  #wait(life: Life, waitMs: number): Promise<void> {
    return new Promise((resolve) => this.#time.after(waitMs, () => this.#live(life, resolve)));
  }

  #happens(chance: number): boolean {
    return chance > 0 && this.#random() < chance;
  }
}

function isAt(file: Uint8Array, bytes: Uint8Array, offset: number): boolean {
  if (file.byteLength < offset + bytes.byteLength) return false;
  for (let i = 0; i < bytes.byteLength; i++) if (file[offset + i] !== bytes[i]) return false;
  return true;
}
