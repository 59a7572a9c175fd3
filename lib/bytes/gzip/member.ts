/**
 * gzip members, as the kernel and savecore write them, one a dump, and as others put them together (RFC 1952; reference kernel-dump-formats.md, section 8).
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { BufferedSource } from "../buffered_source.ts";
import type { Source } from "../source.ts";
import { decodeEitherWay } from "../decode_either_way.ts";
import { decodeMetered } from "../metered_source.ts";
import { type NativeDecoder, nativeDecoder } from "../native_decoder.ts";
import { isGarbage, type StreamEnd } from "../stream_end.ts";
import { type InflaterMemory, inflaterMemory } from "./inflate.ts";
import { inflate, type InflateEnd, inflateNatively } from "./inflate_source.ts";

const FIXED_HEADER_BYTES = 10;
/** A name or comment longer than this is no gzip header. */
const MAX_HEADER_BYTES = 2 ** 17;
const TRAILER_BYTES = 8;
const MAGIC = [0x1f, 0x8b] as const;
const DEFLATE = 8;
/** Bytes behind the last member that are looked at: what pads a dump is shorter. */
const LOOK_BEHIND_BYTES = 4096;

/** Bits of the flags byte. */
const Flag = { HEADER_CRC: 2, EXTRA: 4, NAME: 8, COMMENT: 16, RESERVED: 0xe0 } as const;

/**
 * Decompresses the gzip members of a source from its front: several follow on each other where files were put together or
 * compressed in parallel (RFC 1952, section 2.2). Each piece is good only until the next one is asked for. It never throws
 * for what the stream holds: the return value says how it ended.
 *
 * @param options.checksum whether a wrong checksum counts
 * @param options.native whether Deno's own decoder may do the work; it changes nothing but the time
 */
export function decompressGzip(
  compressed: Source,
  options: { readonly checksum?: boolean; readonly native?: boolean } = {},
): AsyncGenerator<Uint8Array, StreamEnd> {
  const { checksum = true, native = true } = options;
  return decodeMetered(compressed, (input) => decompressMembers(input, checksum, native));
}

async function* decompressMembers(
  input: Source,
  checksum: boolean,
  mayBeNative: boolean,
): AsyncGenerator<Uint8Array, StreamEnd> {
  const native = mayBeNative ? nativeDecoder("deflate") : undefined;
  // Members may be tiny and many.
  const source = new BufferedSource(input);
  try {
    const inflateFrom = bodies(source, native);
    for (let at = 0;;) {
      const end = yield* decompressMember(source, at, checksum, inflateFrom);
      if (end.reason !== "end" || end.consumed === null) return end;
      at = end.consumed;
      const behind = await source.read(at, LOOK_BEHIND_BYTES);
      if (behind[0] === MAGIC[0] && behind[1] === MAGIC[1]) continue;
      return isGarbage(behind) ? { ...end, followedByGarbage: true } : end;
    }
  } finally {
    native?.close();
  }
}

/** Inflates what begins at an offset. */
type InflateFrom = (start: number) => AsyncGenerator<Uint8Array, InflateEnd>;

/** The native decoder's way until it refuses a body: a source that cannot go back must not begin again for each. */
function bodies(source: Source, native: NativeDecoder | undefined): InflateFrom {
  let usable = native;
  let memory: InflaterMemory | undefined;
  return async function* (start) {
    const own = () => inflate(source, start, memory ??= inflaterMemory());
    if (usable === undefined) return yield* own();
    let surplusBytes = 0;
    const end = yield* decodeEitherWay(inflateNatively(source, start, usable), own, {
      refused: () => usable = undefined,
      surplus: (bytes) => surplusBytes = bytes,
    });
    return surplusBytes === 0 ? end : { ...end, surplusBytes };
  };
}

async function* decompressMember(
  source: Source,
  from: number,
  checksum: boolean,
  inflateFrom: InflateFrom,
): AsyncGenerator<Uint8Array, StreamEnd> {
  const start = await headerLength(source, from);
  if (typeof start !== "number") return start;
  const body = inflateFrom(start);
  let crc = checksum ? 0 : null;
  let produced = 0;
  for (;;) {
    const next = await body.next();
    if (next.done) {
      const end = next.value;
      if (end.reason === "end") return await checkTrailer(source, end.consumed, crc, produced);
      return end.reason === "truncated" ? end : { ...end, detail: "the deflate stream breaks the format" };
    }
    if (crc !== null) crc = crc32(next.value, crc);
    produced += next.value.byteLength;
    yield next.value;
  }
}

async function checkTrailer(
  source: Source,
  at: number,
  crc: number | null,
  produced: number,
): Promise<StreamEnd> {
  const trailer = await source.read(at, TRAILER_BYTES);
  const consumed = at + trailer.byteLength;
  if (trailer.byteLength < TRAILER_BYTES) return { reason: "truncated", consumed };
  const view = new DataView(trailer.buffer, trailer.byteOffset, TRAILER_BYTES);
  // FreeBSD 12 wrote the trailer in the machine's byte order (section 8).
  const good = [true, false].some((littleEndian) =>
    (crc === null || view.getUint32(0, littleEndian) === crc) &&
    view.getUint32(4, littleEndian) === produced % 2 ** 32
  );
  return { reason: good ? "end" : "checksum", consumed };
}

/** Where the deflate stream of the member at `from` begins, or why there is none. */
async function headerLength(source: Source, from: number): Promise<number | StreamEnd> {
  const bytes = await source.read(from, MAX_HEADER_BYTES);
  const truncated: StreamEnd = { reason: "truncated", consumed: from + bytes.byteLength };
  const corrupt = (detail: string): StreamEnd => ({ reason: "corrupt", consumed: from, detail });
  if (bytes.byteLength < FIXED_HEADER_BYTES) return truncated;
  if (bytes[2] !== DEFLATE) return corrupt(`the gzip header names the unknown method ${bytes[2]}`);
  const flags = bytes[3]!;
  if ((flags & Flag.RESERVED) !== 0) return corrupt("reserved bits of the gzip header are set");
  let at = FIXED_HEADER_BYTES;
  if ((flags & Flag.EXTRA) !== 0) at += 2 + (bytes[at] ?? 0) + 256 * (bytes[at + 1] ?? 0);
  for (const text of [Flag.NAME, Flag.COMMENT]) {
    if ((flags & text) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) {
      return bytes.byteLength < MAX_HEADER_BYTES ? truncated : corrupt("the gzip header does not end");
    }
    at = end + 1;
  }
  if ((flags & Flag.HEADER_CRC) !== 0) {
    if (at + 2 > bytes.byteLength) return truncated;
    const stored = bytes[at]! | bytes[at + 1]! << 8;
    if ((crc32(bytes.subarray(0, at)) & 0xffff) !== stored) {
      return corrupt("the gzip header's checksum is wrong");
    }
    at += 2;
  }
  return at > bytes.byteLength ? truncated : from + at;
}
