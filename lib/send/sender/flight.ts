/**
 * The messages between the oldest that is not acknowledged and the newest sent, and the order in which they were
 * last sent. One entry a message in typed arrays: nothing is allocated while a dump is sent.
 *
 * @module
 */

/** What is known of a message. */
export const MessageState = { UNSENT: 0, IN_FLIGHT: 1, LOST: 2, ACKNOWLEDGED: 3 } as const;
/** One of {@linkcode MessageState}'s numbers. */
export type MessageState = typeof MessageState[keyof typeof MessageState];

const NONE = -1;

/** The messages of a sender with a window, by number. */
export class Flight {
  /** Messages from the oldest on that there is room for; a power of two. */
  readonly span: number;
  readonly #mask: number;
  readonly #state: Uint8Array;
  readonly #number: Float64Array;
  readonly #sentAt: Float64Array;
  readonly #firstSentAt: Float64Array;
  readonly #order: Float64Array;
  readonly #tries: Uint32Array;
  readonly #inFlight: SlotList;
  readonly #lost: SlotList;
  #oldest = 0;
  #end = 0;
  #transmissions = 0;

  /** @param span a power of two */
  constructor(span: number) {
    if (!Number.isInteger(Math.log2(span))) throw new RangeError(`Cannot keep a flight of ${span} messages`);
    this.span = span;
    this.#mask = span - 1;
    this.#state = new Uint8Array(span);
    this.#number = new Float64Array(span);
    this.#sentAt = new Float64Array(span);
    this.#firstSentAt = new Float64Array(span);
    this.#order = new Float64Array(span);
    this.#tries = new Uint32Array(span);
    // A message is in one of the lists or in none, so they can share their links.
    const links = { earlier: new Int32Array(span), later: new Int32Array(span) };
    this.#inFlight = new SlotList(links);
    this.#lost = new SlotList(links);
  }

  /** Messages in flight: sent, and neither acknowledged nor lost. */
  get size(): number {
    return this.#inFlight.size;
  }

  /** Messages lost and not yet sent again. */
  get lostSize(): number {
    return this.#lost.size;
  }

  /** The oldest message that is not acknowledged; if all are, the one after the newest. */
  get oldest(): number {
    return this.#oldest;
  }

  /** The message after the newest sent. */
  get end(): number {
    return this.#end;
  }

  /** Tells whether there is room for a new message. */
  get hasRoom(): boolean {
    return this.#end - this.#oldest < this.span;
  }

  /** Transmissions so far, resends included: the order number of the next. */
  get transmissions(): number {
    return this.#transmissions;
  }

  /** The message in flight whose last transmission is the longest ago; -1 if none is in flight. */
  get earliest(): number {
    const slot = this.#inFlight.first;
    return slot === NONE ? NONE : this.#number[slot] ?? NONE;
  }

  state(number: number): MessageState {
    if (number < this.#oldest) return MessageState.ACKNOWLEDGED;
    if (number >= this.#end) return MessageState.UNSENT;
    return this.#state[number & this.#mask] as MessageState;
  }

  /** When a message was last sent. */
  sentAt(number: number): number {
    return this.#sentAt[number & this.#mask] ?? 0;
  }

  /** When a message was first sent. */
  firstSentAt(number: number): number {
    return this.#firstSentAt[number & this.#mask] ?? 0;
  }

  /** The place of a message's last transmission among all transmissions. */
  order(number: number): number {
    return this.#order[number & this.#mask] ?? 0;
  }

  /** How often a message was sent. */
  tries(number: number): number {
    return this.#tries[number & this.#mask] ?? 0;
  }

  /** Sends the message after the newest; there must be room. */
  sendNew(nowMs: number): number {
    const number = this.#end++;
    const slot = number & this.#mask;
    this.#number[slot] = number;
    this.#firstSentAt[slot] = nowMs;
    this.#tries[slot] = 0;
    this.#launch(slot, nowMs);
    return number;
  }

  /** Sends the message again that was lost first; there must be one. */
  sendLost(nowMs: number): number {
    const slot = this.#lost.first;
    this.#lost.remove(slot);
    this.#launch(slot, nowMs);
    return this.#number[slot] ?? NONE;
  }

  /** Declares a message in flight lost: it is to be sent again. */
  lose(number: number): void {
    const slot = number & this.#mask;
    this.#inFlight.remove(slot);
    this.#lost.append(slot);
    this.#state[slot] = MessageState.LOST;
  }

  /** Takes in that a message in flight or lost was acknowledged. */
  acknowledge(number: number): void {
    const slot = number & this.#mask;
    (this.#state[slot] === MessageState.LOST ? this.#lost : this.#inFlight).remove(slot);
    this.#state[slot] = MessageState.ACKNOWLEDGED;
    while (
      this.#oldest < this.#end && this.#state[this.#oldest & this.#mask] === MessageState.ACKNOWLEDGED
    ) {
      this.#oldest++;
    }
  }

  #launch(slot: number, nowMs: number): void {
    this.#state[slot] = MessageState.IN_FLIGHT;
    this.#sentAt[slot] = nowMs;
    this.#order[slot] = this.#transmissions++;
    this.#tries[slot] = (this.#tries[slot] ?? 0) + 1;
    this.#inFlight.append(slot);
  }
}

/** A doubly linked list of slots. */
class SlotList {
  readonly #earlier: Int32Array;
  readonly #later: Int32Array;
  #last = NONE;
  first = NONE;
  size = 0;

  constructor(links: { readonly earlier: Int32Array; readonly later: Int32Array }) {
    this.#earlier = links.earlier;
    this.#later = links.later;
  }

  append(slot: number): void {
    this.#earlier[slot] = this.#last;
    this.#later[slot] = NONE;
    if (this.#last === NONE) this.first = slot;
    else this.#later[this.#last] = slot;
    this.#last = slot;
    this.size++;
  }

  remove(slot: number): void {
    const earlier = this.#earlier[slot] ?? NONE;
    const later = this.#later[slot] ?? NONE;
    if (earlier === NONE) this.first = later;
    else this.#later[earlier] = later;
    if (later === NONE) this.#last = earlier;
    else this.#earlier[later] = earlier;
    this.size--;
  }
}
