/**
 * Reading as much as was asked for: the system may give less at a time.
 *
 * @module
 */

import { readSync } from "node:fs";

/**
 * Fills memory from a position of an open file on.
 *
 * @param position in bytes
 * @returns the part that was filled: all of it, unless the file ends before
 */
export function readFully<B extends ArrayBufferLike>(
  fd: number,
  bytes: Uint8Array<B>,
  position: number,
): Uint8Array<B> {
  let filled = 0;
  while (filled < bytes.byteLength) {
    const count = readSync(fd, bytes, filled, bytes.byteLength - filled, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return bytes.subarray(0, filled);
}
