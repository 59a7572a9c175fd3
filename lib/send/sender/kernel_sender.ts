/**
 * The FreeBSD kernel's send loop, imitated exactly: batches without a window, polls every half millisecond, resends of
 * the whole batch after a second of silence, and masks of 32 bits for up to 64 acks (reference
 * netdump-protocol.md, sections 3.1 to 3.3).
 *
 * @module
 */
import { MessageType } from "../../protocol/message.ts";
import type { Batch } from "./plan.ts";
import { type Counters, type NoAnswer, NOTHING, PlanCursor, type Sender, seqnoOf } from "./sender.ts";

/** The kernel's pause after each poll. */
export const POLL_INTERVAL_MS = 0.5;
/** net.netdump.polls; the loop compares after incrementing, so that one poll more passes. */
export const DEFAULT_POLLS = 2000;
/** Acks this far from the batch's first seqno count; the rest are "too far in future". */
const MAX_IN_FLIGHT = 64;

/** Messages whose late acks are still waited for, for the count of those that never come. */
const MAX_UNCONFIRMED = 4096;

/** How an imitated kernel is set up. */
export interface KernelSenderOptions {
  readonly plan: Iterable<Batch>;
  readonly payloadSize: number;
  /** net.netdump.retries; two transmissions more are made (section 3.2). */
  readonly retries: number;
  /** net.netdump.polls: one poll more is made before a resend. */
  readonly polls: number;
}

/** The kernel's client. */
export class KernelSender implements Sender {
  readonly payloadSize: number;
  readonly span: number;
  readonly precise = true;
  readonly counters: Counters = {
    messages: 0,
    resends: 0,
    acks: 0,
    staleAcks: 0,
    timeouts: 0,
    neverAcknowledged: 0,
  };
  readonly #cursor: PlanCursor;
  readonly #retries: number;
  readonly #waitMs: number;
  #state: "sending" | "finished" | NoAnswer = "sending";
  /** Index in the batch of the message to send next; the batch's count once all are sent. */
  #index = 0;
  /** Resends of the batch so far. */
  #resends = 0;
  #startedAt = 0;
  /** When the first poll after the last transmission was made. */
  #pollingSince = 0;
  /** When the loop will notice that the masks are equal. */
  #noticedAt = Infinity;
  /**
   * The masks of the kernel. They are 64 bits wide, but built from `1 << i` on a 32-bit int: message i + 32 sets the
   * bit of message i, and message 31, by sign extension, all bits from 31 up. So 32 bits hold all they can say.
   */
  #wanted = 0;
  #received = 0;
  /** What really was acknowledged in this batch, which the kernel does not know. */
  readonly #acknowledged = new Set<number>();
  /** Messages of earlier batches that no ack came for yet. */
  readonly #unconfirmed = new Set<number>();
  #dataBytes = 0;

  constructor(options: KernelSenderOptions) {
    this.payloadSize = options.payloadSize;
    this.#cursor = new PlanCursor(options.plan, options.payloadSize);
    this.#retries = options.retries;
    this.#waitMs = (options.polls + 1) * POLL_INTERVAL_MS;
    this.span = 2 ** Math.ceil(Math.log2(65536 / options.payloadSize + 1));
  }

  get state(): "sending" | "finished" | NoAnswer {
    return this.#state;
  }

  get batch(): Batch {
    return this.#cursor.batch;
  }

  get batchStart(): number {
    return this.#cursor.start;
  }

  get acknowledgedBytes(): number {
    return this.#dataBytes;
  }

  acknowledge(seqno: number, nowMs: number): void {
    const index = seqno - seqnoOf(this.batchStart);
    if (this.#state !== "sending" || index < 0 || index >= MAX_IN_FLIGHT || this.#acknowledged.has(index)) {
      this.counters.staleAcks++;
      if (this.#unconfirmed.delete(this.batchStart + index)) this.counters.neverAcknowledged--;
      return;
    }
    this.counters.acks++;
    this.#acknowledged.add(index);
    this.#received |= 1 << index;
    if (this.#index >= this.#cursor.count) this.#notice(nowMs);
  }

  next(nowMs: number, readyOffset: number): number {
    if (nowMs >= this.wakeAt()) this.#wake(nowMs);
    const { count, start, batch } = this.#cursor;
    if (this.#state !== "sending" || this.#index >= count) return NOTHING;
    if (this.#index === 0 && this.#resends === 0) {
      // The kernel has the whole batch in its buffer before it sends any of it.
      if (batch.type === MessageType.VMCORE && batch.offset + batch.sizeBytes > readyOffset) return NOTHING;
      this.#startedAt = nowMs;
    }
    this.#skipReceived();
    const index = this.#index;
    if (index >= count) {
      this.#startPolling(nowMs);
      return NOTHING;
    }
    this.#wanted |= 1 << index;
    if (this.#resends === 0) this.counters.messages++;
    else this.counters.resends++;
    this.#index++;
    if (this.#index >= count) this.#startPolling(nowMs);
    return start + index;
  }

  wakeAt(): number {
    if (this.#state !== "sending" || this.#index < this.#cursor.count) return Infinity;
    return Math.min(this.#noticedAt, this.#pollingSince + this.#waitMs);
  }

  /** Messages whose bit is set are not sent again, whosever ack set it. */
  #skipReceived(): void {
    while (this.#index < this.#cursor.count && (this.#received & (1 << this.#index)) !== 0) this.#index++;
  }

  #startPolling(nowMs: number): void {
    this.#pollingSince = nowMs;
    this.#notice(nowMs);
  }

  /** The loop compares the masks, polls, pauses: an ack is taken in by the next poll and noticed after its pause. */
  #notice(nowMs: number): void {
    if (this.#received !== this.#wanted) {
      this.#noticedAt = Infinity;
      return;
    }
    const polls = Math.ceil((nowMs - this.#pollingSince) / POLL_INTERVAL_MS);
    this.#noticedAt = this.#pollingSince + (polls + 1) * POLL_INTERVAL_MS;
  }

  #wake(nowMs: number): void {
    if (nowMs >= this.#noticedAt) {
      this.#advance();
    } else if (this.#resends > this.#retries) {
      const { type, offset } = this.batch;
      this.#state = { type, offset, tries: this.#resends + 1, waitedMs: nowMs - this.#startedAt };
    } else {
      this.counters.timeouts++;
      this.#resends++;
      this.#index = 0;
    }
  }

  #noteUnconfirmed(): void {
    for (let index = 0; index < this.#cursor.count; index++) {
      if (this.#acknowledged.has(index)) continue;
      this.#unconfirmed.add(this.batchStart + index);
      this.counters.neverAcknowledged++;
    }
    for (const number of this.#unconfirmed) {
      if (this.#unconfirmed.size <= MAX_UNCONFIRMED) break;
      this.#unconfirmed.delete(number);
    }
  }

  #advance(): void {
    this.#noteUnconfirmed();
    if (this.batch.type === MessageType.VMCORE) this.#dataBytes += this.batch.sizeBytes;
    this.#acknowledged.clear();
    this.#wanted = 0;
    this.#received = 0;
    this.#resends = 0;
    this.#index = 0;
    this.#noticedAt = Infinity;
    if (!this.#cursor.advance()) this.#state = "finished";
  }
}
