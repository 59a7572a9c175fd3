/**
 * The header of a zstd frame (RFC 8878, section 3.1.1.1).
 *
 * @module
 */

import { ensure, TruncatedStreamError, UnsupportedStreamError } from "./corrupt.ts";
import { littleEndian } from "./fields.ts";

/** The most that a frame header takes behind the magic. */
export const MAX_HEADER_BYTES = 14;
/** The most that a block holds, compressed or not. */
const MAX_BLOCK_BYTES = 128 * 2 ** 10;

/** What a frame says about itself. */
export interface FrameHeader {
  /** Its own length. */
  readonly headerBytes: number;
  readonly windowBytes: number;
  /** The most that a block holds in this frame. */
  readonly blockLimit: number;
  readonly contentBytes: number | null;
  readonly hasChecksum: boolean;
  readonly singleSegment: boolean;
}

/**
 * Decodes what follows the magic.
 *
 * @param ahead bytes from there on, as many as a header can have
 * @param mostWindowBytes the largest window that it may ask for
 * @throws {CorruptStreamError}, {TruncatedStreamError}, {UnsupportedStreamError}
 */
export function decodeFrameHeader(ahead: Uint8Array, mostWindowBytes: number): FrameHeader {
  const descriptor = ahead[0];
  if (descriptor === undefined) throw new TruncatedStreamError("a frame is cut");
  ensure((descriptor & 8) === 0, "a reserved bit of the frame header is set");
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const headerBytes = 1 + (singleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
  if (ahead.byteLength < headerBytes) throw new TruncatedStreamError("a frame is cut");
  const bytes = ahead.subarray(1, headerBytes);
  const dictionaryAt = singleSegment ? 0 : 1;
  const sizeAt = dictionaryAt + dictionaryBytes;
  if (littleEndian(bytes, dictionaryAt, dictionaryBytes) !== 0) {
    throw new UnsupportedStreamError("it needs a dictionary");
  }
  const contentBytes = sizeBytes === 0
    ? null
    : littleEndian(bytes, sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  const exponent = 10 + (bytes[0]! >> 3);
  const windowBytes = singleSegment
    ? contentBytes ?? 0
    : 2 ** exponent + 2 ** (exponent - 3) * (bytes[0]! & 7);
  if (windowBytes > mostWindowBytes) {
    throw new UnsupportedStreamError(
      `it needs a window of ${windowBytes} bytes, more than ${mostWindowBytes}`,
    );
  }
  const blockLimit = Math.min(MAX_BLOCK_BYTES, windowBytes);
  const hasChecksum = (descriptor & 4) !== 0;
  return { headerBytes, windowBytes, blockLimit, contentBytes, hasChecksum, singleSegment };
}
