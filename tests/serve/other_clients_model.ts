/**
 * Clients that are no kernels, in simulated time: netdumpd's own test client, and one with a sliding window.
 *
 * @module
 */
import { type Message, MessageType } from "../../lib/protocol/message.ts";
import type { SimulatedTime } from "./simulated_time.ts";

/** Settings of a client with a sliding window. */
export interface SlidingSettings {
  /** Most messages between the first that is not acked and the last sent; or in flight. */
  readonly window: number;
  readonly slides: "in-order" | "in-flight";
  readonly payloadSize: number;
  readonly messages: number;
  /** Wait for an ack before its message is sent again; `undefined` for never. */
  readonly resendMs: number | undefined;
  readonly heraldSeqno: number;
}

/** A client whose window slides over full messages. */
export class SlidingClient {
  finished = false;
  /** Times that a message waited in vain, one after another. */
  timeouts = 0;
  /** When the last of them was. */
  lastTimeoutMs = 0;
  readonly #time: SimulatedTime;
  readonly #send: (message: Message) => void;
  readonly #settings: SlidingSettings;
  readonly #payload: Uint8Array;
  readonly #acked = new Set<number>();
  /** HERALD is 0, VMCORE messages come next, and FINISHED is last. */
  #lowest = 0;
  #next = 0;

  constructor(time: SimulatedTime, send: (message: Message) => void, settings: SlidingSettings) {
    this.#time = time;
    this.#send = send;
    this.#settings = settings;
    this.#payload = new Uint8Array(settings.payloadSize).fill(1);
  }

  /** Begins with the HERALD. */
  start(): void {
    this.#fill();
  }

  /** Takes an ack. */
  receive(seqno: number): void {
    this.#acked.add(seqno - this.#settings.heraldSeqno);
    while (this.#acked.has(this.#lowest)) this.#lowest++;
    if (this.#lowest === this.#settings.messages + 2) this.finished = true;
    else this.#fill();
  }

  #fill(): void {
    while (this.#mayGoOn()) this.#transmit(this.#next++);
  }

  /** HERALD and FINISHED go alone. */
  #mayGoOn(): boolean {
    const { window, slides, messages } = this.#settings;
    const isAlone = this.#next <= 1 || this.#next === messages + 1;
    if (isAlone || this.#next > messages + 1) {
      return this.#next <= messages + 1 && this.#lowest === this.#next;
    }
    const used = slides === "in-order" ? this.#next - this.#lowest : this.#next - this.#acked.size;
    return used < window;
  }

  #transmit(number: number): void {
    const { heraldSeqno, payloadSize, messages, resendMs } = this.#settings;
    const type = number === 0
      ? MessageType.HERALD
      : number > messages
      ? MessageType.FINISHED
      : MessageType.VMCORE;
    const isData = type === MessageType.VMCORE;
    this.#send({
      type,
      seqno: heraldSeqno + number,
      offset: isData ? (number - 1) * payloadSize : 0,
      payload: isData ? this.#payload : new Uint8Array(),
    });
    if (resendMs === undefined) return;
    this.#time.after(resendMs, () => {
      if (this.#acked.has(number)) return;
      // A flight that waits in vain is one time-out.
      if (this.#time.nowMs - this.lastTimeoutMs > resendMs / 2) {
        this.timeouts++;
        this.lastTimeoutMs = this.#time.nowMs;
      }
      this.#transmit(number);
    });
  }
}
