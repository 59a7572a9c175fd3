/**
 * Bytes that are read by offset, whatever holds them: a file, a window of another source, memory, or what lies below
 * encryption and compression.
 *
 * @module
 */

/** Bytes that can be read by offset. */
export interface Source {
  /** Bytes in all; `null` where only reading all of it would tell (compressed). */
  readonly size: number | null;
  /** Whether a read costs the same wherever it is; else going back means starting again from the front. */
  readonly randomAccess: boolean;
  /**
   * Reads `length` bytes at `offset`: fewer only where the data ends, none beyond it.
   *
   * @param length at most {@linkcode MAX_READ_BYTES}: it never comes from a dump unchecked
   * @throws {Error} of the file system
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Gives back what reading took: file descriptors, decoders. */
  close(): void;
}

/** The largest single read: longer spans are read piece by piece. */
export const MAX_READ_BYTES = 16 * 2 ** 20;

/** A window of another source, which it does not own: closing it does nothing. */
export class WindowSource implements Source {
  readonly size: number | null;
  readonly randomAccess: boolean;
  readonly #source: Source;
  readonly #start: number;
  readonly #length: number;

  /** @param length bytes of the window; it ends earlier where the source does */
  constructor(source: Source, start: number, length: number = Infinity) {
    this.#source = source;
    this.#start = start;
    this.#length = length;
    this.randomAccess = source.randomAccess;
    this.size = source.size === null ? null : Math.max(0, Math.min(length, source.size - start));
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    const left = Math.max(0, Math.min(length, this.#length - offset));
    return this.#source.read(this.#start + offset, left);
  }

  close(): void {}
}

/**
 * Reads `length` bytes at `offset`; fewer only where the data ends, none beyond it. Callers bound `length`
 * themselves: it never comes from a dump unchecked. The bytes are theirs to keep: no later read changes them.
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

/** The largest single read that {@linkcode readSpan} asks for. */
const PIECE_SIZE = 1024 * 1024;

/**
 * Reads a span piece by piece, so that a file which ends in its first piece costs only the memory of what is there.
 *
 * @param length bounded by the caller
 */
export async function readSpan(readAt: ReadAt, offset: number, length: number): Promise<Uint8Array> {
  const first = await readAt(offset, Math.min(PIECE_SIZE, length));
  if (length <= PIECE_SIZE || first.byteLength < PIECE_SIZE) return first;
  const span = new Uint8Array(length);
  span.set(first);
  let found = PIECE_SIZE;
  while (found < length) {
    const asked = Math.min(PIECE_SIZE, length - found);
    const piece = await readAt(offset + found, asked);
    span.set(piece, found);
    found += piece.byteLength;
    if (piece.byteLength < asked) break;
  }
  return span.subarray(0, found);
}

/** Rounds up to a multiple of `unit`. */
export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
