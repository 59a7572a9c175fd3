/**
 * A server that acks each packet as soon as it is stored, as netdumpd does: what the 32-bit masks of released kernels make of that
 * is what {@linkcode ServerModel} is measured against.
 *
 * @module
 */
import { type Message, MessageType } from "../../lib/protocol/message.ts";
import type { ServerOfOne } from "./server_model.ts";
import type { SimulatedTime } from "./simulated_time.ts";

/** Longest time from a packet's arrival to the end of its burst. */
const BURST_MS = 0.2;

/** A server of one client. */
export class NaiveServer implements ServerOfOne {
  readonly complete = false;
  readonly finished = undefined;
  readonly unacked = 0;
  readonly kills = 0;
  onQuiet: (() => void) | undefined;
  core = new Uint8Array();
  header = new Uint8Array();
  key = new Uint8Array();
  readonly #time: SimulatedTime;
  readonly #random: () => number;
  readonly #sendAck: (seqno: number) => void;
  #inbox: Message[] = [];

  constructor(time: SimulatedTime, random: () => number, sendAck: (seqno: number) => void) {
    this.#time = time;
    this.#random = random;
    this.#sendAck = sendAck;
  }

  receive(message: Message): void {
    this.#inbox.push(message);
    if (this.#inbox.length === 1) this.#time.after(this.#random() * BURST_MS, () => this.#burst());
  }

  stop(): void {
    this.#inbox = [];
  }

  #burst(): void {
    for (const { type, seqno, offset, payload } of this.#inbox.splice(0)) {
      if (type === MessageType.VMCORE) this.core = withBytes(this.core, offset, payload);
      else if (type === MessageType.KDH) this.header = withBytes(this.header, offset, payload);
      else if (type === MessageType.EKCD_KEY) this.key = withBytes(this.key, offset, payload);
      this.#sendAck(seqno);
    }
  }
}

function withBytes(
  file: Uint8Array<ArrayBuffer>,
  offset: number,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const end = offset + bytes.byteLength;
  if (file.buffer.byteLength < end) {
    const more = new Uint8Array(Math.max(end, 2 * file.buffer.byteLength));
    more.set(file);
    file = more.subarray(0, file.byteLength);
  }
  const grown = new Uint8Array(file.buffer, 0, Math.max(file.byteLength, end));
  grown.set(bytes, offset);
  return grown;
}
