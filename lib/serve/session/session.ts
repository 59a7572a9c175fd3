/**
 * One dump as a state machine: messages and times in, effects out. Owns no socket, file or clock.
 *
 * VMCORE messages, of which there are a hundred thousand a second, take the short way: {@linkcode Session.data}
 * says what to do with one, and {@linkcode Session.stored} is told when its bytes are in the file. All others go
 * through {@linkcode Session.control}, which answers with effects to be performed in order; if one fails, those
 * behind it are left out, so that nothing is acked that is not in its file (P1).
 *
 * @module
 */
import { type Compression, KERNEL_DUMP_HEADER_SIZE } from "../../kerneldump/files/header.ts";
import { MAX_BATCH_SIZE, type Message, MessageType } from "../../protocol/message.ts";
import { AckCopies } from "./ack_copies.ts";
import { Acknowledgement } from "./acknowledgement.ts";
import { judge, type Verdict } from "./completeness.ts";
import { Extents } from "./extents.ts";
import { HeaderPieces, type ReceivedHeader } from "./header.ts";
import { NumberWindow } from "./number_window.ts";

/** Largest key that is taken: 16 times what any kernel sends (reference netdump-protocol.md 4.3). */
export const MOST_KEY_BYTES = 65536;
/** How long a session without data is kept: a kernel has given up on its HERALD after 12 s. */
export const HERALD_PATIENCE_MS = 30_000;
/** Longest life of a session (P7). */
export const MOST_SESSION_MS = 7 * 86_400_000;
/** A message that begins this far beyond all others does not prolong the dump, it points into the void. */
const FAR_BYTES = 64 * 1024 * 1024;

/** Where a session stands. */
export type Phase =
  /** HERALD acked, nothing received. */
  | "heralded"
  | "receiving"
  /** FINISHED came; its files are being made final. */
  | "finishing"
  /** FINISHED acked; repeated messages are acked again. */
  | "finished"
  /** Given up; nothing is acked. */
  | "ended";

/** What to do with a VMCORE message. */
export const enum DataVerdict {
  /** Write it, then call {@linkcode Session.stored}. */
  STORE,
  /** Its number came before: compare it with what is in the file, then call {@linkcode Session.repeated}. */
  COMPARE,
  /** It is in the file already, and final: ack it. */
  ACK,
  /** The client cannot have sent it: ignore it. */
  IMPOSSIBLE,
  /** Nothing. */
  DROP,
  /** End the session: the dump is larger than allowed. */
  TOO_LARGE,
}

/** What a control message leads to. */
export type Effect =
  | { readonly do: "write-header"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly do: "write-key"; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly do: "ack"; readonly seqno: number }
  /** The client cannot have sent it (P6): nothing but a word about it. */
  | { readonly do: "ignore"; readonly why: string }
  /** Make the dump final, then call {@linkcode Session.finalized}. */
  | { readonly do: "finalize"; readonly verdict: Verdict };

/** Why a session is over before it was finished. */
export type EndReason = "timeout" | "error";

/** What {@linkcode Session.due} asks for. */
export type Due =
  | { readonly do: "nothing" }
  /** Call {@linkcode Session.expireAcks}. */
  | { readonly do: "expire-acks" }
  | { readonly do: "end"; readonly reason: EndReason; readonly text: string }
  /** The session has answered long enough. */
  | { readonly do: "close" };

/** Settings of a session. */
export interface SessionSettings {
  readonly heraldSeqno: number;
  /** Silence that ends it. */
  readonly timeoutMs: number;
  readonly lingerMs: number;
  /** Most bytes of the core. */
  readonly mostBytes: number;
}

/** One dump being received. */
export class Session {
  readonly settings: SessionSettings;
  readonly core = new Extents();
  readonly key = new Extents(64);
  readonly acknowledgement: Acknowledgement;
  readonly numbers: NumberWindow;
  /**
   * The dump began beyond offset 0, as a kernel's second dump in one boot can (reference netdump-protocol.md 4.4): what came
   * first is stale and is written again, with other bytes.
   */
  beganStale = false;
  /** VMCORE messages received, and how many of them brought nothing new. */
  messages = 0;
  resends = 0;
  #phase: Phase = "heralded";
  readonly #header = new HeaderPieces();
  readonly #copies = new AckCopies();
  #finishedSeqno: number | undefined;
  readonly #startedMs: number;
  #heardMs: number;
  #progressMs: number;
  #finishedMs = 0;

  constructor(settings: SessionSettings, nowMs: number) {
    this.settings = settings;
    this.acknowledgement = new Acknowledgement(settings.heraldSeqno);
    this.numbers = new NumberWindow(settings.heraldSeqno);
    this.#startedMs = this.#heardMs = this.#progressMs = nowMs;
  }

  /** When a message came last that the client can have sent, in ms. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** When bytes of the core came last that were new, in ms. */
  get progressMs(): number {
    return this.#progressMs;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** How often each ack is to be sent now. */
  get ackCopies(): 1 | 2 {
    return this.#copies.number(this.resends);
  }

  /** The kernel dump header, as far as it came. */
  get header(): ReceivedHeader {
    return this.#header.received;
  }

  /** Whether the dump is encrypted: a key message is proof enough. */
  get encrypted(): boolean {
    const { header } = this;
    return this.key.covered > 0 || (header.kind === "header" && (header.header.dumpKeySize ?? 0) > 0);
  }

  /** The compression that the header tells of: it shows in the name of the core file. */
  get compression(): Compression {
    const { header } = this;
    const compression = header.kind === "header" ? header.header.compression : null;
    return typeof compression === "string" ? compression : "none";
  }

  /** Judges what has been received so far. */
  verdict(): Verdict {
    return judge({ core: this.core, key: this.key, header: this.header });
  }

  /**
   * Tells whether a first message is one that a dump can begin with. Others, empty, with a number that the client cannot
   * be at or pointing beyond what a dump may have, do not even make an empty file (P7).
   */
  canBeginWith(type: MessageType, seqno: number, offset: number, length: number): boolean {
    if (this.numbers.judge(seqno) !== "new") return false;
    const most = type === MessageType.KDH
      ? KERNEL_DUMP_HEADER_SIZE
      : type === MessageType.EKCD_KEY
      ? MOST_KEY_BYTES
      : this.settings.mostBytes;
    return type !== MessageType.HERALD && length > 0 && offset + length <= most;
  }

  /** Says what to do with a VMCORE message; the number of one to be stored is taken. */
  data(seqno: number, offset: number, length: number, nowMs: number): DataVerdict {
    const number = this.numbers.judge(seqno);
    if (number === "impossible") return DataVerdict.IMPOSSIBLE;
    this.#heardMs = nowMs;
    if (this.#phase === "finished") {
      const isKnown = number === "repeated" && this.core.contains(offset, offset + length);
      return isKnown ? DataVerdict.ACK : DataVerdict.DROP;
    }
    if (this.#phase !== "heralded" && this.#phase !== "receiving") return DataVerdict.DROP;
    if (offset + length > this.settings.mostBytes) {
      return offset > this.core.end + FAR_BYTES ? DataVerdict.DROP : DataVerdict.TOO_LARGE;
    }
    this.#phase = "receiving";
    if (number === "repeated") return length === 0 ? DataVerdict.ACK : DataVerdict.COMPARE;
    this.numbers.take(seqno);
    return length === 0 ? DataVerdict.ACK : DataVerdict.STORE;
  }

  /**
   * Notes that a VMCORE message is in the file.
   *
   * @param acks the seqnos that may be acked now are appended
   * @returns false if the dump has more holes than can be kept track of, and must be ended
   */
  stored(seqno: number, offset: number, length: number, nowMs: number, acks: number[]): boolean {
    if (this.messages === 0 && offset > 0) this.beganStale = true;
    const fresh = this.core.add(offset, offset + length);
    if (fresh < 0) return false;
    this.messages++;
    if (fresh === 0) this.#noteResend();
    else {
      this.#progressMs = nowMs;
      this.#copies.noteNew();
    }
    // A kernel's batch has so many messages at most, and what was before it came (reference netdump-protocol.md 3.1).
    this.#copies.exceedsBatch ||=
      this.numbers.judge((seqno - Math.ceil(MAX_BATCH_SIZE / length)) >>> 0) === "new";
    this.acknowledgement.stored(seqno, length, nowMs, acks);
    return true;
  }

  /** Notes that a VMCORE message came again and is equal to what is in the file. */
  repeated(seqno: number, length: number, nowMs: number, acks: number[]): void {
    this.messages++;
    this.#noteResend();
    this.acknowledgement.stored(seqno, length, nowMs, acks);
  }

  /**
   * Takes a message of any type but VMCORE and HERALD.
   *
   * @param acks seqnos of earlier messages that may be acked because of this one are appended
   */
  control(message: Message, nowMs: number, acks: number[]): Effect[] {
    if (this.#phase === "ended") return [];
    switch (message.type) {
      case MessageType.KDH:
        return this.#takePiece(message, KERNEL_DUMP_HEADER_SIZE, nowMs, acks);
      case MessageType.EKCD_KEY:
        return this.#takePiece(message, MOST_KEY_BYTES, nowMs, acks);
      case MessageType.FINISHED:
        return this.#takeFinished(message.seqno, nowMs, acks);
      default:
        return [];
    }
  }

  /** What a piece of the header is beside those that are in. */
  compareHeader(offset: number, bytes: Uint8Array): "new" | "equal" | "different" {
    return this.#header.compare(offset, bytes);
  }

  /** Notes that a piece of the header is in its file. */
  headerStored(offset: number, bytes: Uint8Array): void {
    this.#header.add(offset, bytes);
  }

  /** Notes that a piece of the key is in its file. */
  keyStored(offset: number, length: number): void {
    this.key.add(offset, offset + length);
  }

  /** Notes that the dump is final (P1); returns the ack of FINISHED. */
  finalized(nowMs: number): Effect[] {
    this.#phase = "finished";
    this.#finishedMs = nowMs;
    return [{ do: "ack", seqno: this.#finishedSeqno! }];
  }

  /** The pieces of the header that are in. */
  headerPieces(): { readonly offset: number; readonly bytes: Uint8Array }[] {
    return this.#header.pieces();
  }

  /** Puts a session that was taken up from its journal into its phase (P9). */
  enter(phase: "heralded" | "receiving" | "finished", nowMs: number, finishedSeqno?: number): void {
    this.#phase = phase;
    this.#finishedSeqno = finishedSeqno;
    this.#heardMs = this.#progressMs = this.#finishedMs = nowMs;
  }

  /** Gives the session up: nothing is acked from now on. */
  end(): void {
    this.#phase = "ended";
  }

  /** When {@linkcode due} has something to say, in ms. */
  get deadlineMs(): number {
    switch (this.#phase) {
      case "heralded":
        return this.#startedMs + HERALD_PATIENCE_MS;
      case "receiving":
        return Math.min(
          this.acknowledgement.deadlineMs ?? Infinity,
          this.#heardMs + this.settings.timeoutMs,
          this.#startedMs + MOST_SESSION_MS,
        );
      case "finishing":
        return Infinity;
      case "finished":
        return this.#finishedMs + this.settings.lingerMs;
      default:
        return -Infinity;
    }
  }

  /** Says what the time asks for. */
  due(nowMs: number): Due {
    if (nowMs < this.deadlineMs) return { do: "nothing" };
    if (this.#phase !== "receiving") return { do: "close" };
    if (nowMs >= this.#heardMs + this.settings.timeoutMs) {
      return { do: "end", reason: "timeout", text: "client timed out" };
    }
    if (nowMs >= this.#startedMs + MOST_SESSION_MS) {
      return { do: "end", reason: "error", text: "the dump took too long" };
    }
    return { do: "expire-acks" };
  }

  /** Ends a batch that shows no end, if the silence proves it (see {@linkcode Acknowledgement.expire}). */
  expireAcks(nowMs: number, acks: number[]): void {
    this.acknowledgement.expire(nowMs, acks);
  }

  #noteResend(): void {
    this.resends++;
    this.#copies.noteResend();
  }

  #takePiece(message: Message, most: number, nowMs: number, acks: number[]): Effect[] {
    const { offset, payload, type, seqno } = message;
    const end = offset + payload.byteLength;
    if (end > most || payload.byteLength === 0) return [];
    const number = this.numbers.judge(seqno);
    if (number === "impossible") return [impossible(seqno)];
    this.#heardMs = nowMs;
    const ack: Effect = { do: "ack", seqno };
    const isKnown = type === MessageType.KDH
      ? this.#header.compare(offset, payload) === "equal"
      : this.key.contains(offset, end);
    // A number that came brings only what is there.
    if (number === "repeated" && !isKnown) return [impossible(seqno)];
    // What is final is not written again: what is in it is acked (P1).
    if (this.#phase === "finished") return number === "repeated" ? [ack] : [];
    if (this.#phase === "finishing") return [];
    this.#phase = "receiving";
    if (number === "new") {
      this.numbers.take(seqno);
      this.acknowledgement.other(seqno, acks);
    }
    return [{ do: type === MessageType.KDH ? "write-header" : "write-key", offset, bytes: payload }, ack];
  }

  #takeFinished(seqno: number, nowMs: number, acks: number[]): Effect[] {
    const ack: Effect = { do: "ack", seqno };
    if (this.#phase === "finished" || this.#phase === "finishing") {
      if (seqno !== this.#finishedSeqno) return [impossible(seqno)];
      this.#heardMs = nowMs;
      return this.#phase === "finished" ? [ack] : [];
    }
    // netdumpd's test client ends with the number of its HERALD, 0 (reference netdump-protocol.md 4).
    const isTestClient = seqno === 0 && this.settings.heraldSeqno === 0;
    if (!isTestClient && this.numbers.judge(seqno) !== "new") return [impossible(seqno)];
    this.#heardMs = nowMs;
    this.#finishedSeqno = seqno;
    if (!isTestClient) {
      this.numbers.take(seqno);
      this.acknowledgement.other(seqno, acks);
    }
    if (this.#phase === "heralded") {
      // Nothing was sent, so there is nothing to keep.
      this.#phase = "finished";
      this.#finishedMs = nowMs;
      return [ack];
    }
    this.#phase = "finishing";
    return [{ do: "finalize", verdict: this.verdict() }];
  }
}

function impossible(seqno: number): Effect {
  return { do: "ignore", why: `number ${seqno} is not one that the client can send now` };
}
