/**
 * A server in simulated time: a session with its core file and its journal in memory, which does what a transfer
 * does in the order in which it does it, and which can be killed between any two steps.
 *
 * @module
 */
import { HEADER_SIZE, type Message, MessageType } from "../../lib/protocol/message.ts";
import { encodeHex, journalLine, type JournalRecord, parseJournal } from "../../lib/serve/journal.ts";
import { condense, replay } from "../../lib/serve/resume.ts";
import { RunBuffer } from "../../lib/serve/run_buffer.ts";
import { DataVerdict, type Effect, Session } from "../../lib/serve/session.ts";
import type { Verdict } from "../../lib/serve/completeness.ts";
import type { SimulatedTime } from "./simulated_time.ts";

/** The server was killed. */
class Killed extends Error {}

/** Settings of a server. */
export interface ServerSettings {
  /** Acks as they should be, or each as soon as its packet is stored, as netdumpd does it. */
  readonly acks: "held" | "at-once";
  /** Chance to be killed at each step; and how long it then takes to come back, at most. */
  readonly kill?: number;
  readonly downMs?: number;
  /** Chance, after each write, that the journal is condensed. */
  readonly condense?: number;
  /** Longest time that making a dump final takes. */
  readonly finalizeMs?: number;
}

const SESSION = { timeoutMs: 600_000, lingerMs: 60_000, mostBytes: 2 ** 40 };
const HEAD = {
  format: 1,
  session: {
    id: "s",
    client: "192.0.2.7",
    local: "192.0.2.1",
    port: 40000,
    heraldSeqno: 1,
    path: null,
    startedMs: 0,
  },
  place: { directory: ".", host: "w1" },
  hostName: null,
} as const;

// One for all: no two servers are at work at the same time.
const buffer = new RunBuffer();

/** A server of one client. */
export class SimulatedServer {
  session: Session | undefined;
  /** The core file; what was never written is 0. */
  readonly core: Uint8Array;
  /** What FINISHED was judged to be. */
  verdict: Verdict | undefined;
  kills = 0;
  /** Packets saved, over all lives. */
  saved = 0;
  /** Called when a burst is written and acked. */
  onQuiet: (() => void) | undefined;
  readonly #time: SimulatedTime;
  readonly #random: () => number;
  readonly #sendAck: (seqno: number) => void;
  readonly #settings: ServerSettings;
  /** VMCORE messages in the core file: where each begins and ends. */
  readonly #inFile = new Map<number, readonly [start: number, end: number]>();
  /** VMCORE seqnos that were acked. */
  readonly acked = new Set<number>();
  /** Seqnos of other messages that may be acked. */
  readonly #notData = new Set<number>();
  readonly #heraldSeqno: number;
  readonly #files = new Map<string, Uint8Array>();
  #journal = "";
  #inbox: Message[] = [];
  #acks: number[] = [];
  /** Tells events of this life from those of earlier ones. */
  #life = 0;
  #down = false;
  #burstDue = false;
  #heralded = false;

  constructor(
    time: SimulatedTime,
    random: () => number,
    core: Uint8Array,
    sendAck: (seqno: number) => void,
    settings: ServerSettings,
    heraldSeqno = 1,
  ) {
    this.#time = time;
    this.#random = random;
    this.core = core;
    this.#sendAck = sendAck;
    this.#settings = settings;
    this.#heraldSeqno = heraldSeqno;
  }

  /** VMCORE messages that are in the file and were never acked. */
  get unacked(): number {
    return this.#inFile.size - this.acked.size;
  }

  /** A datagram reached the socket. */
  receive(message: Message): void {
    if (this.#down) return;
    this.#inbox.push(message);
    if (this.#burstDue) return;
    this.#burstDue = true;
    const life = this.#life;
    this.#time.after(this.#random() * 0.2, () => this.#live(life, () => this.#takeBurst()));
  }

  #live(life: number, action: () => void): void {
    if (life !== this.#life) return;
    try {
      action();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.#die();
    }
  }

  #takeBurst(): void {
    this.#burstDue = false;
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const message of inbox) this.#take(message);
    this.#endOfBurst();
    this.onQuiet?.();
  }

  #take(message: Message): void {
    if (message.type === MessageType.HERALD) {
      if (this.session === undefined) {
        this.#step();
        this.session = this.#newSession();
        this.#heralded = true;
        this.#setTimer();
      }
      this.#sendAck(message.seqno);
    } else if (this.session === undefined) return;
    else if (message.type === MessageType.VMCORE) this.#takeData(this.session, message);
    else this.#control(this.session, message);
  }

  #newSession(): Session {
    return new Session({ ...SESSION, heraldSeqno: this.#heraldSeqno }, this.#time.nowMs);
  }

  #takeData(session: Session, { seqno, offset, payload }: Message): void {
    this.#create();
    switch (session.data(offset, payload.byteLength, this.#time.nowMs)) {
      case DataVerdict.STORE:
        if (!buffer.fits(seqno, offset, payload.byteLength)) this.#endOfBurst();
        buffer.datagram.set(payload, HEADER_SIZE);
        buffer.add(seqno, offset, payload.byteLength);
        return;
      case DataVerdict.ACK:
        this.#acks.push(seqno);
        return;
      case DataVerdict.DROP:
        return;
      case DataVerdict.TOO_LARGE:
        throw new Error("The dump is too large");
    }
  }

  #create(): void {
    if (this.#journal === "") this.#journal = journalLine(HEAD) + journalLine({ index: 0 });
  }

  #writeRun(): void {
    const { session } = this;
    if (buffer.count === 0 || session === undefined) return;
    const { seqno, offset, length, count, full } = buffer;
    this.#writeCore(offset, buffer.bytes.subarray(buffer.runAt, buffer.runAt + length));
    for (let i = 0; i < count; i++) {
      const start = offset + i * full;
      this.#inFile.set(seqno + i, [start, start + buffer.sizeOf(i)]);
    }
    this.#append({ run: [offset, length, seqno, count, full] });
    const acks = this.#settings.acks === "held" ? this.#acks : [];
    for (let i = 0, at = offset; i < count; at += buffer.sizeOf(i++)) {
      if (!session.stored(seqno + i, at, buffer.sizeOf(i), this.#time.nowMs, acks)) {
        throw new Error("Too many holes");
      }
      if (this.#settings.acks === "at-once") this.#acks.push(seqno + i);
    }
    buffer.clear();
    if (this.#settings.condense !== undefined && this.#random() < this.#settings.condense) {
      this.#condense(session);
    }
  }

  #writeCore(offset: number, bytes: Uint8Array): void {
    try {
      this.#step();
    } catch (error) {
      // Killed within the write: a part of the run is there.
      this.core.set(bytes.subarray(0, this.#random() * bytes.byteLength), offset);
      throw error;
    }
    this.core.set(bytes, offset);
  }

  #condense(session: Session): void {
    const records = condense(session);
    if (records === undefined) return;
    this.#journal = [HEAD, { index: 0 }, ...records].map(journalLine).join("");
  }

  #append(record: JournalRecord): void {
    const line = journalLine(record);
    try {
      this.#step();
    } catch (error) {
      // Killed within the write: a part of the line is there.
      this.#journal += line.slice(0, this.#random() * line.length);
      throw error;
    }
    this.#journal += line;
  }

  #endOfBurst(): void {
    this.#writeRun();
    this.#flush();
    if (this.session?.acknowledgement.deadlineMs !== undefined) this.#setTimer();
  }

  #flush(): void {
    if (this.#acks.length === 0) return;
    this.#step();
    const copies = this.session?.acksTwice ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      for (const seqno of this.#acks) this.#sendAck(seqno);
    }
    for (const seqno of this.#acks) {
      // P1: an ack means "it is in the file".
      if (this.#inFile.has(seqno)) this.acked.add(seqno);
      else if (!this.#notData.has(seqno)) throw new Error(`Acked ${seqno}, which is not in the file`);
    }
    this.#acks = [];
  }

  #control(session: Session, message: Message): void {
    this.#writeRun();
    this.#create();
    for (const effect of session.control(message, this.#time.nowMs, this.#acks)) {
      this.#perform(session, effect, message.seqno);
    }
    this.#flush();
    this.#setTimer();
  }

  #perform(session: Session, effect: Effect, seqno: number): void {
    switch (effect.do) {
      case "write-header":
        this.#step();
        this.#write("header", effect.offset, effect.bytes);
        this.#append({ header: [seqno, effect.offset, encodeHex(effect.bytes)] });
        session.headerStored(effect.offset, effect.bytes);
        return;
      case "write-key":
        this.#step();
        this.#write("key", effect.offset, effect.bytes);
        this.#append({ key: [seqno, effect.offset, effect.bytes.byteLength] });
        session.keyStored(effect.offset, effect.bytes.byteLength);
        return;
      case "ack":
        this.#notData.add(effect.seqno);
        this.#acks.push(effect.seqno);
        return;
      case "finalize":
        this.#finalize(session, seqno, effect.verdict);
        return;
    }
  }

  #finalize(session: Session, seqno: number, verdict: Verdict): void {
    this.#append({ finished: seqno });
    const life = this.#life;
    this.#time.after(this.#random() * (this.#settings.finalizeMs ?? 50), () =>
      this.#live(life, () => {
        this.#step();
        this.verdict = verdict;
        this.#append({ final: verdict.complete, atMs: this.#time.nowMs, core: "vmcore.w1.0" });
        for (const effect of session.finalized(this.#time.nowMs)) this.#perform(session, effect, seqno);
        this.#flush();
        this.#setTimer();
      }));
  }

  /** A file beside the core. */
  file(name: "header" | "key"): Uint8Array {
    return this.#files.get(name) ?? new Uint8Array();
  }

  #write(name: "header" | "key", offset: number, bytes: Uint8Array): void {
    const before = this.file(name);
    const after = new Uint8Array(Math.max(before.byteLength, offset + bytes.byteLength));
    after.set(before);
    after.set(bytes, offset);
    this.#files.set(name, after);
  }

  #setTimer(): void {
    const life = this.#life;
    const deadlineMs = this.session?.deadlineMs ?? Infinity;
    // Timers fire late, but never early.
    if (Number.isFinite(deadlineMs)) {
      this.#time.at(Math.max(deadlineMs, this.#time.nowMs + 1) + this.#random(), () => {
        this.#live(life, () => this.#onTimer());
      });
    }
  }

  #onTimer(): void {
    const { session } = this;
    if (session === undefined) return;
    if (this.#inbox.length > 0) this.#takeBurst();
    const due = session.due(this.#time.nowMs);
    if (due.do !== "expire-acks") return;
    const acks = this.#settings.acks === "held" ? this.#acks : [];
    session.expireAcks(this.#time.nowMs, acks);
    const { state } = session.acknowledgement;
    if (state !== undefined) this.#append({ acknowledgement: state });
    this.#flush();
    this.#setTimer();
    this.onQuiet?.();
  }

  /** A place where the server may be killed. */
  #step(): void {
    const { kill } = this.#settings;
    if (kill !== undefined && this.#random() < kill) throw new Killed();
  }

  #die(): void {
    this.kills++;
    this.#life++;
    this.#down = true;
    this.saved += this.session?.acknowledgement.saved ?? 0;
    this.session = undefined;
    this.#inbox = [];
    this.#acks = [];
    this.#burstDue = false;
    buffer.clear();
    this.#time.after(this.#random() * (this.#settings.downMs ?? 1000), () => this.#rise());
  }

  /** The next server takes the session up from its journal. */
  #rise(): void {
    this.#down = false;
    if (!this.#heralded) return;
    const session = this.session = this.#newSession();
    this.#journal = this.#journal.slice(0, this.#journal.lastIndexOf("\n") + 1);
    if (this.#journal === "") return;
    const replayed = replay(session, parseJournal(this.#journal), this.#time.nowMs);
    for (const seqno of this.acked) {
      // P9: what was acked is known to the next server.
      if (!session.core.contains(...this.#inFile.get(seqno)!)) {
        throw new Error(`Acked ${seqno}, and forgot it`);
      }
    }
    session.enter(replayed.final === undefined ? "receiving" : "finished", this.#time.nowMs);
    this.#setTimer();
    if (replayed.final !== undefined || replayed.finishedSeqno === undefined) return;
    const seqno = replayed.finishedSeqno;
    this.#live(
      this.#life,
      () =>
        this.#control(session, { type: MessageType.FINISHED, seqno, offset: 0, payload: new Uint8Array() }),
    );
  }
}
