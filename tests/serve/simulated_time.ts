/**
 * Simulated time: events run in the order of their times, and a day passes in as long as its events take.
 *
 * @module
 */

interface Event {
  readonly atMs: number;
  /** Events of the same time run in the order they were made. */
  readonly order: number;
  readonly action: () => void | Promise<void>;
}

/** A clock and the events that wait for it. */
export class SimulatedTime {
  nowMs = 0;
  /** A binary heap, the next event first. */
  readonly #events: Event[] = [];
  #made = 0;

  /** Runs `action` at a time; one that has passed means as soon as possible. */
  at(atMs: number, action: () => void | Promise<void>): void {
    const events = this.#events;
    const event = { atMs: Math.max(atMs, this.nowMs), order: this.#made++, action };
    let at = events.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!precedes(event, events[parent]!)) break;
      events[at] = events[parent]!;
      at = parent;
    }
    events[at] = event;
  }

  /** Runs `action` after a while. */
  after(waitMs: number, action: () => void | Promise<void>): void {
    this.at(this.nowMs + waitMs, action);
  }

  /** Runs events until none is left, `untilMs` has come or `isOver` says so; an event that takes promises is waited for. */
  async run(untilMs: number, isOver: () => boolean): Promise<void> {
    for (let event = this.#take(untilMs); event !== undefined; event = this.#take(untilMs)) {
      this.nowMs = event.atMs;
      const waiting = event.action();
      if (waiting !== undefined) await waiting;
      if (isOver()) return;
    }
  }

  #take(untilMs: number): Event | undefined {
    const events = this.#events;
    const first = events[0];
    if (first === undefined || first.atMs > untilMs) return undefined;
    const last = events.pop()!;
    if (events.length === 0) return first;
    let at = 0;
    for (let child = 1; child < events.length; child = 2 * at + 1) {
      if (child + 1 < events.length && precedes(events[child + 1]!, events[child]!)) child++;
      if (!precedes(events[child]!, last)) break;
      events[at] = events[child]!;
      at = child;
    }
    events[at] = last;
    return first;
  }
}

function precedes(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
