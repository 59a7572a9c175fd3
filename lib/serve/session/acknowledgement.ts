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
 * ends on a full packet shows neither, and looks like one whose tail was lost. Nothing tells the two apart but the
 * client's resends: if they bring the same packets again and again and nothing beyond, and that is less likely than
 * one in ten million for a path that loses as much as this one is known to, then nothing is beyond. Such a batch costs
 * two of the client's time-outs. On a path that is known to lose little, and never as many packets in a row as it
 * would take, later ones of the same length cost a few milliseconds instead; what is left of the risk is that the
 * first burst of losses cuts a batch just there.
 *
 * Whoever does what a kernel cannot do (numbers beyond the batch before it was acked, a HERALD that is not number
 * 1, an end within a block of 4096 bytes) has other masks, and is acked at once. So is a client whose packets are so
 * large that a batch has no more than 32, and one that is about to give up: a dump with holes is better than none.
 *
 * Pure: messages and times in, seqnos out.
 *
 * @module
 */
import { Batch, KERNEL_BLOCK_SIZE, MASK_BITS, MOST_PACKETS } from "./batch.ts";
import { PathLoss } from "./path_loss.ts";
import { ResendRounds } from "./resend_rounds.ts";

/** Seqno of a kernel's HERALD (section 2). */
const KERNEL_HERALD_SEQNO = 1;
/** What is less likely than this is held not to have happened. */
const PROOF = 1e-7;
/** Rounds of resends in vain that it takes to believe in an end: so that one burst of losses is not taken for it. */
const ROUNDS_FOR_PROOF = 2;
/** Rounds of resends in vain before a kernel gives up; it sends a batch twelve times (section 3.2). */
const ROUNDS_BEFORE_GIVING_UP = 10;
/** A server that was killed within a batch knows nothing of the path any more; it takes it to be as bad as this, or worse. */
const LOSS_WHEN_INTERRUPTED = 1 / 8;
/** A kernel sends a batch back to back: what comes after such a pause was resent, or held up. */
const PAUSE_MS = 30;
/** Silence after which a batch that looks whole is taken to be, at least, and in spaces between its packets. */
const SETTLE_MS = 3;
const SETTLE_SPACES = 4;
/** How much of the widest space between two packets is still remembered at the next packet. */
const SPACE_MEMORY = 0.999;

/** What silence and resends lead to. */
type Judgement = "batch-is-whole" | "no-kernel" | undefined;

/** What has to be known of a session between two batches to go on deciding (P9). */
export interface AcknowledgementState {
  readonly holding: boolean;
  /** Whether a batch showed its end the way a kernel's does. */
  readonly kernelSeen: boolean;
  /** Seqno of the next batch's first packet. */
  readonly base: number;
  /** Payload of a full packet, in bytes. */
  readonly fullSize: number;
  /** Packets of the batches that were proven to end on a full packet. */
  readonly provenEnds: readonly number[];
}

/** Decides, for one session, which seqnos to acknowledge. */
export class Acknowledgement {
  /** Whether the client may still be one with 32-bit masks. */
  #holding: boolean;
  #kernelSeen = false;
  /** At most 16, for batches are multiples of 4096 bytes. */
  readonly #provenEnds = new Set<number>();
  readonly #loss = new PathLoss();
  #saved = 0;
  /** The server was killed within the batch. */
  #isInterrupted = false;

  /** The batch being received, and the seqno of its first packet. */
  readonly #batch = new Batch();
  #base: number;
  readonly #rounds = new ResendRounds(MOST_PACKETS);
  #lastArrivalMs = 0;
  /** Pauses within the batch, and how many there had been when each packet came. */
  #pauses = 0;
  readonly #pausesBefore = new Uint8Array(MOST_PACKETS);
  /** Widest space between two packets that follow on each other, as it is remembered. */
  #spaceMs = 0;

  /** @param heraldSeqno seqno of the session's HERALD */
  constructor(heraldSeqno: number) {
    this.#holding = heraldSeqno === KERNEL_HERALD_SEQNO;
    this.#base = heraldSeqno + 1;
  }

  /** The state to {@linkcode restore}; `undefined` within a batch. */
  get state(): AcknowledgementState | undefined {
    if (this.#holding && this.#batch.received > 0) return undefined;
    return {
      holding: this.#holding,
      kernelSeen: this.#kernelSeen,
      base: this.#base,
      fullSize: this.#batch.fullSize,
      provenEnds: [...this.#provenEnds],
    };
  }

  /** Takes up a state. */
  restore(state: AcknowledgementState): void {
    this.#beginBatch(state.base);
    this.#holding = state.holding;
    this.#kernelSeen = state.kernelSeen;
    this.#batch.fullSize = state.fullSize;
    for (const end of state.provenEnds) this.#provenEnds.add(end);
  }

  /** Notes that messages may have come while nobody was listening: a server that was killed is a burst of losses. */
  noteInterruption(): void {
    if (this.#batch.received === 0) return;
    this.#isInterrupted = true;
    this.#notePause();
  }

  /** Packets that came in a resend which the client, acked at once, would never have sent. */
  get saved(): number {
    return this.#saved;
  }

  /** Packets whose ack is held at present. */
  get held(): number {
    return this.#batch.held;
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
    const place = seqno - this.#base;
    if (!this.#holding || place < 0) {
      acks.push(seqno);
      return;
    }
    const batch = this.#batch;
    if (place < MOST_PACKETS) {
      this.#noteArrival(place, nowMs);
      if (batch.has(place)) {
        if (this.#rounds.begins(place, nowMs)) this.#noteLostResends();
        this.#rounds.noteRepeated(place, nowMs);
        if (batch.isAcked(place)) acks.push(seqno);
        return;
      }
    }
    const from = acks.length;
    if (!batch.add(place, size, acks) || batch.mostPackets <= MASK_BITS) {
      if (!batch.has(place)) acks.push(place);
      this.#stopHolding(acks, from);
      return;
    }
    this.#noteFresh(place, nowMs);
    this.#toSeqnos(acks, from);
    if (batch.received === batch.end) this.#endBatch(batch.end);
  }

  /** Notes a message of another type; those are acked at once, and end the batch before them. */
  other(seqno: number, acks: number[]): void {
    if (!this.#holding || seqno < this.#base) return;
    // A kernel goes on only when the batch is acked whole.
    if (this.#batch.received > 0) this.#stopHolding(acks, acks.length);
    this.#base = seqno + 1;
  }

  /** When {@linkcode expire} wants to be called, in ms; `undefined` if nothing is held or nothing can be said. */
  get deadlineMs(): number | undefined {
    if (this.#batch.held === 0 || !this.#holding) return undefined;
    const waitMs = this.#judge() === undefined
      ? this.#rounds.quietMs
      : Math.max(SETTLE_MS, SETTLE_SPACES * this.#spaceMs);
    return waitMs === undefined ? undefined : this.#lastArrivalMs + waitMs;
  }

  /** Acks what is held in vain, if the silence until `nowMs` and the client's resends prove that it is. */
  expire(nowMs: number, acks: number[]): void {
    const deadlineMs = this.deadlineMs;
    if (deadlineMs === undefined || nowMs < deadlineMs) return;
    if (this.#judge() === undefined) {
      this.#noteLostResends();
      this.#rounds.judge();
    }
    const from = acks.length;
    switch (this.#judge()) {
      case "batch-is-whole": {
        const end = this.#batch.end = this.#batch.high + 1;
        this.#provenEnds.add(end);
        this.#batch.releaseComplete(acks);
        this.#toSeqnos(acks, from);
        this.#beginBatch(this.#base + end);
        return;
      }
      case "no-kernel":
        this.#stopHolding(acks, from);
        return;
      case undefined:
        return;
    }
  }

  #noteArrival(place: number, nowMs: number): void {
    this.#loss.noteArrival();
    if (this.#batch.received > 0) {
      const waitedMs = nowMs - this.#lastArrivalMs;
      if (waitedMs >= PAUSE_MS) this.#notePause();
      else if (place === this.#batch.high + 1) {
        this.#spaceMs = Math.max(waitedMs, SPACE_MEMORY * this.#spaceMs);
      }
    }
    this.#lastArrivalMs = nowMs;
  }

  /**
   * Of a round of resends that is over, counts what was lost: a client sends again all that is not acked. Without that, the arrivals
   * of many rounds would make a bad path look like a good one.
   */
  #noteLostResends(): void {
    const batch = this.#batch;
    if (!this.#rounds.isOpen || !this.#sharesBits) return;
    let lost = 0;
    for (let place = 0; place <= batch.high; place++) {
      if (batch.has(place) && !batch.isAcked(place) && !this.#rounds.cameIn(place)) lost++;
    }
    this.#loss.noteLostResends(lost);
  }

  #notePause(): void {
    this.#pauses = Math.min(this.#pauses + 1, 255);
  }

  #noteFresh(place: number, nowMs: number): void {
    this.#pausesBefore[place] = this.#pauses;
    // On a slow line there are pauses without any loss, but then the places come in their order.
    if (this.#pauses > 0 && (place < this.#batch.high || this.#rounds.number > 1)) {
      this.#loss.noteLoss(this.#base + place, Math.max(this.#rounds.number - 1, 1));
      if (this.#sharesBitWithEarlier(place)) this.#saved++;
    }
    this.#rounds.noteFresh(place, nowMs);
  }

  /** Whether an ack at once of a packet that came before the last pause would have passed for this one's. */
  #sharesBitWithEarlier(place: number): boolean {
    for (let other = place % MASK_BITS; other <= this.#batch.high; other += MASK_BITS) {
      if (this.#batch.has(other) && this.#pausesBefore[other]! < this.#pauses) return true;
    }
    return false;
  }

  #stopHolding(acks: number[], from: number): void {
    this.#batch.releaseAll(acks);
    this.#toSeqnos(acks, from);
    this.#holding = false;
  }

  /** Makes seqnos of the places behind `from`. */
  #toSeqnos(acks: number[], from: number): void {
    for (let i = from; i < acks.length; i++) acks[i]! += this.#base;
  }

  #endBatch(end: number): void {
    if (end > 1 && this.#batch.sizeBytes % KERNEL_BLOCK_SIZE === 0) this.#kernelSeen = true;
    this.#beginBatch(this.#base + end);
  }

  #beginBatch(base: number): void {
    this.#base = base;
    this.#rounds.clear(this.#batch.high + 1);
    this.#batch.clear();
    this.#isInterrupted = false;
    this.#pauses = 0;
  }

  /** What the rounds of resends so far lead to. */
  #judge(): Judgement {
    const { fullSize, high, sizeBytes, gaps, end, firstHeld } = this.#batch;
    const { barren } = this.#rounds;
    if (barren >= ROUNDS_BEFORE_GIVING_UP) return "no-kernel";
    if (gaps > 0 || end !== undefined) return undefined;
    // Packets that are sent in each round if the batch goes on, as it must to the end of a block.
    const nextBlock = (Math.floor(sizeBytes / KERNEL_BLOCK_SIZE) + 1) * KERNEL_BLOCK_SIZE;
    const beyond = Math.ceil(nextBlock / fullSize) - (high + 1);
    if (sizeBytes % KERNEL_BLOCK_SIZE !== 0) {
      if (barren < ROUNDS_FOR_PROOF || this.#kernelSeen) return undefined;
      return this.#isOutOfTheQuestion(beyond) ? "no-kernel" : undefined;
    }
    // An ack does no harm either unless the batch goes on to a packet that shares a held one's bit.
    const misses = Math.max(beyond, firstHeld + MASK_BITS - high);
    const isKnown = this.#provenEnds.has(high + 1) && misses > this.#loss.longestRun && this.#pauses === 0;
    if (barren < (isKnown ? 0 : ROUNDS_FOR_PROOF) || !this.#isOutOfTheQuestion(misses)) return undefined;
    return "batch-is-whole";
  }

  /** Whether so many packets cannot have been lost in the first transmission and again in each round. */
  #isOutOfTheQuestion(misses: number): boolean {
    const leastLoss = this.#isInterrupted ? LOSS_WHEN_INTERRUPTED : undefined;
    return this.#loss.chanceOfLosing(misses * (this.#rounds.barren + 1), leastLoss, this.#sharesBits) <=
      PROOF;
  }

  /** Whether packets came that share a bit of a mask: a wrong word then costs a hole, and else nothing. */
  get #sharesBits(): boolean {
    return this.#batch.high >= MASK_BITS;
  }
}
