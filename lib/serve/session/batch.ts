/**
 * The packets of one batch of a kernel, as far as they have come, and which of them share a bit in the client's
 * ack mask (reference netdump-protocol.md 3.1 and 3.3).
 *
 * @module
 */
import { MAX_BATCH_SIZE } from "../../protocol/message.ts";

/** Packets whose places in a batch are equal modulo this share a bit in the client's mask. */
export const MASK_BITS = 32;
/** Most packets that a batch can have: 65,536 bytes in packets of the smallest IPv4 MTU, 68 bytes. */
export const MOST_PACKETS = MAX_BATCH_SIZE / 16;
/** Kernel writes are multiples of this, and so are batches. */
export const KERNEL_BLOCK_SIZE = 4096;

const enum Packet {
  MISSING = 0,
  HELD = 1,
  ACKED = 2,
}

/** One batch after the other; places count from 0. */
export class Batch {
  /** Payload of a full packet, in bytes: the largest seen in any batch. */
  fullSize = 0;
  /** Packets that came, and those of them that were not acked. */
  received = 0;
  held = 0;
  /** Highest place that came. */
  high = -1;
  /** Packets in the batch, once it shows its end. */
  end: number | undefined;
  readonly #packets = new Uint8Array(MOST_PACKETS);
  #highSize = 0;

  /** Most packets that the batch can have. */
  get mostPackets(): number {
    return Math.min(Math.ceil(MAX_BATCH_SIZE / Math.max(this.fullSize, 1)), MOST_PACKETS);
  }

  /** Bytes up to the highest packet that came. */
  get sizeBytes(): number {
    return this.high < 0 ? 0 : this.high * this.fullSize + this.#highSize;
  }

  /** Packets missing below the highest that came. */
  get gaps(): number {
    return this.high + 1 - this.received;
  }

  /** Place of the first packet that came and was not acked. */
  get firstHeld(): number {
    return this.#packets.indexOf(Packet.HELD);
  }

  has(place: number): boolean {
    return (this.#packets[place] ?? Packet.MISSING) !== Packet.MISSING;
  }

  isAcked(place: number): boolean {
    return this.#packets[place] === Packet.ACKED;
  }

  /**
   * Adds a packet.
   *
   * @param acks the places that may be acked now are appended
   * @returns false if this cannot be the batch of a kernel: a packet behind its end, a short one within it, or
   * more than 65,536 bytes
   */
  add(place: number, size: number, acks: number[]): boolean {
    const grew = size > this.fullSize;
    if (grew) this.fullSize = size;
    if (size === 0 || place >= this.mostPackets) return false;
    this.#packets[place] = Packet.HELD;
    this.received++;
    this.held++;
    if (place > this.high) {
      this.high = place;
      this.#highSize = size;
    }
    if (
      (this.end !== undefined && place >= this.end) || (place < this.high && size < this.fullSize) ||
      this.sizeBytes > MAX_BATCH_SIZE
    ) return false;
    const end = this.end;
    this.end = this.#shownEnd();
    if (grew || this.end !== end) this.releaseComplete(acks);
    else this.#releaseIfComplete(place % MASK_BITS, acks);
    return true;
  }

  /** Lets go of each packet whose bit is shared by none that is missing, or may be. */
  releaseComplete(acks: number[]): void {
    for (let bit = 0; bit < MASK_BITS && bit <= this.high; bit++) this.#releaseIfComplete(bit, acks);
  }

  /** Lets go of all packets. */
  releaseAll(acks: number[]): void {
    this.#release(0, 1, acks);
  }

  /** Begins the next batch. */
  clear(): void {
    this.#packets.fill(Packet.MISSING, 0, this.high + 1);
    this.received = this.held = this.#highSize = 0;
    this.high = -1;
    this.end = undefined;
  }

  /** A batch shows its end by a packet shorter than the others, or by being as large as a batch can be. */
  #shownEnd(): number | undefined {
    if (this.#highSize < this.fullSize) return this.high + 1;
    return this.sizeBytes === MAX_BATCH_SIZE ? this.high + 1 : undefined;
  }

  #releaseIfComplete(bit: number, acks: number[]): void {
    const end = this.end ?? this.mostPackets;
    for (let place = bit; place < end; place += MASK_BITS) {
      if (this.#packets[place] === Packet.MISSING) return;
    }
    this.#release(bit, MASK_BITS, acks);
  }

  #release(from: number, step: number, acks: number[]): void {
    for (let place = from; place <= this.high; place += step) {
      if (this.#packets[place] !== Packet.HELD) continue;
      this.#packets[place] = Packet.ACKED;
      this.held--;
      acks.push(place);
    }
  }
}
