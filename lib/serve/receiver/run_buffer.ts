/**
 * Where a session gathers VMCORE messages that follow on each other, so that a burst is written in one go.
 *
 * @module
 */
import { MAX_BATCH_SIZE, MAX_DATAGRAM_SIZE } from "../../protocol/message.ts";

/** Bytes of a run: a batch of a kernel and another datagram. */
const RUN_SIZE = 65536 + MAX_DATAGRAM_SIZE + 5;

/** Memory for one run of messages. */
export class RunBuffer {
  readonly bytes = new Uint8Array(RUN_SIZE);
  /** The same memory, for looking for zeros. */
  readonly words = new Int32Array(this.bytes.buffer);

  /** Offset of the run in the core file. */
  offset = 0;
  length = 0;
  /** Seqno of the run's first message. */
  seqno = 0;
  count = 0;
  /** Payload of all messages but the last, which may be shorter. */
  full = 0;
  #last = 0;

  /** Tells whether a message can be added to the run. */
  fits(seqno: number, offset: number, length: number): boolean {
    return this.count === 0 ||
      (offset === this.offset + this.length && seqno === this.seqno + this.count &&
        this.#last === this.full &&
        length <= this.full && this.length + length <= RUN_SIZE);
  }

  /**
   * Whether nothing can follow: as far as a kernel's batch is concerned, which ends with a shorter message or with
   * its most bytes, all is there.
   */
  get ended(): boolean {
    return this.#last < this.full || this.length >= MAX_BATCH_SIZE;
  }

  /** Adds a copy of a message's payload, which {@linkcode fits}. */
  add(seqno: number, offset: number, payload: Uint8Array): void {
    const length = payload.byteLength;
    if (this.count === 0) {
      this.offset = offset;
      this.seqno = seqno;
      this.full = length;
    }
    this.bytes.set(payload, this.length);
    this.length += length;
    this.#last = length;
    this.count++;
  }

  /** Payload size of the run's i-th message. */
  sizeOf(i: number): number {
    return i === this.count - 1 ? this.#last : this.full;
  }

  /** Forgets the run. */
  clear(): void {
    this.length = this.count = 0;
  }
}
