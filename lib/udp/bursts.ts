/**
 * When a burst of datagrams is over, for all sessions of a receiver: the moment to write what came, and to ack it.
 *
 * A turn of the event loop comes when nothing more can be received at once, or when too much has been. So a session
 * whose run grew during a turn is left alone: more may be on its way. Without that, 16 clients at full speed got two
 * writes a datagram; with it, two a batch of 46.
 *
 * @module
 */
import type { EventLoop } from "./event_loop.ts";

/** A session as far as bursts matter. */
export interface Bursting {
  /** Messages that were received and are not written yet. */
  readonly gathered: number;
  /** Writes them, and sends the acks that are due; may be called with none. */
  endOfBurst(): void;
}

/** Microtasks from a datagram's arrival to its being gathered: a turn may bring datagrams too, in any order. */
const MICROTASKS_OF_RECEIVE = 4;

/** Watches for the ends of bursts. */
export class Bursts {
  readonly #loop: EventLoop;
  /** Sessions under way, and what they had gathered at the turn before. */
  readonly #sessions = new Map<Bursting, number>();
  #watching = false;
  #turning = false;

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  /** Calls {@linkcode Bursting.endOfBurst} once, when the session's run does not grow any more. */
  watch(session: Bursting): void {
    if (this.#sessions.has(session)) return;
    // Within a turn there is nothing yet to compare with at its end.
    this.#sessions.set(session, this.#turning ? -1 : session.gathered);
    if (!this.#watching) void this.#watch();
  }

  /** Forgets a session. */
  forget(session: Bursting): void {
    this.#sessions.delete(session);
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    while (this.#sessions.size > 0) {
      await this.#loop.turn();
      this.#turning = true;
      for (let i = 0; i < MICROTASKS_OF_RECEIVE; i++) await undefined;
      this.#turning = false;
      this.#endBursts();
    }
    this.#watching = false;
  }

  #endBursts(): void {
    for (const [session, before] of [...this.#sessions]) {
      const { gathered } = session;
      if (gathered > 0 && gathered !== before) {
        this.#sessions.set(session, gathered);
      } else {
        this.#sessions.delete(session);
        session.endOfBurst();
      }
    }
  }
}
