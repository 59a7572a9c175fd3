/**
 * What the two clients have in common: the one with a window and the kernel's. A sender is pure: acks and times go
 * in, the numbers of the messages to send come out; it touches no socket, file or clock.
 *
 * @module
 */
import type { MessageType } from "../../protocol/message.ts";
import { type Batch, messageCount } from "./plan.ts";

/** What {@linkcode Sender.next} returns when there is nothing to send at this time. */
export const NOTHING = -1;

/** Seqno of the first message, the HERALD (reference netdump-protocol.md, section 2). */
const FIRST_SEQNO = 1;

/** Why a dump was given up: a message was sent again and again and never acknowledged. */
export interface NoAnswer {
  readonly type: MessageType;
  readonly offset: number;
  /** How often it was sent. */
  readonly tries: number;
  readonly waitedMs: number;
}

/** What a sender counts. */
export interface Counters {
  /** Messages sent at least once. */
  messages: number;
  /** Messages sent again. */
  resends: number;
  /** Acks that told something new. */
  acks: number;
  /** Acks of messages already acknowledged, or never sent. */
  staleAcks: number;
  /** Times that waiting for an ack came to nothing. */
  timeouts: number;
  /** Messages taken for acknowledged though no ack of theirs came: the kernel's 32-bit masks (section 3.3). */
  neverAcknowledged: number;
}

/** A client as a state machine. Messages are numbered from 0, the HERALD, through the whole dump. */
export interface Sender {
  readonly state: "sending" | "finished" | NoAnswer;
  /** The batch under way: every message that may be sent belongs to it. */
  readonly batch: Batch;
  /** Number of the batch's first message. */
  readonly batchStart: number;
  readonly payloadSize: number;
  /** Most messages between the first that is not acknowledged and the last sent: their datagrams must be kept. */
  readonly span: number;
  readonly counters: Readonly<Counters>;
  /** Bytes of dump data acknowledged without a gap. */
  readonly acknowledgedBytes: number;
  /** Takes in an ack. */
  acknowledge(seqno: number, nowMs: number): void;
  /**
   * The next message to send now, or {@linkcode NOTHING}.
   *
   * @param readyOffset how far the dump data has been read: nothing beyond is offered
   */
  next(nowMs: number, readyOffset: number): number;
  /** When to ask again if no ack comes before, in ms; `Infinity` if only an ack can change anything. */
  wakeAt(): number;
  /** Whether {@linkcode Sender.wakeAt} is meant to a fraction of a millisecond. */
  readonly precise: boolean;
}

/** Seqno of a message; u32, so it wraps after 2^32 messages. */
export function seqnoOf(number: number): number {
  return (number + FIRST_SEQNO) >>> 0;
}

/** The first message from `oldest` on that has a seqno. */
export function numberOf(seqno: number, oldest: number): number {
  return oldest + ((seqno - seqnoOf(oldest)) >>> 0);
}

/** Offset within its batch of a batch's message. */
export function offsetInBatch(sender: Sender, number: number): number {
  return (number - sender.batchStart) * sender.payloadSize;
}

/** Bytes of payload of a batch's message. */
export function payloadSizeOf(sender: Sender, number: number): number {
  return Math.min(sender.payloadSize, sender.batch.sizeBytes - offsetInBatch(sender, number));
}

/** A walk through a plan: the batch under way and where its messages are in the numbering. */
export class PlanCursor {
  readonly #plan: Iterator<Batch>;
  readonly #payloadSize: number;
  #batch: Batch;
  #start = 0;
  #count: number;

  /** @throws {RangeError} if the plan is empty */
  constructor(plan: Iterable<Batch>, payloadSize: number) {
    this.#plan = plan[Symbol.iterator]();
    this.#payloadSize = payloadSize;
    const first = this.#plan.next();
    if (first.done) throw new RangeError("Cannot send: the plan is empty");
    this.#batch = first.value;
    this.#count = messageCount(this.#batch.sizeBytes, payloadSize);
  }

  get batch(): Batch {
    return this.#batch;
  }

  /** Number of the batch's first message. */
  get start(): number {
    return this.#start;
  }

  /** Messages in the batch. */
  get count(): number {
    return this.#count;
  }

  /** Goes to the next batch; `false` if there is none. */
  advance(): boolean {
    const { done, value } = this.#plan.next();
    if (done) return false;
    this.#batch = value;
    this.#start += this.#count;
    this.#count = messageCount(value.sizeBytes, this.#payloadSize);
    return true;
  }
}
