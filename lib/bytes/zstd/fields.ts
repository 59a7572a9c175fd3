/**
 * Fields of zstd's headers.
 *
 * @module
 */

import type { ByteReader } from "./byte_reader.ts";
import { TruncatedStreamError } from "./corrupt.ts";

/** Bytes of the checksum behind a frame's last block. */
export const CHECKSUM_BYTES = 4;

/**
 * Takes exactly `count` bytes, with zeros or later bytes behind them.
 *
 * @throws {TruncatedStreamError}
 */
export async function take(reader: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = await reader.take(count);
  if (bytes === undefined) throw new TruncatedStreamError("a frame is cut");
  return bytes;
}

/** Reads up to 8 bytes; what exceeds 2^53 loses precision, which no caller minds. */
export function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}
