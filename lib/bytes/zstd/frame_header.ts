/**
 * The header of a zstd frame (RFC 8878, section 3.1.1.1).
 *
 * @module
 */

import type { ByteReader } from "./byte_reader.ts";
import { ensure, UnsupportedStreamError } from "./corrupt.ts";
import { littleEndian, take } from "./fields.ts";

/** The most that a block holds, compressed or not. */
const MAX_BLOCK_BYTES = 128 * 2 ** 10;

/** What a frame says about itself. */
export interface FrameHeader {
  readonly windowBytes: number;
  /** The most that a block holds in this frame. */
  readonly blockLimit: number;
  readonly contentBytes: number | null;
  readonly hasChecksum: boolean;
  readonly singleSegment: boolean;
}

/**
 * Reads what follows the magic.
 *
 * @param mostWindowBytes the largest window that it may ask for
 * @throws {CorruptStreamError}, {TruncatedStreamError}, {UnsupportedStreamError}
 */
export async function readFrameHeader(reader: ByteReader, mostWindowBytes: number): Promise<FrameHeader> {
  const descriptor = (await take(reader, 1))[0]!;
  ensure((descriptor & 8) === 0, "a reserved bit of the frame header is set");
  const singleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 1 << sizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const bytes = await take(reader, (singleSegment ? 0 : 1) + dictionaryBytes + sizeBytes);
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
  return { windowBytes, blockLimit, contentBytes, hasChecksum: (descriptor & 4) !== 0, singleSegment };
}
