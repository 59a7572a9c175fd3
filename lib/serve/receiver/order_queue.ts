/**
 * A receiver's orders in their turn. Behind a restart a thousand sessions may have to be taken up, each of which takes some
 * milliseconds, and Deno gives a worker all messages that wait for it before it looks at sockets and timers again: for as long
 * no kernel in the middle of its dump was acked. So one session a turn of the event loop is taken up, the first that was
 * ordered first, and what is ordered meanwhile for others does not wait.
 *
 * @module
 */
import type { Order } from "../orders.ts";
import type { Clock } from "./clock.ts";

/** The orders of one receiver. */
export class OrderQueue {
  readonly #clock: Pick<Clock, "after">;
  readonly #obey: (order: Order) => void;
  /** Sessions that are still to be taken up or given up, and all that was ordered for each. */
  readonly #waiting = new Map<string, Order[]>();

  /** @param obey carries out an order */
  constructor(clock: Pick<Clock, "after">, obey: (order: Order) => void) {
    this.#clock = clock;
    this.#obey = obey;
  }

  /** Carries out an order, now or in its turn. */
  take(order: Order): void {
    const id = "id" in order ? order.id : "";
    const before = this.#waiting.get(id);
    if (before !== undefined) before.push(order);
    else if (order.order === "resume" || order.order === "give-up") {
      if (this.#waiting.size === 0) this.#clock.after(0, () => this.#turn());
      this.#waiting.set(id, [order]);
    } else {
      // Who stops ends all sessions, those that have not been taken up yet too.
      if (order.order === "stop") this.#obeyAll([...this.#waiting.keys()]);
      this.#obey(order);
    }
  }

  #turn(): void {
    const [first] = this.#waiting.keys();
    if (first !== undefined) this.#obeyAll([first]);
    if (this.#waiting.size > 0) this.#clock.after(0, () => this.#turn());
  }

  #obeyAll(ids: readonly string[]): void {
    for (const id of ids) {
      const orders = this.#waiting.get(id) ?? [];
      this.#waiting.delete(id);
      for (const order of orders) this.#obey(order);
    }
  }
}
