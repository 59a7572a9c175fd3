/**
 * A client's rounds of resends within a batch. A round goes once through the packets that are not acked, so a new
 * one has begun when a packet comes again that came in this one before.
 *
 * @module
 */

/** What comes again sooner than this after a round's first packet is a duplicate made by the network. */
const ROUND_MS = 30;
/** Silence after which a round is over: time enough for a packet on a line of 60 kb/s. */
const QUIET_MS = 200;

/** The rounds of one batch, the first transmission being the first. */
export class ResendRounds {
  /** In which round each packet came last, from 1; modulo 256, which is more than any client makes. */
  readonly #cameIn: Uint8Array;
  #round = 1;
  #startedMs = 0;
  #isFresh = false;
  #isJudged = false;
  #barren = 0;

  /** @param mostPackets packets that a batch can have */
  constructor(mostPackets: number) {
    this.#cameIn = new Uint8Array(mostPackets);
  }

  /** The present round; 1 is the first transmission. */
  get number(): number {
    return this.#round;
  }

  /** Rounds of resends in a row, until now, that were over and had brought nothing new. */
  get barren(): number {
    return this.#barren;
  }

  /** Silence in ms after which {@linkcode judge} is to be called; `undefined` if no round is open. */
  get quietMs(): number | undefined {
    return this.isOpen ? QUIET_MS : undefined;
  }

  /** Notes a packet that came for the first time. */
  noteFresh(place: number, nowMs: number): void {
    if (this.#round === 1 && !this.#isFresh) this.#startedMs = nowMs;
    this.#cameIn[place] = this.#round & 0xff;
    this.#isFresh = true;
    this.#barren = 0;
  }

  /** Whether a packet that comes again now begins a new round: the present one is over. */
  begins(place: number, nowMs: number): boolean {
    return this.cameIn(place) && nowMs - this.#startedMs >= ROUND_MS;
  }

  /** Whether a packet came in the present round. */
  cameIn(place: number): boolean {
    return this.#cameIn[place] === (this.#round & 0xff);
  }

  /** Notes a packet that came again. */
  noteRepeated(place: number, nowMs: number): void {
    if (this.cameIn(place)) {
      if (!this.begins(place, nowMs)) return;
      this.judge();
      this.#round++;
      this.#startedMs = nowMs;
      this.#isFresh = this.#isJudged = false;
    }
    this.#cameIn[place] = this.#round & 0xff;
  }

  /** Whether the present round is one of resends that was not said to be over yet. */
  get isOpen(): boolean {
    return this.#round > 1 && !this.#isJudged;
  }

  /** The present round is over. */
  judge(): void {
    if (this.#round > 1 && !this.#isJudged && !this.#isFresh) this.#barren++;
    this.#isJudged = true;
  }

  /** Begins a new batch; the last one had `packets` packets. */
  clear(packets: number): void {
    this.#cameIn.fill(0, 0, packets);
    this.#round = 1;
    this.#startedMs = this.#barren = 0;
    this.#isFresh = this.#isJudged = false;
  }
}
