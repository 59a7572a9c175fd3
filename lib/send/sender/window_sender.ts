/**
 * The client with a window. It keeps many messages in flight, takes a message for lost when one sent later was
 * acknowledged and the round-trip time is over, and sends everything again that no ack came for in time.
 *
 * @module
 */
import { MessageType } from "../../protocol/message.ts";
import { Flight, MessageState } from "./flight.ts";
import type { Batch } from "./plan.ts";
import { RoundTrip } from "./round_trip.ts";
import { type Counters, type NoAnswer, NOTHING, numberOf, PlanCursor, type Sender } from "./sender.ts";
import type { Window } from "./window.ts";

/** A server may sync gigabytes before it acknowledges FINISHED; the kernel waits as long (section 3.2). */
const FINISHED_PATIENCE_MS = 12_000;
/** Share of the wait that the younger messages of a flight must have been out for when the oldest times out. */
const SAME_FLIGHT = 3 / 4;
/** Datagrams kept for resends, in bytes, and messages at least and at most in windows. */
const SPAN = { bytes: 16 * 1024 * 1024, leastWindows: 2, mostWindows: 16 } as const;

/** How a sender with a window is set up. */
export interface WindowSenderOptions {
  readonly plan: Iterable<Batch>;
  readonly payloadSize: number;
  readonly window: Window;
  /** Resends of a message before giving up. */
  readonly retries: number;
  /** The longest wait before a resend; before anything is measured, the wait. */
  readonly timeoutMs: number;
}

/** The client with a window. */
export class WindowSender implements Sender {
  readonly payloadSize: number;
  readonly precise = false;
  readonly counters: Counters = {
    messages: 0,
    resends: 0,
    acks: 0,
    staleAcks: 0,
    timeouts: 0,
    neverAcknowledged: 0,
  };
  readonly #cursor: PlanCursor;
  readonly #window: Window;
  readonly #roundTrip: RoundTrip;
  readonly #flight: Flight;
  readonly #retries: number;
  readonly #timeoutMs: number;
  #state: "sending" | "finished" | NoAnswer = "sending";
  #acknowledgedInBatch = 0;
  /** Place of the latest transmission known to have arrived. */
  #arrivedOrder = -1;
  /** Doublings of the time-out since an ack last came. */
  #backoff = 0;
  /** Lost messages that go out whatever the window says: a time-out resends all, as the kernel does. */
  #urgent = 0;
  /** The round under way: it ends with the fate of a message sent after this transmission. */
  #round = { end: 0, delivered: 0, lost: 0, used: false };
  #dataBytes = 0;

  constructor(options: WindowSenderOptions) {
    this.payloadSize = options.payloadSize;
    this.#cursor = new PlanCursor(options.plan, options.payloadSize);
    this.#window = options.window;
    this.#retries = options.retries;
    this.#timeoutMs = options.timeoutMs;
    this.#roundTrip = new RoundTrip(options.timeoutMs);
    this.#flight = new Flight(spanFor(options.window.most, options.payloadSize));
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

  get span(): number {
    return this.#flight.span;
  }

  /** Messages that may be in flight now. */
  get windowSize(): number {
    return this.#window.size;
  }

  /** Smoothed round-trip time in ms, if one was measured. */
  get roundTripMs(): number | undefined {
    return this.#roundTrip.smoothedMs;
  }

  get acknowledgedBytes(): number {
    if (this.batch.type !== MessageType.VMCORE) return this.#dataBytes;
    return Math.min(this.batch.sizeBytes, (this.#flight.oldest - this.batchStart) * this.payloadSize);
  }

  acknowledge(seqno: number, nowMs: number): void {
    const flight = this.#flight;
    const number = numberOf(seqno, flight.oldest);
    const state = flight.state(number);
    if (state !== MessageState.IN_FLIGHT && state !== MessageState.LOST) {
      this.counters.staleAcks++;
      return;
    }
    this.counters.acks++;
    this.#backoff = 0;
    this.#urgent = 0;
    this.#measure(number, state, nowMs - flight.sentAt(number));
    flight.acknowledge(number);
    this.#round.delivered++;
    this.#endRound(flight.order(number));
    if (++this.#acknowledgedInBatch === this.#cursor.count) this.#advance();
    else this.#loseOvertaken(nowMs);
  }

  next(nowMs: number, readyOffset: number): number {
    if (this.#state !== "sending") return NOTHING;
    if (nowMs >= this.wakeAt()) {
      this.#loseOvertaken(nowMs);
      this.#loseTimedOut(nowMs);
      if (this.#state !== "sending") return NOTHING;
    }
    const flight = this.#flight;
    if (this.#urgent > 0 && flight.lostSize > 0) {
      this.#urgent--;
      return this.#resend(nowMs);
    }
    if (flight.size >= this.#window.size) {
      this.#round.used = true;
      return NOTHING;
    }
    if (flight.lostSize > 0) return this.#resend(nowMs);
    if (flight.end >= this.batchStart + this.#cursor.count || !flight.hasRoom) return NOTHING;
    if (this.batch.type === MessageType.VMCORE) {
      const end = Math.min(this.batch.sizeBytes, (flight.end + 1 - this.batchStart) * this.payloadSize);
      if (end > readyOffset) return NOTHING;
    }
    this.counters.messages++;
    return flight.sendNew(nowMs);
  }

  wakeAt(): number {
    const earliest = this.#flight.earliest;
    if (earliest === NOTHING || this.#state !== "sending") return Infinity;
    const wait = this.#flight.order(earliest) < this.#arrivedOrder
      ? this.#roundTrip.overtakenMs
      : this.#waitMs();
    return this.#flight.sentAt(earliest) + wait;
  }

  #resend(nowMs: number): number {
    this.counters.resends++;
    return this.#flight.sendLost(nowMs);
  }

  /** How long to wait for the ack of a message that no later one overtook. */
  #waitMs(): number {
    // The HERALD's and FINISHED's acks wait for names, files and disks, and measure no round trip.
    if (!this.#measures) return this.#timeoutMs;
    return Math.min(this.#timeoutMs, this.#roundTrip.timeoutMs * 2 ** this.#backoff);
  }

  get #measures(): boolean {
    return this.batch.type !== MessageType.HERALD && this.batch.type !== MessageType.FINISHED;
  }

  #measure(number: number, state: MessageState, elapsedMs: number): void {
    const flight = this.#flight;
    if (!this.#measures) return;
    if (flight.tries(number) === 1 && state === MessageState.IN_FLIGHT) this.#roundTrip.sample(elapsedMs);
    // An ack that comes sooner after a resend than any round trip took is that of an earlier transmission.
    const late = state === MessageState.LOST ||
      (flight.tries(number) > 1 && elapsedMs < this.#roundTrip.leastMs);
    if (late) {
      this.#roundTrip.onLateAck();
      this.#window.onLateAck();
    } else {
      this.#arrivedOrder = Math.max(this.#arrivedOrder, flight.order(number));
    }
  }

  /** Gives up messages for lost that others overtook. */
  #loseOvertaken(nowMs: number): void {
    const flight = this.#flight;
    for (let number = flight.earliest; number !== NOTHING; number = flight.earliest) {
      if (flight.order(number) >= this.#arrivedOrder) return;
      if (nowMs < flight.sentAt(number) + this.#roundTrip.overtakenMs) return;
      this.#lose(number);
    }
  }

  /** Gives up messages for lost that no ack came for in time; or the whole dump, if that happened too often. */
  #loseTimedOut(nowMs: number): void {
    const flight = this.#flight;
    const waitMs = this.#waitMs();
    if (flight.earliest === NOTHING || nowMs < flight.sentAt(flight.earliest) + waitMs) return;
    for (let number = flight.earliest; number !== NOTHING; number = flight.earliest) {
      // What left a little later left in the same flight: one time-out for all of it.
      if (nowMs < flight.sentAt(number) + waitMs * SAME_FLIGHT) break;
      if (this.#isHopeless(number, nowMs)) {
        this.#giveUp(number, nowMs);
        return;
      }
      this.#lose(number);
    }
    this.counters.timeouts++;
    this.#urgent = flight.lostSize;
    this.#backoff++;
    this.#window.onTimeout();
  }

  #isHopeless(number: number, nowMs: number): boolean {
    const patienceMs = (this.#retries + 1) * this.#timeoutMs;
    const leastMs = this.batch.type === MessageType.FINISHED ? FINISHED_PATIENCE_MS : 0;
    return this.#flight.tries(number) > this.#retries &&
      nowMs - this.#flight.firstSentAt(number) >= Math.max(patienceMs, leastMs);
  }

  #giveUp(number: number, nowMs: number): void {
    this.#state = {
      type: this.batch.type,
      offset: this.batch.offset + (number - this.batchStart) * this.payloadSize,
      tries: this.#flight.tries(number),
      waitedMs: nowMs - this.#flight.firstSentAt(number),
    };
  }

  #lose(number: number): void {
    this.#flight.lose(number);
    this.#round.lost++;
    this.#endRound(this.#flight.order(number));
  }

  #endRound(order: number): void {
    const round = this.#round;
    if (order < round.end) return;
    this.#window.onRound(round.delivered, round.lost, round.used, this.#roundTrip.leastMs);
    round.end = this.#flight.transmissions;
    round.delivered = 0;
    round.lost = 0;
    round.used = false;
  }

  #advance(): void {
    this.#dataBytes = this.acknowledgedBytes;
    this.#acknowledgedInBatch = 0;
    // A batch begins with a full window, not with the first of its acks.
    this.#round = { end: this.#flight.transmissions + this.#window.size, delivered: 0, lost: 0, used: false };
    if (!this.#cursor.advance()) this.#state = "finished";
  }
}

/** Messages to keep: enough that one lost again and again does not hold up the others, within bounds. */
function spanFor(window: number, payloadSize: number): number {
  const affordable = Math.max(SPAN.leastWindows * window, Math.floor(SPAN.bytes / payloadSize));
  return 2 ** Math.ceil(Math.log2(Math.min(SPAN.mostWindows * window, affordable)));
}
