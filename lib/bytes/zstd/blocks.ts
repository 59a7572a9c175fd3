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
import { type OutputMemory, OutputWindow } from "./output_window.ts";
import { SequencesDecoder } from "./sequences.ts";
import { XxHash64 } from "./xxhash64.ts";

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
  memory: OutputMemory,
): AsyncGenerator<Uint8Array, void> {
  const out = new OutputWindow(windowBytes, blockLimit, memory);
  const literals = new LiteralsDecoder(blockLimit);
  const sequences = new SequencesDecoder();
  const hash = checksum && hasChecksum ? new XxHash64() : undefined;
  let produced = 0;
  for (let last = false; !last;) {
    const head = littleEndian(await take(reader, 3), 0, 3);
    last = (head & 1) === 1;
    const size = head >> 3;
    out.beginBlock();
    switch (head >> 1 & 3) {
      case 0:
        ensure(size <= blockLimit, "a block is too large");
        out.append(await take(reader, size), 0, size);
        break;
      case 1:
        out.fill((await take(reader, 1))[0]!, size);
        break;
      case 2: {
        ensure(size <= blockLimit, "a block is too large");
        const bytes = await take(reader, size);
        const section = literals.decode(bytes, size);
        sequences.execute(bytes, section.end, size, section.literals, out);
        break;
      }
      default:
        ensure(false, "a block is of no known type");
    }
    const block = out.block();
    produced += block.byteLength;
    hash?.update(block);
    if (block.byteLength > 0) yield block;
  }
  ensure(contentBytes === null || contentBytes === produced, "the frame's content size is wrong");
  // The format forbids bits that are left over. The zstd program lets them pass in a single segment, where it decodes into
  // its output directly; elsewhere the checksum has the last word, if there is one.
  ensure(hasChecksum || singleSegment || !sequences.hasLeftOver, "sequences do not end where they should");
  if (!hasChecksum) return;
  const expected = littleEndian(await take(reader, CHECKSUM_BYTES), 0, CHECKSUM_BYTES);
  if (hash !== undefined && hash.low32() !== expected) throw new ChecksumError("the checksum is wrong");
}
