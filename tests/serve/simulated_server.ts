/**
 * A server in simulated time: a session with its files in memory, which does what a transfer does in the order in
 * which it does it, and which can be killed between any two steps.
 *
 * @module
 */
import { type Message, MessageType } from "../../lib/protocol/message.ts";
import type { Verdict } from "../../lib/serve/session/completeness.ts";
import { encodeHex } from "../../lib/serve/session/journal.ts";
import { parseJournal } from "../../lib/serve/session/read_journal.ts";
import { condense, replay } from "../../lib/serve/session/replay.ts";
import { RunBuffer } from "../../lib/serve/receiver/run_buffer.ts";
import { DataVerdict, type Effect, Session } from "../../lib/serve/session/session.ts";
import { Killed, SimulatedDisk } from "./simulated_disk.ts";
import type { SimulatedTime } from "./simulated_time.ts";

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
/** Longest time from a packet's arrival to the end of its burst. */
const BURST_MS = 0.2;

// One for all: no two servers are at work at the same time.
const buffer = new RunBuffer();

/** A server of one client. */
export class SimulatedServer {
  session: Session | undefined;
  readonly disk: SimulatedDisk;
  /** What FINISHED was judged to be. */
  verdict: Verdict | undefined;
  kills = 0;
  /** Called when a burst is written and acked. */
  onQuiet: (() => void) | undefined;
  readonly #time: SimulatedTime;
  readonly #random: () => number;
  readonly #sendAck: (seqno: number) => void;
  readonly #settings: ServerSettings;
  readonly #heraldSeqno: number;
  /** VMCORE messages in the core file: where each begins and ends. */
  readonly #inFile = new Map<number, readonly [start: number, end: number]>();
  /** VMCORE seqnos that were acked, and those of other messages that may be. */
  readonly #acked = new Set<number>();
  readonly #notData = new Set<number>();
  #inbox: Message[] = [];
  #acks: number[] = [];
  /** Tells events of this life from those of earlier ones. */
  #life = 0;
  /** Messages whose number the client could not have sent. */
  impossible = 0;
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
    this.disk = new SimulatedDisk(core, random, settings.kill);
    this.#sendAck = sendAck;
    this.#settings = settings;
    this.#heraldSeqno = heraldSeqno;
  }

  /** VMCORE messages that are in the file and were never acked. */
  get unacked(): number {
    return this.#inFile.size - this.#acked.size;
  }

  /** A datagram reached the socket. */
  receive(message: Message): void {
    if (this.#down) return;
    this.#inbox.push(message);
    if (this.#burstDue) return;
    this.#burstDue = true;
    this.#later(this.#random() * BURST_MS, () => this.#takeBurst());
  }

  /** Does something after a while, if the server lives to see it. */
  #later(waitMs: number, action: () => void): void {
    const life = this.#life;
    this.#time.after(waitMs, () => {
      if (life === this.#life) this.#live(action);
    });
  }

  #live(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.#die();
    }
  }

  #takeBurst(): void {
    this.#burstDue = false;
    for (const message of this.#inbox.splice(0)) this.#take(message);
    this.#endOfBurst();
    this.onQuiet?.();
  }

  #take(message: Message): void {
    if (message.type === MessageType.HERALD) {
      if (this.session === undefined) {
        this.disk.step();
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
    this.disk.create();
    switch (session.data(seqno, offset, payload.byteLength, this.#time.nowMs)) {
      case DataVerdict.STORE:
        if (!buffer.fits(seqno, offset, payload.byteLength)) this.#endOfBurst();
        buffer.add(seqno, offset, payload);
        return;
      case DataVerdict.COMPARE: {
        this.#writeRun();
        const atOnce = this.#settings.acks === "at-once";
        session.repeated(seqno, payload.byteLength, this.#time.nowMs, atOnce ? [] : this.#acks);
        if (atOnce) this.#acks.push(seqno);
        return;
      }
      case DataVerdict.IMPOSSIBLE:
        this.impossible++;
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

  #writeRun(): void {
    const { session } = this;
    if (buffer.count === 0 || session === undefined) return;
    const { seqno, offset, length, count, full } = buffer;
    this.disk.writeCore(offset, buffer.bytes.subarray(0, length));
    for (let i = 0; i < count; i++) {
      const start = offset + i * full;
      this.#inFile.set(seqno + i, [start, start + buffer.sizeOf(i)]);
    }
    this.disk.append({ run: [offset, length, seqno, count, full] });
    const atOnce = this.#settings.acks === "at-once";
    const acks = atOnce ? [] : this.#acks;
    for (let i = 0, at = offset; i < count; at += buffer.sizeOf(i++)) {
      const isStored = session.stored(seqno + i, at, buffer.sizeOf(i), this.#time.nowMs, acks);
      if (!isStored) throw new Error("Too many holes");
      if (atOnce) this.#acks.push(seqno + i);
    }
    buffer.clear();
    if (this.#random() < (this.#settings.condense ?? 0)) this.#condense(session);
  }

  #condense(session: Session): void {
    const records = condense(session);
    if (records !== undefined) this.disk.rewriteJournal(records);
  }

  #endOfBurst(): void {
    this.#writeRun();
    this.#flush();
    if (this.session?.acknowledgement.deadlineMs !== undefined) this.#setTimer();
  }

  #flush(): void {
    if (this.#acks.length === 0) return;
    this.disk.step();
    const copies = this.session?.acksTwice ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      for (const seqno of this.#acks) this.#sendAck(seqno);
    }
    for (const seqno of this.#acks.splice(0)) {
      // P1: an ack means "it is in the file".
      if (this.#inFile.has(seqno)) this.#acked.add(seqno);
      else if (!this.#notData.has(seqno)) throw new Error(`Acked ${seqno}, which is not in the file`);
    }
  }

  #control(session: Session, message: Message): void {
    this.#writeRun();
    this.disk.create();
    for (const effect of session.control(message, this.#time.nowMs, this.#acks)) {
      this.#perform(session, effect, message.seqno);
    }
    this.#flush();
    this.#setTimer();
  }

  #perform(session: Session, effect: Effect, seqno: number): void {
    switch (effect.do) {
      case "write-header":
        this.disk.write("header", effect.offset, effect.bytes);
        this.disk.append({ header: [seqno, effect.offset, encodeHex(effect.bytes)] });
        session.headerStored(effect.offset, effect.bytes);
        return;
      case "write-key":
        this.disk.write("key", effect.offset, effect.bytes);
        this.disk.append({ key: [seqno, effect.offset, effect.bytes.byteLength] });
        session.keyStored(effect.offset, effect.bytes.byteLength);
        return;
      case "ignore":
        this.impossible++;
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
    this.disk.append({ finished: seqno });
    this.#later(this.#random() * (this.#settings.finalizeMs ?? 50), () => {
      this.disk.step();
      this.verdict = verdict;
      this.disk.append({ final: verdict.complete, atMs: this.#time.nowMs, core: "vmcore.w1.0" });
      for (const effect of session.finalized(this.#time.nowMs)) this.#perform(session, effect, seqno);
      this.#flush();
      this.#setTimer();
    });
  }

  #setTimer(): void {
    const waitMs = (this.session?.deadlineMs ?? Infinity) - this.#time.nowMs;
    // Timers fire late, but never early.
    if (Number.isFinite(waitMs)) this.#later(Math.max(waitMs, 1) + this.#random(), () => this.#onTimer());
  }

  #onTimer(): void {
    const { session } = this;
    if (session === undefined) return;
    // What has arrived by now counts.
    if (this.#inbox.length > 0) this.#takeBurst();
    if (session.due(this.#time.nowMs).do !== "expire-acks") return;
    session.expireAcks(this.#time.nowMs, this.#settings.acks === "held" ? this.#acks : []);
    const { state } = session.acknowledgement;
    if (state !== undefined) this.disk.append({ acknowledgement: state });
    this.#flush();
    this.#setTimer();
    this.onQuiet?.();
  }

  #die(): void {
    this.kills++;
    this.#life++;
    this.#down = true;
    this.session = undefined;
    this.#inbox = [];
    this.#acks = [];
    this.#burstDue = false;
    buffer.clear();
    this.#later(this.#random() * (this.#settings.downMs ?? 1000), () => this.#rise());
  }

  /** The next server takes the session up from its journal. */
  #rise(): void {
    this.#down = false;
    if (!this.#heralded) return;
    const session = this.session = this.#newSession();
    const journal = this.disk.reopenJournal();
    if (journal === "") return;
    const replayed = replay(session, parseJournal(journal), this.#time.nowMs);
    for (const seqno of this.#acked) {
      // P9: what was acked is known to the next server.
      if (!session.core.contains(...this.#inFile.get(seqno)!)) {
        throw new Error(`Acked ${seqno}, and forgot it`);
      }
    }
    const { final, finishedSeqno } = replayed;
    session.enter(final === undefined ? "receiving" : "finished", this.#time.nowMs, final && finishedSeqno);
    this.#setTimer();
    if (replayed.final !== undefined || replayed.finishedSeqno === undefined) return;
    const seqno = replayed.finishedSeqno;
    this.#control(session, { type: MessageType.FINISHED, seqno, offset: 0, payload: new Uint8Array() });
  }
}
