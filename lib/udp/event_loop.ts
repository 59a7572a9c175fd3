/**
 * Turns of the event loop, which sessions of one receiver share.
 *
 * While datagrams are queued, a receive resolves in a microtask, and a send is through in one: the quick way. But
 * Tokio lets 128 operations pass in a turn, and makes all further ones wait until it looks for events of the system
 * again, which it does every 61 turns as long as anything else is to be done. With 16 clients at full speed, acks
 * waited 0.1 to 1.2 s like that. So everyone counts what is done, leaves the rest to the next turn, and no operation
 * is ever made to wait.
 *
 * @module
 */
import { clearImmediate, setImmediate } from "node:timers";

/** Operations of a turn: Tokio's 128, less some for messages, timers and files. */
const OPERATIONS_PER_TURN = 120;
/** Receives end here, so that there is room for the acks of a batch. */
const RECEIVES_PER_TURN = 72;
/** A setImmediate that takes longer is one that sleeps. */
const QUICK_MS = 0.5;
/** A busy machine may make any of them look slow. */
const MOST_TRIALS = 8;

/**
 * The turns of this thread's event loop. Which macrotask is the quickest depends on the Deno: on 2.4 a message port's
 * is, and setImmediate costs a millisecond; on 2.9 setImmediate costs microseconds, and the message port does not
 * wait for the turn's end once it is busy, so that it comes after every one or two datagrams. Timers always cost a
 * millisecond. So {@linkcode EventLoop.tune} tries it.
 */
export class EventLoop {
  readonly #channel = new MessageChannel();
  #waiting: (() => void)[] = [];
  #operations = 0;
  #posted = false;
  #closed = false;
  #immediateIsQuick = false;
  #immediate: ReturnType<typeof setImmediate> | undefined;

  constructor() {
    this.#channel.port1.onmessage = this.#turn;
  }

  /** Tries whether setImmediate is quick here; best called while nothing else is to be done. */
  async tune(): Promise<void> {
    for (let trial = 0; trial < MOST_TRIALS && !this.#immediateIsQuick && !this.#closed; trial++) {
      const startedMs = performance.now();
      await new Promise<void>((resolve) => this.#immediate = setImmediate(resolve));
      this.#immediateIsQuick = performance.now() - startedMs < QUICK_MS;
    }
  }

  /** Counts receives and sends. */
  spend(operations: number): void {
    this.#operations += operations;
  }

  /** Sends that there is room for in this turn. */
  get room(): number {
    return OPERATIONS_PER_TURN - this.#operations;
  }

  /** Whether receives have to wait for the next turn. */
  get spent(): boolean {
    return this.#operations >= RECEIVES_PER_TURN;
  }

  /** Resolves in the next turn: when all that could be received at once is received, or the turn has been spent. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#post();
    });
  }

  /** Lets nobody wait any more: what waits now waits for ever. */
  close(): void {
    this.#closed = true;
    this.#channel.port1.close();
    this.#channel.port2.close();
    clearImmediate(this.#immediate);
  }

  #post(): void {
    if (this.#posted || this.#closed) return;
    this.#posted = true;
    if (this.#immediateIsQuick) {
      this.#immediate = setImmediate(this.#turn);
      return;
    }
    this.#channel.port2.postMessage(0);
  }

  readonly #turn = (): void => {
    this.#posted = false;
    this.#operations = 0;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  };
}
