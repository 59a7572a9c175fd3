/**
 * zstd frames, one after another (RFC 8878, section 3.1).
 *
 * @module
 */

import type { Source } from "../source.ts";
import { isGarbage, type StreamEnd } from "../stream_end.ts";
import { ByteReader } from "./byte_reader.ts";
import { decodeEitherWay } from "../decode_either_way.ts";
import { decodeMetered, type MeteredSource } from "../metered_source.ts";
import { type NativeDecoder, nativeDecoder } from "../native_decoder.ts";
import { decodeBlocks } from "./blocks.ts";
import {
  ChecksumError,
  CorruptStreamError,
  ensure,
  TruncatedStreamError,
  UnsupportedStreamError,
} from "./corrupt.ts";
import { littleEndian, take } from "./fields.ts";
import { decodeFrameHeader, MAX_HEADER_BYTES } from "./frame_header.ts";
import { decodeBlocksNatively, isForNative } from "./native_blocks.ts";
import { type FrameMemory, noFrameMemory } from "./frame_memory.ts";

const MAGIC = 0xfd2fb528;
const MAGIC_BYTES = 4;
/** Bytes behind the last frame that are looked at: what pads a dump is shorter. */
const LOOK_BEHIND_BYTES = 4096;
/** Frames to skip have one of 16 magics. */
const SKIPPABLE_MAGIC = 0x184d2a5;
/** The zstd program's own limit. The kernel's level asks for 2 to 8 MiB. */
const MAX_WINDOW = 128 * 2 ** 20;

/** What the frames of a stream have in common. */
interface Decoding {
  readonly input: MeteredSource;
  readonly reader: ByteReader;
  readonly sourceSize: number | null;
  readonly checksum: boolean;
  readonly mostWindowBytes: number;
  readonly memory: FrameMemory;
  /** Until it refuses a frame: a source that cannot go back must not begin again for each. */
  native: NativeDecoder | undefined;
  surplusBytes: number;
}

/**
 * Decompresses the frames of a source from its front. Each piece is good only until the next one is asked for. It
 * never throws for what the stream holds: the return value says how it ended.
 *
 * @param options.checksum whether a wrong checksum counts; without the native decoder it is a third of the work
 * @param options.mostWindowBytes the largest window a frame may ask for; by default the zstd program's own limit
 * @param options.native whether Deno's own decoder may do the work; it changes nothing but the time
 */
export function decompressZstd(source: Source, options: Options): AsyncGenerator<Uint8Array, StreamEnd> {
  return decodeMetered(source, (input) => decompressFrames(input, options));
}

/** See {@linkcode decompressZstd}. */
interface Options {
  readonly checksum: boolean;
  readonly mostWindowBytes?: number;
  readonly native?: boolean;
}

async function* decompressFrames(
  input: MeteredSource,
  options: Options,
): AsyncGenerator<Uint8Array, StreamEnd> {
  const reader = new ByteReader(input);
  const native = options.native ?? true ? nativeDecoder("zstd") : undefined;
  const decoding: Decoding = {
    input,
    reader,
    sourceSize: input.size,
    checksum: options.checksum,
    mostWindowBytes: options.mostWindowBytes ?? MAX_WINDOW,
    memory: noFrameMemory(),
    native,
    surplusBytes: 0,
  };
  let consumed = 0;
  try {
    do {
      yield* decompressFrame(decoding);
      consumed = reader.position;
      // zstd's own streams may have several frames; the kernel writes one.
    } while (await beginsFrame(reader));
    const behind = await reader.peek(LOOK_BEHIND_BYTES);
    return { reason: "end", consumed, ...(isGarbage(behind) ? { followedByGarbage: true } : {}) };
  } catch (error) {
    const end = { ...endOf(error), consumed: reader.position };
    return decoding.surplusBytes === 0 ? end : { ...end, surplusBytes: decoding.surplusBytes };
  } finally {
    native?.close();
  }
}

/** @throws {unknown} what says nothing about the stream */
function endOf(error: unknown): Pick<StreamEnd, "reason" | "detail"> {
  if (error instanceof TruncatedStreamError) return { reason: "truncated" };
  if (error instanceof CorruptStreamError) return { reason: "corrupt", detail: error.message };
  if (error instanceof ChecksumError) return { reason: "checksum" };
  if (error instanceof UnsupportedStreamError) return { reason: "unsupported", detail: error.message };
  throw error;
}

async function beginsFrame(reader: ByteReader): Promise<boolean> {
  const bytes = reader.peekNow(MAGIC_BYTES) ?? await reader.peek(MAGIC_BYTES);
  const magic = bytes.byteLength < MAGIC_BYTES ? 0 : littleEndian(bytes, 0, MAGIC_BYTES);
  return magic === MAGIC || isSkippable(magic);
}

async function* decompressFrame(decoding: Decoding): AsyncGenerator<Uint8Array, void> {
  const { input, reader, sourceSize, checksum, mostWindowBytes, memory, native } = decoding;
  const frameAt = reader.position;
  const magic = littleEndian(reader.takeNow(MAGIC_BYTES) ?? await take(reader, MAGIC_BYTES), 0, MAGIC_BYTES);
  if (isSkippable(magic)) {
    reader.skip(littleEndian(await take(reader, 4), 0, 4));
    skipFrames(reader);
    input.leftOut(reader.position - frameAt);
    if (sourceSize !== null && reader.position > sourceSize) throw new TruncatedStreamError("a frame is cut");
    return;
  }
  ensure(magic === MAGIC, "there is no frame");
  // Good for as long as nothing behind it is asked for.
  const ahead = reader.peekNow(MAX_HEADER_BYTES + 1) ?? await reader.peek(MAX_HEADER_BYTES + 1);
  const header = decodeFrameHeader(ahead, mostWindowBytes);
  const { headerBytes } = header;
  reader.skip(headerBytes);
  const blocksAt = reader.position;
  const own = () => decodeBlocks(reader, header, checksum, memory);
  if (native === undefined || !isForNative(header, ahead[headerBytes])) return yield* own();
  const front = frontOf(ahead.subarray(0, headerBytes));
  yield* decodeEitherWay(decodeBlocksNatively(reader, header, front, native), own, {
    refused: () => {
      decoding.native = undefined;
      reader.rewind(blocksAt);
    },
    surplus: (bytes) => decoding.surplusBytes = bytes,
  });
}

function isSkippable(magic: number): boolean {
  return Math.floor(magic / 16) === SKIPPABLE_MAGIC;
}

/** Passes over more frames to skip, as far as they are in memory: there may be millions, of eight bytes each. */
function skipFrames(reader: ByteReader): void {
  const bytes = reader.inMemory();
  let at = 0;
  while (at + 2 * MAGIC_BYTES <= bytes.byteLength && isSkippable(littleEndian(bytes, at, MAGIC_BYTES))) {
    const end = at + 2 * MAGIC_BYTES + littleEndian(bytes, at + MAGIC_BYTES, 4);
    if (end > bytes.byteLength) break;
    at = end;
  }
  reader.skip(at);
}

/** The magic and a header. */
function frontOf(header: Uint8Array): Uint8Array {
  const front = new Uint8Array(MAGIC_BYTES + header.byteLength);
  new DataView(front.buffer).setUint32(0, MAGIC, true);
  front.set(header, MAGIC_BYTES);
  return front;
}
