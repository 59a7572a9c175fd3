/**
 * When a received VMCORE message may be acknowledged (P4).
 *
 * A FreeBSD kernel sends a batch of packets, waits until each is acked, and keeps the acks in a mask built with a
 * 32-bit shift: packets whose places in the batch are equal modulo 32 share a bit (reference
 * netdump-protocol.md 3.3). The ack of one passes for the ack of the others; if one of them was lost, it is never
 * resent, and the dump has a silent hole. So an ack is held until every packet of the batch that shares its bit is
 * in. Without loss this costs nothing, since the client waits for all acks anyway.
 *
 * Where a batch begins is known: behind the last batch that was acked whole, for seqnos never skip. Where it ends
 * is known from a packet shorter than the others or from the 65,536 bytes that a batch has at most. A batch that
 * ends on a full packet shows neither; then the client's resends, which bring the held packets and nothing
 * beyond, tell.
 *
 * Whoever does what a kernel cannot do (numbers beyond the batch before it was acked, a HERALD that is not number
 * 1, a batch that is no multiple of 4096 bytes) has other masks, and is acked at once.
 *
 * Pure: messages and times in, seqnos out.
 *
 * @module
 */
import { MAX_BATCH_SIZE } from "../protocol/message.ts";

/** Packets whose places in a batch are equal modulo this share a bit in the client's mask. */
const MASK_BITS = 32;
/** Seqno of a kernel's HERALD (section 2). */
const KERNEL_HERALD_SEQNO = 1;
/** Kernel writes are multiples of this, and so are batches (section 3.1). */
const KERNEL_BLOCK_SIZE = 4096;
/** Most packets that a batch can have: 65,536 bytes in packets of the smallest IPv4 MTU, 68 bytes. */
const MOST_PACKETS = MAX_BATCH_SIZE / 16;

/** A kernel sends a batch back to back: a pause this long within one means that it is resending. */
const ROUND_GAP_MS = 30;
/** Silence after which a round of resends is over. */
const ROUND_QUIET_MS = 40;
/** Silence after which a batch that is as long as a proven one is taken to be whole. */
const PROVEN_QUIET_MS = 3;
/**
 * Rounds of resends must have failed to bring at least this many packets, in all, before those packets are held
 * not to exist: at a loss of 20 % the chance of an error is 0.2^(10 + 1).
 */
const MISSES_NEEDED = 10;
/** So many misses in a single round are proof enough. */
const MISSES_OF_ONE_ROUND = 24;

const enum Packet {
  MISSING = 0,
  HELD = 1,
  ACKED = 2,
}

/** What has to be known of a session between two batches to go on deciding (P9). */
export interface AcknowledgementState {
  readonly holding: boolean;
  /** Seqno of the next batch's first packet. */
  readonly base: number;
  /** Payload of a full packet, in bytes. */
  readonly fullSize: number;
  /** Packets of a batch that was proven to end on a full packet; 0 if there was none. */
  readonly provenEnd: number;
}

/** Decides, for one session, which seqnos to acknowledge. */
export class Acknowledgement {
  /** Whether the client may still be one with 32-bit masks. */
  #holding: boolean;
  /** Seqno of the batch's first packet. */
  #base: number;
  /** Payload of a full packet: the largest seen. */
  #fullSize = 0;
  /** State of the batch's packets by place. */
  readonly #packets = new Uint8Array(MOST_PACKETS);
  #received = 0;
  #held = 0;
  /** Highest place received, and that packet's size. */
  #high = -1;
  #highSize = 0;
  /** Packets in the batch, once known. */
  #end: number | undefined;
  #provenEnd = 0;

  #lastArrivalMs = 0;
  #round = 0;
  /** The present round brought a held packet again; it brought a new one. */
  #roundRepeated = false;
  #roundFresh = false;
  #barrenRounds = 0;
  #saved = 0;

  /** @param heraldSeqno seqno of the session's HERALD */
  constructor(heraldSeqno: number) {
    this.#holding = heraldSeqno === KERNEL_HERALD_SEQNO;
    this.#base = heraldSeqno + 1;
  }

  /** The state to {@linkcode restore}; `undefined` within a batch. */
  get state(): AcknowledgementState | undefined {
    if (this.#holding && this.#received > 0) return undefined;
    return { holding: this.#holding, base: this.#base, fullSize: this.#fullSize, provenEnd: this.#provenEnd };
  }

  /** Takes up a state. */
  restore(state: AcknowledgementState): void {
    if (this.#received > 0) {
      this.#end = this.#high + 1;
      this.#nextBatch();
    }
    this.#holding = state.holding;
    this.#base = state.base;
    this.#fullSize = state.fullSize;
    this.#provenEnd = state.provenEnd;
  }

  /** Packets that came in a resend which the client, acked at once, would never have sent. */
  get saved(): number {
    return this.#saved;
  }

  /** Packets whose ack is held at present. */
  get held(): number {
    return this.#held;
  }

  /** Whether acks of this client may be held at all. */
  get holding(): boolean {
    return this.#holding;
  }

  /**
   * Notes that a VMCORE message is in the file.
   *
   * @param acks the seqnos that may be acknowledged now are appended
   */
  stored(seqno: number, size: number, nowMs: number, acks: number[]): void {
    if (!this.#holding) {
      acks.push(seqno);
      return;
    }
    const place = seqno - this.#base;
    if (place < 0) {
      acks.push(seqno);
      return;
    }
    const known = this.#fullSize;
    if (size > known) this.#fullSize = size;
    if (place >= this.#mostPackets()) {
      this.#stopHolding(acks);
      acks.push(seqno);
      return;
    }
    this.#noteArrival(nowMs);
    const state = this.#packets[place]!;
    if (state !== Packet.MISSING) {
      if (state === Packet.ACKED) acks.push(seqno);
      else this.#roundRepeated = true;
      return;
    }
    this.#noteFresh(place, size);
    if (this.#contradictsKernel(place, size)) {
      this.#stopHolding(acks);
      return;
    }
    const end = this.#end;
    this.#end = this.#findEnd();
    if (this.#end === end && known === this.#fullSize) this.#releaseIfComplete(place % MASK_BITS, acks);
    else this.#releaseAllComplete(acks);
    if (this.#end !== undefined && this.#received === this.#end) this.#nextBatch();
  }

  /** Notes a message of another type; those are acked at once, and end the batch before them. */
  other(seqno: number, acks: number[]): void {
    if (!this.#holding || seqno < this.#base) return;
    // A kernel goes on only when the batch is acked whole.
    if (this.#received > 0) this.#stopHolding(acks);
    this.#base = seqno + 1;
  }

  /** When {@linkcode expire} wants to be called, in ms; `undefined` if nothing is held or nothing can be said. */
  get deadlineMs(): number | undefined {
    if (this.#held === 0) return undefined;
    if (this.#looksLikeProvenEnd()) return this.#lastArrivalMs + PROVEN_QUIET_MS;
    if (this.#roundRepeated) return this.#lastArrivalMs + ROUND_QUIET_MS;
    return undefined;
  }

  /** Ends a batch that shows no end, if the silence until `nowMs` proves that nothing is missing from it. */
  expire(nowMs: number, acks: number[]): void {
    const deadlineMs = this.deadlineMs;
    if (deadlineMs === undefined || nowMs < deadlineMs) return;
    if (!this.#looksLikeProvenEnd() && !this.#roundsProveEnd()) return;
    const batchSize = this.#high * this.#fullSize + this.#highSize;
    if (batchSize % KERNEL_BLOCK_SIZE !== 0) {
      this.#stopHolding(acks);
      return;
    }
    this.#end = this.#provenEnd = this.#high + 1;
    this.#releaseAllComplete(acks);
    if (this.#received === this.#end) this.#nextBatch();
  }

  #mostPackets(): number {
    return Math.min(Math.ceil(MAX_BATCH_SIZE / Math.max(this.#fullSize, 1)), MOST_PACKETS);
  }

  #noteArrival(nowMs: number): void {
    if (this.#received > 0 && nowMs - this.#lastArrivalMs >= ROUND_GAP_MS) {
      this.#round++;
      this.#roundRepeated = false;
      this.#roundFresh = false;
    }
    this.#lastArrivalMs = nowMs;
  }

  #noteFresh(place: number, size: number): void {
    if (this.#round > 0 && this.#sharesBitWithReceived(place)) this.#saved++;
    this.#packets[place] = Packet.HELD;
    this.#received++;
    this.#held++;
    this.#roundFresh = true;
    this.#barrenRounds = 0;
    if (place > this.#high) {
      // A packet behind a short one is caught by contradictsKernel through the end found before.
      this.#high = place;
      this.#highSize = size;
    }
  }

  #contradictsKernel(place: number, size: number): boolean {
    return (this.#end !== undefined && place >= this.#end) ||
      (place < this.#high && size < this.#fullSize) ||
      this.#high * this.#fullSize + this.#highSize > MAX_BATCH_SIZE;
  }

  #findEnd(): number | undefined {
    if (this.#highSize < this.#fullSize) return this.#high + 1;
    return (this.#high + 1) * this.#fullSize >= MAX_BATCH_SIZE ? this.#high + 1 : undefined;
  }

  #sharesBitWithReceived(place: number): boolean {
    for (let other = place % MASK_BITS; other <= this.#high; other += MASK_BITS) {
      if (other !== place && this.#packets[other] !== Packet.MISSING) return true;
    }
    return false;
  }

  /** Acks the packets that share a bit, if all that the batch can have of them are in. */
  #releaseIfComplete(bit: number, acks: number[]): void {
    const end = this.#end ?? this.#mostPackets();
    for (let place = bit; place < end; place += MASK_BITS) {
      if (this.#packets[place] === Packet.MISSING) return;
    }
    this.#release(bit, MASK_BITS, acks);
  }

  #releaseAllComplete(acks: number[]): void {
    for (let bit = 0; bit < MASK_BITS && bit <= this.#high; bit++) this.#releaseIfComplete(bit, acks);
  }

  #release(from: number, step: number, acks: number[]): void {
    for (let place = from; place <= this.#high; place += step) {
      if (this.#packets[place] !== Packet.HELD) continue;
      this.#packets[place] = Packet.ACKED;
      this.#held--;
      acks.push(this.#base + place);
    }
  }

  #stopHolding(acks: number[]): void {
    this.#release(0, 1, acks);
    this.#holding = false;
  }

  #nextBatch(): void {
    this.#packets.fill(Packet.MISSING, 0, this.#high + 1);
    this.#base += this.#end!;
    this.#received =
      this.#held =
      this.#round =
      this.#barrenRounds =
      this.#highSize =
        0;
    this.#high = -1;
    this.#end = undefined;
    this.#roundRepeated = this.#roundFresh = false;
  }

  #looksLikeProvenEnd(): boolean {
    return this.#provenEnd === this.#high + 1 && this.#received === this.#provenEnd && this.#round === 0;
  }

  /** Judges the round of resends that is over; called once for each. */
  #roundsProveEnd(): boolean {
    this.#roundRepeated = false;
    if (this.#roundFresh || this.#round === 0) return false;
    this.#barrenRounds++;
    const misses = this.#missesOfRound();
    return misses >= MISSES_OF_ONE_ROUND ||
      (this.#barrenRounds >= 2 && misses * this.#barrenRounds >= MISSES_NEEDED);
  }

  /**
   * How many packets beyond the highest received the client must have sent in vain, in each round, if the batch
   * does not end there: up to the next length that a kernel's batch can have, and up to the packet that shares the
   * lowest held one's bit.
   */
  #missesOfRound(): number {
    const reached = this.#high + 1;
    const blocks = Math.floor((reached * this.#fullSize) / KERNEL_BLOCK_SIZE) + 1;
    const nextEnd = Math.ceil((blocks * KERNEL_BLOCK_SIZE) / this.#fullSize);
    const lowestHeld = this.#packets.indexOf(Packet.HELD);
    return Math.max(nextEnd - reached, lowestHeld + MASK_BITS - this.#high, 1);
  }
}
