/**
 * How much of what a client sends is lost on its way, as far as its resends show it.
 *
 * @module
 */

/** No estimate is below this: a good path may turn bad at any time. Three packets lost in a row are 1 in 2^24. */
const LEAST_LOSS = 1 / 256;
/** No estimate is above this: on a worse path no dump comes through. */
const MOST_LOSS = 1 / 2;
/** The past counts half after so many packets. */
const MEMORY_PACKETS = 4096;

/** The loss on one client's path. */
export class PathLoss {
  #arrived = 0;
  #lost = 0;
  #lastLost = -1;
  #run = 0;
  #longestRun = 0;

  /** Packets in a row that were lost at most. */
  get longestRun(): number {
    return this.#longestRun;
  }

  /** Notes that a packet arrived, be it for the first time or again. */
  noteArrival(): void {
    if (++this.#arrived < MEMORY_PACKETS) return;
    this.#arrived /= 2;
    this.#lost /= 2;
  }

  /** Notes that a packet came only when it was resent, after it was lost so many times. */
  noteLoss(seqno: number, times: number): void {
    this.#lost += times;
    this.#run = seqno === this.#lastLost + 1 ? this.#run + 1 : 1;
    this.#lastLost = seqno;
    this.#longestRun = Math.max(this.#longestRun, this.#run);
  }

  /** The chance that so many packets are all lost, if each is lost independently. */
  chanceOfLosing(count: number): number {
    // Laplace's rule of succession: after n packets without a loss, the next is lost with a chance of 1 in n + 2.
    const loss = (this.#lost + 1) / (this.#arrived + this.#lost + 2);
    return Math.min(Math.max(loss, LEAST_LOSS), MOST_LOSS) ** count;
  }
}
