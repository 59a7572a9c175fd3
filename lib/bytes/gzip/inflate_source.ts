/**
 * A deflate stream within a source: by our inflater, or by the native one.
 *
 * @module
 */

import type { NativeDecoder } from "../native_decoder.ts";
import type { Source } from "../source.ts";
import { Inflater, type InflaterMemory } from "./inflate.ts";

const PIECE_BYTES = 2 ** 17;
/** Streams may be tiny and many: no more is taken at first. */
const FIRST_PIECE_BYTES = 2 ** 12;

/** How a deflate stream ended, and where: its own end, that of the source, or of what makes sense. */
export interface InflateEnd {
  readonly reason: "end" | "truncated" | "corrupt";
  readonly consumed: number;
  /** As in {@linkcode StreamEnd}. */
  readonly surplusBytes?: number;
}

/**
 * Inflates what begins at `start`. Each piece is good only until the next one is asked for.
 *
 * @param memory that one stream after another uses
 */
export async function* inflate(
  source: Source,
  start: number,
  memory: InflaterMemory,
): AsyncGenerator<Uint8Array, InflateEnd> {
  const inflater = new Inflater(memory);
  let pieceBytes = FIRST_PIECE_BYTES;
  let position = start;
  for (;;) {
    const step = inflater.step();
    const given = inflater.take();
    if (given.byteLength > 0) yield given;
    switch (step) {
      case "input": {
        const piece = await source.read(position, pieceBytes);
        inflater.give(piece, piece.byteLength < pieceBytes);
        position += piece.byteLength;
        pieceBytes = Math.min(2 * pieceBytes, PIECE_BYTES);
        break;
      }
      case "output":
        break;
      case "truncated":
        return { reason: "truncated", consumed: position };
      case "corrupt":
      case "end":
        return { reason: step, consumed: position - inflater.unused };
    }
  }
}

/**
 * The same by the native decoder.
 *
 * @throws {NativeDecoderError} where it refuses the stream
 */
export async function* inflateNatively(
  source: Source,
  start: number,
  decoder: NativeDecoder,
): AsyncGenerator<Uint8Array, InflateEnd> {
  decoder.reset();
  let position = start;
  for (;;) {
    const piece = await source.read(position, PIECE_BYTES);
    position += piece.byteLength;
    const unused = yield* decoder.decode(piece);
    if (unused > 0) return { reason: "end", consumed: position - unused };
    // A stream that ends with the source has no trailer behind it: cut in either case.
    if (piece.byteLength < PIECE_BYTES) return { reason: "truncated", consumed: position };
  }
}
