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

  /** Notes packets that had arrived before and did not when they were sent again. */
  noteLostResends(count: number): void {
    this.#lost += count;
  }

  /**
   * The chance that so many packets are all lost, if each is lost independently.
   *
   * @param leastLoss the path is not taken to be better than this
   * @param careful whether what a few packets tell is not taken for certain
   */
  chanceOfLosing(count: number, leastLoss = LEAST_LOSS, careful = false): number {
    // Laplace's rule of succession: after n packets without a loss, the next is lost with a chance of 1 in n + 2. Carefully, on a path
    // that is known to lose, a further loss makes the next one more likely.
    const seen = careful && this.#lost > 0 ? 1 : 0;
    let chance = 1;
    for (let i = 0; i < count; i++) {
      const loss = (this.#lost + seen * i + 1) / (this.#arrived + this.#lost + seen * i + 2);
      chance *= Math.min(Math.max(loss, leastLoss), MOST_LOSS);
    }
    return chance;
  }
}
