/**
 * How a file is cut into the parts of an upload, pure. It depends on its size alone, so that a later process cuts alike.
 *
 * @module
 */
const MIB = 2 ** 20;
const PART_BYTES = 16 * MIB;
/** A store takes ten thousand, and objects of five terabytes. */
const MAX_PARTS = 9000;

/** Size of each part but the last, in bytes; a file that is no longer is stored in one request. */
export function partBytes(sizeBytes: number): number {
  return Math.max(PART_BYTES, Math.ceil(sizeBytes / MAX_PARTS / MIB) * MIB);
}

/** A part of a file. */
export interface Part {
  /** From 1. */
  readonly number: number;
  readonly start: number;
  readonly sizeBytes: number;
}

/** The parts of a file, in order; none of an empty one. */
export function* cutParts(sizeBytes: number): Generator<Part> {
  const most = partBytes(sizeBytes);
  for (let start = 0, number = 1; start < sizeBytes; start += most, number++) {
    yield { number, start, sizeBytes: Math.min(most, sizeBytes - start) };
  }
}
