/**
 * When a burst of datagrams is over, for all sessions of a receiver.
 *
 * A receive resolves in a microtask as long as datagrams are queued, so a macrotask runs when the queues are empty:
 * the moment to write what came, and to ack it. A message port's is the quickest macrotask on every Deno; a timer's
 * costs a millisecond. But that holds for one busy socket only: after some 128 operations Tokio makes all sockets
 * wait for the event loop, and with 16 clients a macrotask then comes after every one or two datagrams of each. So a
 * session whose run grew during a turn is left alone: more is on its way. Measured with 16 clients, MTU 1500:
 * two writes a datagram before, two a batch of 46 now.
 *
 * @module
 */

/** A session as far as bursts matter. */
export interface Bursting {
  /** Messages that were received and are not written yet. */
  readonly gathered: number;
  /** Writes them, and sends the acks that are due. */
  endOfBurst(): void;
}

/**
 * Microtasks between a datagram's arrival and its being gathered. Sockets and the message port may be served by the
 * same turn of the event loop, in any order.
 */
const MICROTASKS_OF_RECEIVE = 4;

/** Watches for the ends of bursts. */
export class Bursts {
  /** Sessions under way, and what they had gathered at the turn before. */
  readonly #sessions = new Map<Bursting, number>();
  readonly #channel = new MessageChannel();
  readonly #waiting: (() => void)[] = [];
  #posted = false;
  #turning = false;

  constructor() {
    this.#channel.port1.onmessage = () => void this.#turn();
  }

  /** Calls {@linkcode Bursting.endOfBurst} once, when the session's run does not grow any more. */
  watch(session: Bursting): void {
    if (this.#sessions.has(session)) return;
    // Within a turn there is nothing yet to compare with at its end.
    this.#sessions.set(session, this.#turning ? -1 : session.gathered);
    this.#post();
  }

  /** Forgets a session. */
  forget(session: Bursting): void {
    this.#sessions.delete(session);
  }

  /** Resolves after the event loop has gone round. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#post();
    });
  }

  /** Ends all watching. */
  close(): void {
    this.#channel.port1.close();
    this.#channel.port2.close();
  }

  #post(): void {
    if (this.#posted) return;
    this.#posted = true;
    this.#channel.port2.postMessage(0);
  }

  async #turn(): Promise<void> {
    this.#posted = false;
    this.#turning = true;
    for (let i = 0; i < MICROTASKS_OF_RECEIVE; i++) await undefined;
    this.#turning = false;
    for (const [session, before] of this.#sessions) {
      const { gathered } = session;
      if (gathered > 0 && gathered !== before) {
        this.#sessions.set(session, gathered);
        this.#post();
      } else {
        this.#sessions.delete(session);
        session.endOfBurst();
      }
    }
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
