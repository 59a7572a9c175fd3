/**
 * Sends acks from a session's socket.
 *
 * @module
 */
import { ACK_SIZE } from "../protocol/message.ts";

/** Acks under way at once. */
const SLOTS = 1024;
/** A queue that is full (ENOBUFS on the BSDs) has room again a moment later: a lost ack costs a client a second. */
const RETRY_MS = 5;
/** Rounds that are sent again in a row. */
const MOST_RETRIES = 3;

/**
 * A queue of acks. Deno sends a datagram at once as a rule, but may keep the buffer for later when the system's
 * queue is full; a buffer reused then would ack a seqno that the client never sent, which kills its dump. So no
 * buffer is used again before all sends of the round before are through.
 */
export class AckSender {
  /** Seqnos to be acked. */
  readonly queue: number[] = [];
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  readonly #onError: (error: unknown) => void;
  readonly #onReady: () => void;
  readonly #memory = new DataView<ArrayBuffer>(new ArrayBuffer(SLOTS * ACK_SIZE));
  /** Made as they are needed: a kernel's client takes 46 of them. */
  readonly #slots: Uint8Array<ArrayBuffer>[] = [];
  /** Acks in the slots, each once. */
  #count = 0;
  #underWay = 0;
  #failures = 0;
  #retries = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onReady queued acks had to wait, and can be sent now */
  constructor(
    socket: Deno.DatagramConn,
    to: Deno.NetAddr,
    onError: (error: unknown) => void,
    onReady: () => void,
  ) {
    this.#socket = socket;
    this.#to = to;
    this.#onError = onError;
    this.#onReady = onReady;
  }

  /** Whether {@linkcode flush} can send something. */
  get ready(): boolean {
    return this.queue.length > 0 && this.#underWay === 0;
  }

  /**
   * Sends what is queued, each `copies` times, if it is {@linkcode ready}.
   *
   * @param most datagrams at once
   * @returns how many datagrams it sent
   */
  flush(copies: 1 | 2, most = Infinity): number {
    const count = Math.min(this.queue.length, Math.floor(Math.min(most, SLOTS) / copies));
    if (count <= 0 || this.#underWay > 0) return 0;
    for (let i = this.#slots.length; i < count; i++) {
      this.#slots.push(new Uint8Array(this.#memory.buffer, i * ACK_SIZE, ACK_SIZE));
    }
    for (let i = 0; i < count; i++) this.#memory.setUint32(i * ACK_SIZE, this.queue[i]!);
    this.#count = count;
    this.#underWay = count * copies;
    for (let copy = 0; copy < copies; copy++) {
      for (let i = 0; i < count; i++) {
        this.#socket.send(this.#slots[i]!, this.#to).then(this.#sent, this.#failed);
      }
    }
    if (count === this.queue.length) this.queue.length = 0;
    else this.queue.splice(0, count);
    return count * copies;
  }

  /** Sends nothing more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#retries = MOST_RETRIES;
    this.queue.length = 0;
  }

  readonly #sent = (): void => {
    if (--this.#underWay > 0) return;
    if (this.#failures === 0) this.#retries = 0;
    else if (this.#retries < MOST_RETRIES) this.#retry();
    this.#failures = 0;
    if (this.ready) this.#onReady();
  };

  readonly #failed = (error: unknown): void => {
    this.#onError(error);
    this.#failures++;
    this.#sent();
  };

  /** Queues the whole round again; an ack that comes twice does no harm. */
  #retry(): void {
    this.#retries++;
    const seqnos = Array.from({ length: this.#count }, (_, i) => this.#memory.getUint32(i * ACK_SIZE));
    this.#timer = setTimeout(() => {
      this.queue.push(...seqnos);
      if (this.ready) this.#onReady();
    }, RETRY_MS);
  }
}
