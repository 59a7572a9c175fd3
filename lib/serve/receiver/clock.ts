/**
 * Time as a receiver knows it: the machine's, or a simulation's.
 *
 * @module
 */

/** A clock. */
export interface Clock {
  /** Monotonic time in ms. */
  now(): number;
  /** Unix time in ms. */
  unixMs(): number;
  /** Does something after a while; returns how to take that back. */
  after(waitMs: number, action: () => void): () => void;
}

/** The time of this machine. */
export const realClock: Clock = {
  now: () => performance.now(),
  unixMs: () => Date.now(),
  after: (waitMs, action) => {
    const timer = setTimeout(action, waitMs);
    return () => clearTimeout(timer);
  },
};
