/**
 * How often each ack is sent (P4).
 *
 * A lost ack costs a kernel a whole second, so acks go twice once it has sent something again (reference netdump-protocol.md
 * 3.3). Who has more in flight than a kernel loses no time by a few: such a client gets them twice only while much of what it
 * sends was there already.
 *
 * Pure.
 *
 * @module
 */

/** So many messages that were there already tell that acks do not reach a client that has many in flight. */
const MOST_IN_VAIN = 16;
/** How many of these a new message outweighs: a path that loses less than that part of the acks is only lossy. */
const FORGOTTEN_BY_NEW = 1 / 8;

/** The copies of one session's acks. */
export class AckCopies {
  /** Messages that were there when they came, of late. */
  #inVain = 0;
  /** The client went on by a kernel's batch and more from a message that did not come: it is no kernel. */
  exceedsBatch = false;

  /** A message brought something. */
  noteNew(): void {
    if (this.#inVain > 0) this.#inVain -= FORGOTTEN_BY_NEW;
  }

  /** A message brought nothing. */
  noteResend(): void {
    this.#inVain++;
  }

  /**
   * How often an ack is sent now.
   *
   * @param resends messages of the whole dump that brought nothing
   */
  number(resends: number): 1 | 2 {
    return (this.exceedsBatch ? this.#inVain > MOST_IN_VAIN : resends > 0) ? 2 : 1;
  }
}
