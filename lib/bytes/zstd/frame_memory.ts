/**
 * Memory that one frame after another uses: a stream of a million small frames must not take a million times a megabyte.
 *
 * @module
 */

/** Each part is as large as the frame that asked for most. What earlier frames left there must not be reached. */
export interface FrameMemory {
  output: Uint8Array<ArrayBuffer>;
  literals: Uint8Array<ArrayBuffer>;
}

/** None yet. */
export function noFrameMemory(): FrameMemory {
  return { output: new Uint8Array(), literals: new Uint8Array() };
}
