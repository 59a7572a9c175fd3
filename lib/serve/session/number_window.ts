/**
 * Which message numbers a client can send now (P5, P6).
 *
 * A client counts its messages from its HERALD's number without gaps, sends them in that order, and is never more than a
 * batch ahead of what it knows to have arrived (reference netdump-protocol.md 3.1): kernels because a batch is
 * all that they keep in flight, others because what was lost is resent before they go on. So whoever knows neither
 * the client's number nor its port has to guess both.
 *
 * A number that came is never new again; one that was refused is.
 *
 * Pure.
 *
 * @module
 */

/**
 * How far beyond the highest number a new one may be: as many packets as a kernel can keep apart (reference
 * netdump-protocol.md 3.3). Of a client that has more in flight, those behind a longer run of losses are taken for lost too,
 * and come again once the run is resent.
 */
export const MOST_AHEAD = 64;
/** Numbers below the highest of which it is known whether they came; older ones count as come. */
const REMEMBERED = 8192;

/** What a number can be. */
export type NumberKind =
  /** It has not come, and may. */
  | "new"
  /** It came before. */
  | "repeated"
  /** The client cannot have sent it. */
  | "impossible";

/** What has to be known to go on (P9). */
export interface NumberState {
  /** The highest number that came. */
  readonly high: number;
  /** Numbers from the HERALD's to the highest. */
  readonly span: number;
  /** The numbers below it that did not. */
  readonly missing: readonly number[];
}

/** The numbers of one client. */
export class NumberWindow {
  #high: number;
  /** Numbers from the HERALD's to the highest: they may pass 2^32 on the way. */
  #span = 0;
  /** One byte a number, by its remainder: whether it came. */
  readonly #came = new Uint8Array(REMEMBERED);

  /** @param heraldSeqno number of the HERALD, before the first of all others */
  constructor(heraldSeqno: number) {
    this.#high = heraldSeqno;
    this.#came.fill(1);
  }

  /** Says what a number is. */
  judge(seqno: number): NumberKind {
    const ahead = this.#ahead(seqno);
    if (ahead > 0) return ahead <= MOST_AHEAD ? "new" : "impossible";
    if (-ahead >= this.#span) return "impossible";
    return ahead <= -REMEMBERED || this.#came[seqno % REMEMBERED] === 1 ? "repeated" : "new";
  }

  /** Notes that a number came; to be called for a new one only. */
  take(seqno: number): void {
    const ahead = this.#ahead(seqno);
    for (let step = 1; step < ahead; step++) this.#came[(this.#high + step) % REMEMBERED] = 0;
    if (ahead > 0) {
      this.#high = seqno;
      this.#span += ahead;
    }
    this.#came[seqno % REMEMBERED] = 1;
  }

  /** Notes that what came with a number was refused: it may come again, and be right. */
  refuse(seqno: number): void {
    if (this.#ahead(seqno) > -REMEMBERED) this.#came[seqno % REMEMBERED] = 0;
  }

  /** The state to {@linkcode restore}. */
  get state(): NumberState {
    const missing: number[] = [];
    for (let back = Math.min(this.#span, REMEMBERED) - 1; back > 0; back--) {
      const seqno = (this.#high - back) >>> 0;
      if (this.#came[seqno % REMEMBERED] === 0) missing.push(seqno);
    }
    return { high: this.#high, span: this.#span, missing };
  }

  /** Takes up a state. */
  restore({ high, span, missing }: NumberState): void {
    this.#high = high;
    this.#span = span;
    this.#came.fill(1);
    for (const seqno of missing) this.refuse(seqno);
  }

  /** How far a number is beyond the highest, from -2^31 to 2^31. */
  #ahead(seqno: number): number {
    return (seqno - this.#high) | 0;
  }
}
