/**
 * The blocks of a zstd frame, decoded by the native decoder. It gets whole blocks only: their heads tell where the frame
 * ends (RFC 8878, section 3.1.1.2), so nothing that follows is taken for a part of it.
 *
 * It looks less closely than ours at how a block's literals end, and leaves that to the frame's checksum. So it takes only
 * frames that have one, and has nothing to say about a frame that is cut before it.
 *
 * @module
 */

import { type NativeDecoder, NativeDecoderError } from "../native_decoder.ts";
import type { ByteReader } from "./byte_reader.ts";
import { CHECKSUM_BYTES, littleEndian } from "./fields.ts";
import type { FrameHeader } from "./frame_header.ts";

const HEAD_BYTES = 3;
const RLE = 1;
const RESERVED = 3;

/**
 * Whether the native decoder takes a frame: by its checksum, and if it is more than a block, for ours begins sooner.
 *
 * @param first the first byte behind the header, if there is one
 */
export function isForNative({ hasChecksum }: FrameHeader, first: number | undefined): boolean {
  return hasChecksum && first !== undefined && (first & 1) === 0;
}

/** Whole blocks at the front of some bytes. */
interface Run {
  readonly bytes: number;
  /** The last one is the frame's last. */
  readonly ends: boolean;
}

/**
 * Decodes what follows a frame's header to the frame's end, its checksum compared. Each piece is good only until the next
 * one is asked for.
 *
 * @param front the frame's magic and header
 * @throws {NativeDecoderError} unless the frame is there in full and good
 */
export async function* decodeBlocksNatively(
  reader: ByteReader,
  { blockLimit }: FrameHeader,
  front: Uint8Array,
  decoder: NativeDecoder,
): AsyncGenerator<Uint8Array, void> {
  yield* decodeAll(decoder, front);
  for (let ends = false; !ends;) {
    const window = await reader.window(HEAD_BYTES + blockLimit);
    const run = wholeBlocks(window, blockLimit);
    yield* decodeAll(decoder, window.subarray(0, run.bytes));
    reader.skip(run.bytes);
    ends = run.ends;
  }
  const checksum = await reader.peek(CHECKSUM_BYTES);
  if (checksum.byteLength < CHECKSUM_BYTES) throw new NativeDecoderError("The checksum is cut");
  yield* decodeAll(decoder, checksum);
  reader.skip(CHECKSUM_BYTES);
}

function wholeBlocks(bytes: Uint8Array, blockLimit: number): Run {
  let at = 0;
  while (at + HEAD_BYTES <= bytes.byteLength) {
    const head = littleEndian(bytes, at, HEAD_BYTES);
    const type = head >> 1 & 3;
    const size = head >> 3;
    const end = at + HEAD_BYTES + (type === RLE ? 1 : size);
    if (type === RESERVED || size > blockLimit || end > bytes.byteLength) break;
    at = end;
    if ((head & 1) === 1) return { bytes: at, ends: true };
  }
  if (at === 0) throw new NativeDecoderError("A block is cut or breaks the format");
  return { bytes: at, ends: false };
}

function* decodeAll(decoder: NativeDecoder, bytes: Uint8Array): Generator<Uint8Array> {
  if ((yield* decoder.decode(bytes)) > 0) {
    throw new NativeDecoderError("The frame ends before its last block");
  }
}
