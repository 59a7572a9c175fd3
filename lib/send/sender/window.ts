/**
 * How many messages may be in flight.
 *
 * @module
 */
import { MAX_BATCH_SIZE } from "../../protocol/message.ts";

/** A limit of messages in flight. */
export interface Window {
  readonly size: number;
  /** The largest it may become. */
  readonly most: number;
  /**
   * A round trip's worth of messages has been acknowledged or lost.
   *
   * @param used whether the window was what limited it
   * @param roundTripMs how long a round trip takes at least, what waits in buffers left aside
   */
  onRound(delivered: number, lost: number, used: boolean, roundTripMs: number): void;
  /** No ack came for a while. */
  onTimeout(): void;
  /** What was taken for loss last was only delay. */
  onLateAck(): void;
}

/** A window that stays as the user set it. */
export class FixedWindow implements Window {
  constructor(readonly size: number) {}
  get most(): number {
    return this.size;
  }
  onRound(): void {}
  onTimeout(): void {}
  onLateAck(): void {}
}

/** Most messages in flight of an adaptive window: their acks still fit a socket's usual receive buffer. */
const MOST = 256;
/**
 * What any server's socket holds: two of a kernel's batches fit the buffer that Linux gives by default. More is in flight only where the
 * way is so long that it is the way that holds it.
 */
const HELD_BYTES = 2 * MAX_BATCH_SIZE;
const LONG_WAY_MS = 2;
/** Bytes that may always be in flight, within 2 and 16 messages: on a lossy path, waiting does not make it better. */
const LEAST_BYTES = 32768;
/** The same on a short way: every server takes a kernel's batch, so that what is lost of less is noise on the line. */
const LEAST_BYTES_NEAR = MAX_BATCH_SIZE;

/**
 * Growth in a round trip, in messages. With a shrinking by half of what was lost, a receive buffer that is full loses one
 * message a round trip, and one per cent of noise on the line leaves a window of 100.
 */
const STEP = 1 / 2;

/**
 * A window that starts with a little more than a kernel's batch, doubles until messages are lost, then grows by
 * steps and shrinks in proportion to what was lost: a receive buffer that overflows shows as a large share and is
 * backed away from, while a per cent of noise on the line costs a per cent of the window. On a short way it ends with what
 * any server's socket holds: more would fill a buffer, and gain nothing.
 *
 * Every server must take a kernel's batch. The one message more tells a server that holds back acks because of the
 * kernel's ack masks (P4) that this client is no kernel.
 */
export class AdaptiveWindow implements Window {
  readonly most = MOST;
  readonly #least: number;
  readonly #leastNear: number;
  /** Messages that any server's socket holds. */
  readonly #held: number;
  #exact: number;
  #beforeLoss: number;
  #doubling = true;

  constructor(payloadSize: number) {
    const first = Math.min(MOST, Math.ceil(MAX_BATCH_SIZE / payloadSize) + 1);
    this.#least = Math.max(2, Math.min(16, Math.floor(LEAST_BYTES / payloadSize)));
    this.#leastNear = Math.max(this.#least, Math.min(MOST, Math.floor(LEAST_BYTES_NEAR / payloadSize)));
    this.#held = Math.max(first, Math.min(MOST, Math.floor(HELD_BYTES / payloadSize)));
    this.#exact = first;
    this.#beforeLoss = first;
  }

  get size(): number {
    return Math.floor(this.#exact);
  }

  onRound(delivered: number, lost: number, used: boolean, roundTripMs: number): void {
    const isNear = roundTripMs < LONG_WAY_MS;
    const most = isNear ? this.#held : this.most;
    const least = isNear ? this.#leastNear : this.#least;
    if (lost > 0) {
      // A round that ended early is no measure: a message lost of two is one of a window.
      const share = lost / Math.max(delivered + lost, this.#exact);
      this.#shrink(1 - (this.#doubling ? share : share / 2), least);
      this.#doubling = false;
    } else if (used && this.#doubling) {
      this.#exact = Math.max(this.#exact, Math.min(most, 2 * this.#exact));
    }
    if (used && !this.#doubling) this.#exact = Math.max(this.#exact, Math.min(most, this.#exact + STEP));
  }

  onTimeout(): void {
    this.#doubling = false;
    this.#shrink(1 / 2, this.#least);
  }

  onLateAck(): void {
    this.#exact = Math.max(this.#exact, this.#beforeLoss);
  }

  #shrink(factor: number, least: number): void {
    this.#beforeLoss = this.#exact;
    this.#exact = Math.max(least, this.#exact * factor);
  }
}
