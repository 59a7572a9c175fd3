/**
 * One session's socket and files around its state machine.
 *
 * @module
 */
import {
  checkHeader,
  HEADER_SIZE,
  HeaderField,
  type Message,
  MessageType,
  readOffset,
} from "../../protocol/message.ts";
import type { Datagram, DatagramSocket, DatagramTaker, Peer } from "../../udp/datagram_socket.ts";
import type { Verdict } from "../session/completeness.ts";
import type { DumpFiles } from "../store/dump_files.ts";
import { describeError } from "../../os/system_error.ts";
import type { SessionIdentity } from "../session/journal.ts";
import type { JournalFile } from "../store/journal_file.ts";
import type { Outcome } from "../events.ts";
import type { ClientName, Report, SessionActivity } from "../orders.ts";
import { DumpEnding } from "./dump_ending.ts";
import { type Pace, RunPace } from "./pace.ts";
import { type DumpSurroundings, ReceivedDump, RefusedError, StoreError } from "./received_dump.ts";
import { RunBuffer } from "./run_buffer.ts";
import { DataVerdict, type Effect, type Session } from "../session/session.ts";
import { TransferReports } from "./transfer_reports.ts";

/** What a transfer needs of the receiver it lives in. */
export interface TransferHost extends DumpSurroundings {
  readonly pace: Pace;
  report(report: Report): void;
  /** Creates the dump's files; throws the file system's errors. */
  createFiles(identity: SessionIdentity, name: ClientName, journal: JournalFile): DumpFiles;
  /** A complete dump is final. */
  completed(files: DumpFiles): Promise<void>;
  /** The transfer's socket is closed and its place free. */
  closed(transfer: Transfer): void;
}

/** The dump of a session that is taken up again. */
export interface Resumed {
  readonly files: DumpFiles;
  readonly name: ClientName;
}

/** A session with its socket and its files. */
export class Transfer implements DatagramTaker {
  readonly identity: SessionIdentity;
  readonly session: Session;
  readonly #host: TransferHost;
  readonly #socket: DatagramSocket;
  readonly #run = new RunBuffer();
  readonly #name: Promise<ClientName>;
  readonly #reports: TransferReports;
  readonly #ends: DumpEnding;
  #dump: ReceivedDump | undefined;
  readonly #journal: JournalFile;
  /** When the run at hand began. */
  #heardMs = 0;
  readonly #pace: RunPace;
  #cancelTimer: () => void = () => {};
  #stopping = false;
  #closed = false;
  /** The dump is being made final, or given up. */
  #ending: Promise<void> | undefined;
  /** What is done for a final dump behind its ack. */
  #aftermath: Promise<void> | undefined;

  /**
   * @param journal the session's, from its birth on
   * @param name resolves within the time that a first ack may be delayed for DNS (P2)
   */
  constructor(
    host: TransferHost,
    socket: DatagramSocket,
    identity: SessionIdentity,
    session: Session,
    journal: JournalFile,
    name: Promise<ClientName>,
    resumed?: Resumed,
  ) {
    this.#host = host;
    this.#socket = socket;
    this.identity = identity;
    this.session = session;
    this.#name = name;
    this.#journal = journal;
    if (resumed !== undefined) this.#begin(resumed.files, resumed.name);
    this.#reports = new TransferReports(identity, (report) => host.report(report));
    this.#pace = new RunPace(host.pace, identity.id, host.clock);
    this.#ends = new DumpEnding(this.#reports, (files) => host.completed(files));
  }

  get gathered(): number {
    return this.#run.count;
  }

  get mayWait(): boolean {
    return this.#dump === undefined && this.session.phase === "heralded";
  }

  /** Acks the HERALD, or a repeated one. */
  ackHerald(): void {
    this.#socket.acks.push(this.identity.heraldSeqno);
    this.#flushAcks();
  }

  /** Receives until the socket is closed. */
  async receive(): Promise<void> {
    this.#setTimer();
    await this.#socket.receive(this);
  }

  /** Writes the run at hand and sends the acks that are due. */
  endOfBurst(): void {
    if (this.#closed) return;
    this.#writeRun();
    this.#flushAcks();
    if (this.session.acknowledgement.deadlineMs !== undefined) this.#setTimer();
  }

  /** Ends an open session because the server stops: it is labelled, and can be taken up again (P9, P10). */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.session.phase === "receiving") {
      this.#writeRun();
      this.#socket.flush(1);
    }
    if (this.session.phase === "receiving") this.#abandon("error", "the server was stopped", true);
    await this.#ending;
    await this.#aftermath;
    this.#close(false);
  }

  /** Ends a session to make room: what it has is labelled. */
  evict(): void {
    const { phase } = this.session;
    if (phase === "heralded" || phase === "finished") this.#close(true);
    else if (phase === "receiving") {
      this.#writeRun();
      if (this.session.phase === "receiving") {
        this.#abandon("timeout", "its client fell silent, and another dump needed its place", false);
      }
    }
  }

  /** How the session gets on, while it receives. */
  activity(): SessionActivity | undefined {
    const { phase, core } = this.session;
    if (phase !== "receiving") return undefined;
    const nowMs = this.#host.clock.now();
    return {
      id: this.identity.id,
      silentMs: nowMs - this.session.heardMs,
      barrenMs: nowMs - this.session.progressMs,
      receivedBytes: core.covered,
    };
  }

  /**
   * Goes on with a dump that was taken up again.
   *
   * @param finishedSeqno seqno of a FINISHED that came before the dump could be made final
   */
  resume(finishedSeqno: number | undefined): void {
    try {
      this.#reportStarted(true);
    } catch (error) {
      this.#failFrom(error);
      return;
    }
    if (finishedSeqno === undefined) return;
    this.#control({ type: MessageType.FINISHED, seqno: finishedSeqno, offset: 0, payload: new Uint8Array() });
  }

  /** Tells how far the dump is, if it got further. */
  reportProgress(): void {
    if (this.#dump === undefined || this.session.phase !== "receiving") return;
    this.#reports.progress(this.#dump, this.session);
  }

  foreign(from: Peer): void {
    this.#reports.foreign(from);
  }

  failed(what: "receive" | "send", error: unknown): void {
    this.#reports.socketFailed(what, error);
  }

  /** One datagram; the promise is only there while the first data waits for the client's name. */
  take(datagram: Datagram): Promise<void> | undefined {
    if (this.#closed) return undefined;
    const { view, size } = datagram;
    const error = checkHeader(view, 0, size);
    if (error !== undefined) {
      this.#reports.malformed(size, error);
      return undefined;
    }
    const type = view.getUint32(HeaderField.TYPE);
    if (this.mayWait && type !== MessageType.FINISHED) return this.#openThenDispatch(type, datagram);
    this.#dispatch(type, datagram);
    return undefined;
  }

  async #openThenDispatch(type: number, datagram: Datagram): Promise<void> {
    const { view, size } = datagram;
    const seqno = view.getUint32(HeaderField.SEQNO);
    const offset = readOffset(view, 0);
    if (!this.session.canBeginWith(type as MessageType, seqno, offset, size - HEADER_SIZE)) return;
    const name = await this.#name;
    if (this.#closed) return;
    try {
      this.#begin(this.#host.createFiles(this.identity, name, this.#journal), name);
      this.#reportStarted(false);
    } catch (error) {
      this.#dump?.files.discard();
      this.session.end();
      this.#reports.refused(
        error instanceof StoreError
          ? error.message
          : `cannot create the dump's files: ${describeError(error)}`,
      );
      this.#close(true);
      return;
    }
    this.#dispatch(type, datagram);
    this.#setTimer();
  }

  /** Tells that the dump has files, and what it is. */
  #reportStarted(resumed: boolean): void {
    const dump = this.#dump!;
    dump.writeInfo();
    this.#reports.started(dump, resumed);
  }

  #begin(files: DumpFiles, name: ClientName): void {
    this.#dump = new ReceivedDump(this.identity, name, this.session, files, this.#host);
  }

  #dispatch(type: number, { bytes, view, size }: Datagram): void {
    const seqno = view.getUint32(HeaderField.SEQNO);
    const offset = readOffset(view, 0);
    const payload = bytes.subarray(HEADER_SIZE, size);
    if (type === MessageType.VMCORE) this.#data(seqno, offset, payload);
    else if (type !== MessageType.HERALD) {
      this.#control({ type: type as MessageType, seqno, offset, payload });
    }
  }

  #data(seqno: number, offset: number, payload: Uint8Array): void {
    const length = payload.byteLength;
    // Before the session takes the number: a journal that is condensed then must not know it, whose bytes are in no file
    // yet (P1).
    if (!this.#run.fits(seqno, offset, length)) this.endOfBurst();
    // A run lasts for less than timers can tell; to ask for the time costs as much as all else here.
    if (this.#run.count === 0) this.#heardMs = this.#host.clock.now();
    switch (this.session.data(seqno, offset, length, this.#heardMs)) {
      case DataVerdict.STORE:
        this.#run.add(seqno, offset, payload);
        if (this.#run.ended) this.endOfBurst();
        return;
      case DataVerdict.COMPARE:
        this.#writeRun();
        this.#repeat(seqno, offset, payload);
        return;
      case DataVerdict.ACK:
        this.#socket.acks.push(seqno);
        this.#flushAcks();
        return;
      case DataVerdict.IMPOSSIBLE:
        this.#reports.impossible(`number ${seqno} is not one that the client can send now`);
        return;
      case DataVerdict.TOO_LARGE:
        this.#writeRun();
        this.#fail(`the dump exceeds the limit of ${this.session.settings.mostBytes} bytes`);
        return;
      case DataVerdict.DROP:
        return;
    }
  }

  #repeat(seqno: number, offset: number, payload: Uint8Array): void {
    try {
      if (this.session.phase === "receiving") {
        this.#dump?.repeat({ seqno, offset, payload }, this.#heardMs, this.#socket.acks);
      }
    } catch (error) {
      this.#failFrom(error);
    }
  }

  #writeRun(): void {
    const run = this.#run;
    if (run.count === 0) return;
    const { acks } = this.#socket;
    const [startedMs, acksBefore] = [this.#host.clock.now(), acks.length];
    try {
      if (this.session.phase === "receiving") {
        this.#dump?.store(run, startedMs, acks);
        this.#pace.stored(run, this.#heardMs, startedMs, acks.length - acksBefore);
      }
    } catch (error) {
      this.#failFrom(error);
    }
    run.clear();
  }

  #control(message: Message): void {
    this.#writeRun();
    const effects = this.session.control(message, this.#host.clock.now(), this.#socket.acks);
    try {
      for (const effect of effects) this.#perform(effect, message.seqno);
    } catch (error) {
      this.#failFrom(error);
      return;
    }
    const isEmpty = this.#dump === undefined && this.session.phase === "finished";
    if (message.type === MessageType.FINISHED && isEmpty) this.#reports.empty();
    this.#flushAcks();
    this.#setTimer();
  }

  #perform(effect: Effect, seqno: number): void {
    const dump = this.#dump;
    switch (effect.do) {
      case "write-header":
        if (dump?.storeHeader(seqno, effect.offset, effect.bytes)) this.#reports.header(dump, this.session);
        return;
      case "write-key": {
        const first = this.session.key.covered === 0;
        if (dump?.storeKey(seqno, effect.offset, effect.bytes) && first) this.#reports.key(dump);
        return;
      }
      case "ignore":
        this.#reports.impossible(effect.why);
        return;
      case "ack":
        this.#socket.acks.push(effect.seqno);
        return;
      case "finalize":
        this.#ending = this.#finalize(seqno, effect.verdict);
        return;
    }
  }

  async #finalize(seqno: number, verdict: Verdict): Promise<void> {
    const dump = this.#dump;
    if (dump === undefined) return;
    try {
      await dump.finalize(seqno, verdict);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      await this.#giveUp("error", error.message, false);
      return;
    }
    for (const effect of this.session.finalized(this.#host.clock.now())) this.#perform(effect, seqno);
    this.#flushAcks();
    this.#setTimer();
    this.#aftermath = this.#ends.afterFinal(dump, verdict);
  }

  #failFrom(error: unknown): void {
    if (error instanceof RefusedError) {
      this.#reports.different(error);
      return;
    }
    if (!(error instanceof StoreError)) throw error;
    this.#fail(error.message);
  }

  #fail(text: string): void {
    if (this.session.phase !== "ended") this.#abandon("error", text, false);
  }

  #abandon(outcome: Outcome, text: string, resumable: boolean): void {
    this.#ending = this.#giveUp(outcome, text, resumable);
  }

  async #giveUp(outcome: Outcome, text: string, resumable: boolean): Promise<void> {
    this.session.end();
    this.#socket.acks.length = 0;
    const dump = this.#dump;
    const isLabelled = dump === undefined ||
      await this.#ends.label(dump, this.session, outcome, text, resumable);
    // What could not be labelled is tried again from its journal.
    this.#close(isLabelled && !resumable);
  }

  #flushAcks(): void {
    this.#socket.flush(this.session.ackCopies);
    this.#pace.tell();
  }

  #close(forget: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer();
    this.#socket.close();
    const files = this.#dump?.files;
    void this.#ends.tryOnDisk("close the dump's files", () => {
      if (files === undefined) this.#journal.close({ forget });
      else files.close({ forget });
    });
    this.#reports.notices.sumUp();
    this.#host.closed(this);
  }

  #setTimer(): void {
    this.#cancelTimer();
    // One that is given up is closed when its dump is labelled.
    if (this.#closed || this.session.phase === "ended") return;
    const waitMs = this.session.deadlineMs - this.#host.clock.now();
    // Timers take 31 bits; a far deadline is looked at again on the way.
    if (waitMs === Infinity) return;
    this.#cancelTimer = this.#host.clock.after(Math.min(Math.max(waitMs, 1), 60_000), this.#onTimer);
  }

  readonly #onTimer = async (): Promise<void> => {
    // What has arrived by now counts, also what still waits in the socket.
    await this.#socket.settle();
    if (this.#closed || this.#stopping) return;
    this.endOfBurst();
    if (this.session.phase === "ended") return;
    const due = this.session.due(this.#host.clock.now());
    switch (due.do) {
      case "expire-acks":
        this.session.expireAcks(this.#host.clock.now(), this.#socket.acks);
        this.#recordAcknowledgement();
        this.#flushAcks();
        break;
      case "end":
        this.#abandon(due.reason, due.text, false);
        return;
      case "close":
        this.#close(true);
        return;
      case "nothing":
        break;
    }
    this.#setTimer();
  };

  #recordAcknowledgement(): void {
    try {
      this.#dump?.recordAcknowledgement();
    } catch (error) {
      this.#failFrom(error);
    }
  }
}
