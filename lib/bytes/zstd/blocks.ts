/**
 * The blocks of a zstd frame, decoded (RFC 8878, section 3.1.1.2).
 *
 * @module
 */

import type { ByteReader } from "./byte_reader.ts";
import { ChecksumError, ensure } from "./corrupt.ts";
import { CHECKSUM_BYTES, littleEndian, take } from "./fields.ts";
import type { FrameHeader } from "./frame_header.ts";
import { LiteralsDecoder } from "./literals.ts";
import type { FrameMemory } from "./frame_memory.ts";
import { OutputWindow } from "./output_window.ts";
import { SequencesDecoder } from "./sequences.ts";
import { XxHash64 } from "./xxhash64.ts";

const HEAD_BYTES = 3;
const RAW = 0;
const RLE = 1;
const COMPRESSED = 2;
/** Blocks may be tiny and millions: they are given together, up to this size and one more. */
const PIECE_BYTES = 2 ** 16;

/**
 * Decodes what follows a frame's header to the frame's end. Each piece is good only until the next one is asked for.
 *
 * @param checksum whether to compute and compare the checksum, a third of the work
 * @param memory of earlier frames
 * @throws {CorruptStreamError}, {TruncatedStreamError}, {ChecksumError}
 */
export async function* decodeBlocks(
  reader: ByteReader,
  { windowBytes, blockLimit, contentBytes, hasChecksum, singleSegment }: FrameHeader,
  checksum: boolean,
  memory: FrameMemory,
): AsyncGenerator<Uint8Array, void> {
  const out = new OutputWindow(windowBytes, blockLimit, memory);
  // A frame without compressed blocks has no need of them.
  let literals: LiteralsDecoder | undefined;
  let sequences: SequencesDecoder | undefined;
  const hash = checksum && hasChecksum ? new XxHash64() : undefined;
  let produced = 0;
  const takePiece = () => {
    const piece = out.takePiece();
    produced += piece.byteLength;
    hash?.update(piece);
    return piece;
  };
  try {
    for (let last = false; !last;) {
      const head = littleEndian(reader.takeNow(HEAD_BYTES) ?? await take(reader, HEAD_BYTES), 0, HEAD_BYTES);
      last = (head & 1) === 1;
      const type = head >> 1 & 3;
      const size = head >> 3;
      ensure(type <= COMPRESSED, "a block is of no known type");
      ensure(type === RLE || size <= blockLimit, "a block is too large");
      const length = type === RLE ? 1 : size;
      const bytes = reader.takeNow(length) ?? await take(reader, length);
      if (out.isFull && out.readyBytes > 0) yield takePiece();
      out.beginBlock();
      if (type === RAW) out.append(bytes, 0, size);
      else if (type === RLE) out.fill(bytes[0]!, size);
      else {
        const section = (literals ??= new LiteralsDecoder(blockLimit, memory)).decode(bytes, size);
        sequences ??= new SequencesDecoder();
        sequences.execute(bytes, section.end, size, section.literals, out);
      }
      out.endBlock();
      if (out.readyBytes >= PIECE_BYTES || (last && out.readyBytes > 0)) yield takePiece();
    }
  } catch (error) {
    if (out.readyBytes > 0) yield takePiece();
    throw error;
  }
  ensure(contentBytes === null || contentBytes === produced, "the frame's content size is wrong");
  // The format forbids bits that are left over. The zstd program lets them pass in a single segment, where it decodes into
  // its output directly; elsewhere the checksum has the last word, if there is one.
  ensure(
    hasChecksum || singleSegment || sequences?.hasLeftOver !== true,
    "sequences do not end where they should",
  );
  if (!hasChecksum) return;
  const expected = littleEndian(await take(reader, CHECKSUM_BYTES), 0, CHECKSUM_BYTES);
  if (hash !== undefined && hash.low32() !== expected) throw new ChecksumError("the checksum is wrong");
}
