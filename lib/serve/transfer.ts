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
} from "../protocol/message.ts";
import { AckSender } from "./ack_sender.ts";
import type { DumpFiles } from "./dump_files.ts";
import { compressionOf, describeDump, type DumpInHand, finalCoreBytes, infoText } from "./dump_record.ts";
import type { LinkRequest } from "./dump_files.ts";
import { describeError } from "./file_system.ts";
import { encodeHex, type SessionIdentity } from "./journal.ts";
import type { ClientName, Outcome, Report } from "./orders.ts";
import { condense } from "./resume.ts";
import { RunBuffer } from "./run_buffer.ts";
import { DataVerdict, type Effect, type Session } from "./session.ts";
import type { Verdict } from "./completeness.ts";

/** The disk is looked at each time a dump has grown by so much. */
const SPACE_CHECK_BYTES = 4 * 1024 * 1024;
/** A journal longer than this is condensed. */
const LONG_JOURNAL_BYTES = 1024 * 1024;
/** Datagrams taken from one socket before timers, orders and other sockets get their turn. */
const DATAGRAMS_PER_TURN = 512;

/** What a transfer needs of the receiver it lives in. */
export interface TransferHost {
  /** Monotonic time in ms. */
  now(): number;
  report(report: Report): void;
  /** Calls {@linkcode Transfer.endOfBurst} once the datagrams at hand are received. */
  scheduleFlush(transfer: Transfer): void;
  /** Resolves after the event loop has gone round. */
  turn(): Promise<void>;
  link(request: LinkRequest): Promise<void>;
  /** Creates the dump's files; throws the file system's errors. */
  createFiles(identity: SessionIdentity, name: ClientName): DumpFiles;
  /** Bytes that may still be written to the disk. */
  spareBytes(): number;
  /** A dump is final. */
  completed(files: DumpFiles): void;
  /** The transfer's socket is closed and its place free. */
  closed(transfer: Transfer): void;
}

/** A session with its socket and its files. */
export class Transfer {
  readonly identity: SessionIdentity;
  readonly session: Session;
  readonly #host: TransferHost;
  readonly #socket: Deno.DatagramConn;
  readonly #ackPort: number;
  readonly #acks: AckSender;
  readonly #buffer = new RunBuffer();
  readonly #name: Promise<ClientName>;
  #knownName: ClientName | undefined;
  #files: DumpFiles | undefined;
  #spaceCheckedAt = 0;
  #progressBytes = 0;
  #journalLimit = LONG_JOURNAL_BYTES;
  #foreign = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopping = false;
  #closed = false;
  #finalizing: Promise<void> | undefined;

  /**
   * @param name resolves within the time that a first ack may be delayed for DNS (P2)
   * @param files those of a session taken up again
   */
  constructor(
    host: TransferHost,
    socket: Deno.DatagramConn,
    identity: SessionIdentity,
    session: Session,
    ackPort: number,
    name: Promise<ClientName>,
    files?: { readonly open: DumpFiles; readonly name: ClientName },
  ) {
    this.#host = host;
    this.#socket = socket;
    this.identity = identity;
    this.session = session;
    this.#ackPort = ackPort;
    this.#name = name;
    this.#files = files?.open;
    this.#knownName = files?.name;
    const to: Deno.NetAddr = { transport: "udp", hostname: identity.client, port: ackPort };
    this.#acks = new AckSender(socket, to, (error) => {
      if (!this.#closed) this.#notice("debug", `an ack could not be sent: ${describeError(error)}`);
    });
  }

  /** Acks the HERALD, or a repeated one. */
  ackHerald(): void {
    this.#acks.queue.push(this.identity.heraldSeqno);
    this.#acks.flush(1);
  }

  /** Receives until the socket is closed. */
  async run(): Promise<void> {
    this.#setTimer();
    const { datagram } = this.#buffer;
    for (let count = 1; !this.#closed; count++) {
      try {
        const [received, from] = await this.#socket.receive(datagram);
        const opening = this.#take(received.byteLength, from as Deno.NetAddr);
        if (opening !== undefined) await opening;
      } catch (error) {
        if (this.#closed) return;
        // An ICMP error, on systems that report it here, is anybody's word: it ends nothing (weakness 16).
        this.#notice("debug", `receive failed: ${describeError(error)}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      if (count % DATAGRAMS_PER_TURN === 0) await this.#host.turn();
    }
  }

  /** Writes the run at hand and sends the acks that are due. */
  endOfBurst(): void {
    if (this.#closed) return;
    this.#writeRun();
    this.#acks.flush(this.session.acksTwice ? 2 : 1);
    if (this.session.acknowledgement.deadlineMs !== undefined) this.#setTimer();
  }

  /** Ends an open session because the server stops: it is labelled, and can be taken up again (P9, P10). */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#finalizing;
    if (this.session.phase === "receiving") {
      this.#writeRun();
      this.#acks.flush(1);
    }
    if (this.session.phase === "receiving") await this.#abandon("error", "the server was stopped", true);
    else this.#close(false);
  }

  /** Closes a session that has no data yet, or is finished, to make room. */
  evict(): void {
    if (this.session.phase === "heralded" || this.session.phase === "finished") this.#close(true);
  }

  /** Makes a dump final whose server was killed while it did so. */
  finalizeAgain(seqno: number): void {
    const message: Message = { type: MessageType.FINISHED, seqno, offset: 0, payload: new Uint8Array() };
    this.#control(message);
  }

  /** Whether the session has files and data. */
  get hasData(): boolean {
    return this.#files !== undefined;
  }

  /** Tells how far the dump is, if it got further. */
  reportProgress(): void {
    const { covered } = this.session.core;
    if (this.session.phase !== "receiving" || covered === this.#progressBytes) return;
    this.#progressBytes = covered;
    this.#host.report({ report: "progress", dump: describeDump(this.#dump()) });
  }

  /** Tells that the dump has files, and what it is. */
  reportStarted(resumed: boolean): void {
    const dump = this.#dump();
    this.#files?.writeInfo(infoText(dump, null, null));
    this.#host.report({ report: "started", dump: describeDump(dump), resumed });
  }

  /** One datagram; the promise is only there while the first data waits for the client's name. */
  #take(size: number, from: Deno.NetAddr): Promise<void> | undefined {
    if (from.port !== this.#ackPort || from.hostname !== this.identity.client) {
      this.#ignoreForeign(from);
      return undefined;
    }
    const { view } = this.#buffer;
    const error = checkHeader(view, 0, size);
    if (error !== undefined) {
      this.#notice("debug", `ignored a datagram of ${size} bytes: ${error}`);
      return undefined;
    }
    const type = view.getUint32(HeaderField.TYPE);
    if (this.#files === undefined && this.session.phase === "heralded" && type !== MessageType.FINISHED) {
      return this.#openThenDispatch(type, size);
    }
    this.#dispatch(type, size);
    return undefined;
  }

  async #openThenDispatch(type: number, size: number): Promise<void> {
    if (type === MessageType.HERALD || !this.#worthFiles(type, size)) return;
    this.#knownName ??= await this.#name;
    if (this.#closed) return;
    try {
      this.#files = this.#host.createFiles(this.identity, this.#knownName);
      this.reportStarted(false);
    } catch (error) {
      this.session.end();
      this.#host.report({
        report: "refused",
        id: this.identity.id,
        reason: `cannot create the dump's files: ${describeError(error)}`,
      });
      this.#close(true);
      return;
    }
    this.#dispatch(type, size);
    this.#setTimer();
  }

  /** A first message that points beyond what a dump may have does not even make an empty file (P7). */
  #worthFiles(type: number, size: number): boolean {
    const end = readOffset(this.#buffer.view, 0) + size - HEADER_SIZE;
    return type !== MessageType.VMCORE || end <= this.session.settings.mostBytes;
  }

  #dispatch(type: number, size: number): void {
    const { view, datagram } = this.#buffer;
    const seqno = view.getUint32(HeaderField.SEQNO);
    const offset = readOffset(view, 0);
    if (type === MessageType.VMCORE) this.#data(seqno, offset, size - HEADER_SIZE);
    else if (type !== MessageType.HERALD) {
      const payload = datagram.subarray(HEADER_SIZE, size);
      this.#control({ type: type as MessageType, seqno, offset, payload });
    }
  }

  #data(seqno: number, offset: number, length: number): void {
    switch (this.session.data(offset, length, this.#host.now())) {
      case DataVerdict.STORE:
        if (!this.#buffer.fits(seqno, offset, length)) this.endOfBurst();
        this.#buffer.add(seqno, offset, length);
        this.#host.scheduleFlush(this);
        return;
      case DataVerdict.ACK:
        this.#acks.queue.push(seqno);
        this.#host.scheduleFlush(this);
        return;
      case DataVerdict.TOO_LARGE:
        this.#writeRun();
        this.#fail(`the dump exceeds the limit of ${this.session.settings.mostBytes} bytes`);
        return;
      case DataVerdict.DROP:
        return;
    }
  }

  #writeRun(): void {
    const run = this.#buffer;
    const files = this.#files;
    if (run.count === 0 || files === undefined || this.session.phase !== "receiving") return run.clear();
    const nowMs = this.#host.now();
    try {
      this.#checkSpace(run.offset + run.length);
      files.writeCore(run.bytes, run.words, run.runAt, run.length, run.offset);
      files.journal.append({ run: [run.offset, run.length, run.seqno, run.count, run.full] });
    } catch (error) {
      run.clear();
      this.#fail(`write error at offset ${run.offset}: ${describeError(error)}`);
      return;
    }
    for (let i = 0, offset = run.offset; i < run.count; i++) {
      const length = run.sizeOf(i);
      if (!this.session.stored(run.seqno + i, offset, length, nowMs, this.#acks.queue)) {
        run.clear();
        this.#fail("the dump has too many holes");
        return;
      }
      offset += length;
    }
    run.clear();
    files.syncAsItGrows((error) => this.#fail(`sync error: ${describeError(error)}`));
    if (files.journal.size > this.#journalLimit) this.#condenseJournal(files);
  }

  #checkSpace(end: number): void {
    if (end - this.#spaceCheckedAt < SPACE_CHECK_BYTES) return;
    this.#spaceCheckedAt = end;
    if (this.#host.spareBytes() <= 0) throw new Error("the disk has no more than the space to be kept free");
  }

  #condenseJournal(files: DumpFiles): void {
    const records = condense(this.session);
    if (records === undefined) return;
    try {
      files.journal.rewrite(this.#head(files), [{ index: files.index }, ...records]);
      this.#journalLimit = Math.max(LONG_JOURNAL_BYTES, 2 * files.journal.size);
    } catch (error) {
      this.#notice("debug", `the journal cannot be condensed: ${describeError(error)}`);
      this.#journalLimit *= 2;
    }
  }

  #head(files: DumpFiles) {
    const hostName = this.#knownName?.hostName ?? null;
    return { format: 1, session: this.identity, place: files.place, hostName } as const;
  }

  #control(message: Message): void {
    this.#writeRun();
    const effects = this.session.control(message, this.#host.now(), this.#acks.queue);
    for (const effect of effects) {
      try {
        this.#perform(effect, message);
      } catch (error) {
        const what = message.type === MessageType.KDH ? "header" : "key";
        this.#fail(`cannot write the ${what}: ${describeError(error)}`);
        return;
      }
    }
    if (message.type === MessageType.FINISHED && this.#files === undefined && effects.length > 0) {
      this.#host.report({ report: "empty", id: this.identity.id });
    }
    this.#acks.flush(this.session.acksTwice ? 2 : 1);
    this.#setTimer();
  }

  #perform(effect: Effect, { seqno }: Message): void {
    const files = this.#files;
    switch (effect.do) {
      case "write-header":
        files?.writeHeader(effect.offset, effect.bytes);
        files?.journal.append({ header: [seqno, effect.offset, encodeHex(effect.bytes)] });
        this.session.headerStored(effect.offset, effect.bytes);
        this.#reportHeader();
        return;
      case "write-key": {
        const first = this.session.key.covered === 0;
        files?.writeKey(effect.offset, effect.bytes);
        files?.journal.append({ key: [seqno, effect.offset, effect.bytes.byteLength] });
        this.session.keyStored(effect.offset, effect.bytes.byteLength);
        if (first) this.#host.report({ report: "key", dump: describeDump(this.#dump()) });
        return;
      }
      case "ack":
        this.#acks.queue.push(effect.seqno);
        return;
      case "finalize":
        this.#finalizing = this.#finalize(seqno, effect.verdict);
        return;
    }
  }

  #reportHeader(): void {
    const { header } = this.session;
    if (header === null) return;
    const dump = this.#dump();
    this.#files?.writeInfo(infoText(dump, null, null));
    const problem = typeof header === "string" ? header : header.parityOk ? null : "its parity is wrong";
    this.#host.report({ report: "header", dump: describeDump(dump), problem });
  }

  async #finalize(seqno: number, verdict: Verdict): Promise<void> {
    const files = this.#files;
    if (files === undefined) return;
    try {
      files.journal.append({ finished: seqno });
      const ending = verdict.complete ? "Dump complete" : `Dump incomplete: ${verdict.reason}`;
      await files.finalize({
        complete: verdict.complete,
        encrypted: this.session.encrypted,
        compression: compressionOf(this.session),
        coreBytes: finalCoreBytes(this.session, files),
        info: infoText(this.#dump(), verdict, ending),
      }, (request) => this.#host.link(request));
    } catch (error) {
      await this.#abandon("error", `cannot make the dump final: ${describeError(error)}`, false);
      return;
    }
    for (const effect of this.session.finalized(this.#host.now())) {
      if (effect.do === "ack") this.#acks.queue.push(effect.seqno);
    }
    this.#acks.flush(this.session.acksTwice ? 2 : 1);
    this.#setTimer();
    this.#reportFinished(verdict.complete ? "success" : "error", verdict, verdict.reason, false);
    if (verdict.complete) this.#host.completed(files);
  }

  #fail(text: string): void {
    if (this.session.phase !== "ended") void this.#abandon("error", text, false);
  }

  async #abandon(outcome: Outcome, text: string, resumable: boolean): Promise<void> {
    this.session.end();
    this.#acks.queue.length = 0;
    const verdict = this.session.verdict();
    const error = await this.#files?.abandon(
      this.session.encrypted,
      infoText(this.#dump(), verdict, `Dump incomplete: ${text}`),
    );
    if (error !== undefined) this.#notice("warning", `cannot label the dump: ${describeError(error)}`);
    this.#reportFinished(outcome, verdict, text, resumable);
    this.#close(!resumable);
  }

  #reportFinished(outcome: Outcome, verdict: Verdict, reason: string | null, resumable: boolean): void {
    this.#host.report({
      report: "finished",
      dump: describeDump(this.#dump()),
      outcome,
      complete: outcome === "success",
      reason,
      missing: verdict.missing,
      resumable,
    });
  }

  #dump(): DumpInHand {
    return {
      identity: this.identity,
      name: this.#knownName!,
      session: this.session,
      files: this.#files!,
      durationMs: Date.now() - this.identity.startedMs,
    };
  }

  #close(forget: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.close();
    try {
      this.#files?.close({ forget });
    } catch (error) {
      this.#notice("warning", `cannot close the dump's files: ${describeError(error)}`);
    }
    this.#host.closed(this);
  }

  #setTimer(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const waitMs = this.session.deadlineMs - this.#host.now();
    // Timers take 31 bits; a far deadline is looked at again on the way.
    if (waitMs !== Infinity) this.#timer = setTimeout(this.#onTimer, Math.min(Math.max(waitMs, 1), 60_000));
  }

  readonly #onTimer = async (): Promise<void> => {
    // What has arrived by now counts, also what still waits in the socket.
    await this.#host.turn();
    await this.#host.turn();
    if (this.#closed || this.#stopping) return;
    this.endOfBurst();
    const due = this.session.due(this.#host.now());
    switch (due.do) {
      case "expire-acks":
        this.session.expireAcks(this.#host.now(), this.#acks.queue);
        this.#recordAcknowledgement();
        this.#acks.flush(this.session.acksTwice ? 2 : 1);
        break;
      case "end":
        await this.#abandon(due.reason, due.text, false);
        return;
      case "close":
        this.#close(true);
        return;
      case "nothing":
        break;
    }
    this.#setTimer();
  };

  /** An end of a batch that silence proved is not to be seen in the journal's runs. */
  #recordAcknowledgement(): void {
    const { state } = this.session.acknowledgement;
    try {
      if (state !== undefined) this.#files?.journal.append({ acknowledgement: state });
    } catch (error) {
      this.#fail(`cannot write the journal: ${describeError(error)}`);
    }
  }

  #ignoreForeign(from: Deno.NetAddr): void {
    this.#foreign++;
    if (this.#foreign === 1) {
      this.#notice("warning", `ignored a datagram from ${from.hostname}:${from.port}, who is not the client`);
    }
  }

  #notice(level: "debug" | "warning", text: string): void {
    this.#host.report({ report: "notice", level, id: this.identity.id, text });
  }
}
