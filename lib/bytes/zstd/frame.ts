/**
 * zstd frames (RFC 8878, section 3.1). node:zlib's decoder is absent in older Denos; in newer ones it keeps silent
 * about a cut stream and never returns from a wrong checksum (reference kernel-dump-formats.md, section 8).
 *
 * @module
 */

import type { Source } from "../source.ts";
import { isGarbage, type StreamEnd } from "../stream_end.ts";
import { ByteReader } from "./byte_reader.ts";
import { CorruptStreamError, ensure } from "./corrupt.ts";
import { LiteralsDecoder } from "./literals.ts";
import { type OutputMemory, OutputWindow } from "./output_window.ts";
import { SequencesDecoder } from "./sequences.ts";
import { XxHash64 } from "./xxhash64.ts";

const MAGIC = 0xfd2fb528;
/** Bytes behind the last frame that are looked at: what pads a dump is shorter. */
const LOOK_BEHIND_BYTES = 4096;
/** Frames to skip have one of 16 magics. */
const SKIPPABLE_MAGIC = 0x184d2a5;
/** The zstd program's own limit. The kernel's level asks for 2 to 8 MiB. */
const MAX_WINDOW = 128 * 2 ** 20;
const MAX_BLOCK = 128 * 2 ** 10;

interface FrameHeader {
  readonly windowBytes: number;
  readonly contentBytes: number | null;
  readonly hasChecksum: boolean;
  readonly singleSegment: boolean;
}

class TruncatedError extends Error {}
class UnsupportedError extends Error {}

/**
 * Decompresses the frames of a source from its front. Each piece is good only until the next one is asked for. It
 * never throws for what the stream holds: the return value says how it ended.
 *
 * @param options.checksum whether to compute and compare the checksum, a third of the work
 * @param options.mostWindowBytes the largest window a frame may ask for; by default the zstd program's own limit
 */
export async function* decompressZstd(
  source: Source,
  options: { readonly checksum: boolean; readonly mostWindowBytes?: number },
): AsyncGenerator<Uint8Array, StreamEnd> {
  const reader = new ByteReader(source);
  const memory: OutputMemory = { bytes: new Uint8Array() };
  let consumed = 0;
  try {
    do {
      yield* decompressFrame(reader, options, source.size, memory);
      consumed = reader.position;
      // zstd's own streams may have several frames; the kernel writes one.
    } while (await beginsFrame(reader));
    const behind = await reader.peek(LOOK_BEHIND_BYTES);
    return { reason: "end", consumed, ...(isGarbage(behind) ? { followedByGarbage: true } : {}) };
  } catch (error) {
    if (error instanceof TruncatedError) return { reason: "truncated", consumed: reader.position };
    if (error instanceof CorruptStreamError) {
      return { reason: "corrupt", consumed: reader.position, detail: error.message };
    }
    if (error instanceof ChecksumError) return { reason: "checksum", consumed: reader.position };
    if (error instanceof UnsupportedError) {
      return { reason: "unsupported", consumed: reader.position, detail: error.message };
    }
    throw error;
  }
}

class ChecksumError extends Error {}

async function beginsFrame(reader: ByteReader): Promise<boolean> {
  const bytes = await reader.peek(4);
  const magic = bytes.byteLength < 4 ? 0 : littleEndian(bytes, 0, 4);
  return magic === MAGIC || Math.floor(magic / 16) === SKIPPABLE_MAGIC;
}

async function* decompressFrame(
  reader: ByteReader,
  { checksum, mostWindowBytes = MAX_WINDOW }: {
    readonly checksum: boolean;
    readonly mostWindowBytes?: number;
  },
  sourceSize: number | null,
  memory: OutputMemory,
): AsyncGenerator<Uint8Array, void> {
  const magic = littleEndian(await take(reader, 4), 0, 4);
  if (Math.floor(magic / 16) === SKIPPABLE_MAGIC) {
    const size = littleEndian(await take(reader, 4), 0, 4);
    reader.skip(size);
    if (sourceSize !== null && reader.position > sourceSize) throw new TruncatedError();
    return;
  }
  ensure(magic === MAGIC, "there is no frame");
  const { windowBytes, contentBytes, hasChecksum, singleSegment } = await readFrameHeader(
    reader,
    mostWindowBytes,
  );
  const blockLimit = Math.min(MAX_BLOCK, windowBytes);
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
  const expected = littleEndian(await take(reader, 4), 0, 4);
  if (hash !== undefined && hash.low32() !== expected) throw new ChecksumError();
}

async function readFrameHeader(reader: ByteReader, mostWindowBytes: number): Promise<FrameHeader> {
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
    throw new UnsupportedError("it needs a dictionary");
  }
  const contentBytes = sizeBytes === 0
    ? null
    : littleEndian(bytes, sizeAt, sizeBytes) + (sizeBytes === 2 ? 256 : 0);
  const exponent = 10 + (bytes[0]! >> 3);
  const windowBytes = singleSegment
    ? contentBytes ?? 0
    : 2 ** exponent + 2 ** (exponent - 3) * (bytes[0]! & 7);
  if (windowBytes > mostWindowBytes) {
    throw new UnsupportedError(`it needs a window of ${windowBytes} bytes, more than ${mostWindowBytes}`);
  }
  return { windowBytes, contentBytes, hasChecksum: (descriptor & 4) !== 0, singleSegment };
}

/** Takes exactly `count` bytes, with zeros or later bytes behind them. */
async function take(reader: ByteReader, count: number): Promise<Uint8Array> {
  const bytes = await reader.take(count);
  if (bytes === undefined) throw new TruncatedError();
  return bytes;
}

/** Reads up to 8 bytes; what exceeds 2^53 loses precision, which no caller minds. */
function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}
