/**
 * Random access to the bytes of a dump, whatever holds them.
 *
 * @module
 */

/**
 * Reads `length` bytes at `offset`; fewer only where the data ends, none beyond it. Callers bound `length`
 * themselves: it never comes from a dump unchecked.
 */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

/** A stretch of a file, in bytes. */
export interface Extent {
  readonly offset: number;
  readonly size: number;
}

/** Makes bytes in memory readable like a file. */
export function readAtOf(bytes: Uint8Array): ReadAt {
  return (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length));
}

/** Makes a stretch of a file readable as a file of its own. */
export function readAtWithin(readAt: ReadAt, extent: Extent): ReadAt {
  return (offset, length) => {
    const available = Math.max(0, extent.size - offset);
    return readAt(extent.offset + offset, Math.min(length, available));
  };
}

/** Rounds up to a multiple of `unit`. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
