/**
 * The decoders that Deno has inside (node:zlib), fed piece by piece: five to thirty times as fast as ours. Their streams
 * cannot be used: they lose errors or hang on them, and hide where a stream ended (reference kernel-dump-formats.md,
 * section 8). What lies below them, the handle that Node's own streams write to, tells both. It is no documented
 * interface, so it is tried before it is used; where it is absent or different, our decoders do the work.
 *
 * A native decoder never judges: what it refuses, ours decodes again and says what is wrong (`decode_either_way.ts`).
 *
 * @module
 */

import * as zlib from "node:zlib";

/** What has a native decoder: gzip's body, or whole zstd frames. */
export type NativeFormat = "deflate" | "zstd";

/** The native decoder does not take the stream, for a reason that ours finds out. */
export class NativeDecoderError extends Error {
  override readonly name = "NativeDecoderError";
}

/** What is used of a stream of node:zlib, whichever way it goes. */
export interface NativeStream {
  readonly _handle: {
    /** Works at once. */
    writeSync(
      flush: number,
      input: Uint8Array,
      inputAt: number,
      inputBytes: number,
      output: Uint8Array,
      outputAt: number,
      outputBytes: number,
    ): unknown;
    /** Called while `writeSync` runs, for what it does not throw. */
    onerror: () => void;
  };
  /** How much room and input are left. */
  readonly _writeState: Uint32Array;
  reset(): void;
  close(): void;
}

const CREATE: Readonly<Record<NativeFormat, string>> = {
  deflate: "createInflateRaw",
  zstd: "createZstdDecompress",
};
const NO_FLUSH = 0;
/** Output is handed out in pieces of at most this size: with the window, all memory that it takes. */
const PIECE_BYTES = 2 ** 18;

/** A native decoder at work. It holds memory that is not JavaScript's: close it. */
export class NativeDecoder {
  readonly #stream: NativeStream;
  readonly #output = new Uint8Array(PIECE_BYTES);
  #failed = false;

  /** @throws whatever node:zlib has to say where it has no such decoder */
  constructor(format: NativeFormat) {
    const create = (zlib as unknown as Record<string, (() => NativeStream) | undefined>)[CREATE[format]];
    if (create === undefined) throw new NativeDecoderError(`There is no native decoder for ${format}`);
    this.#stream = create();
    this.#stream._handle.onerror = () => this.#failed = true;
  }

  /**
   * Decodes the next input; each piece is good until the next one is asked for.
   *
   * @returns bytes of the input that lie behind the end of the stream; 0 if it may go on
   * @throws {NativeDecoderError} after the pieces that came before
   */
  *decode(input: Uint8Array): Generator<Uint8Array, number> {
    for (let left = input.byteLength;;) {
      const [room, unused] = this.#write(input, input.byteLength - left);
      left = unused;
      if (room < PIECE_BYTES) yield this.#output.subarray(0, PIECE_BYTES - room);
      if (room > 0) return left;
    }
  }

  /** Begins another stream. */
  reset(): void {
    this.#stream.reset();
  }

  close(): void {
    this.#stream.close();
  }

  #write(input: Uint8Array, at: number): [room: number, unused: number] {
    const { _handle: handle, _writeState: state } = this.#stream;
    try {
      handle.writeSync(NO_FLUSH, input, at, input.byteLength - at, this.#output, 0, PIECE_BYTES);
    } catch (cause) {
      throw new NativeDecoderError("The native decoder refuses the stream", { cause });
    }
    if (this.#failed) throw new NativeDecoderError("The native decoder refuses the stream");
    return [state[0]!, state[1]!];
  }
}

/** What was found out by trying, once a format. */
const works = new Map<NativeFormat, boolean>();

/** Makes a native decoder, if there is one that works as it should. */
export function nativeDecoder(format: NativeFormat): NativeDecoder | undefined {
  let good = works.get(format);
  if (good === undefined) works.set(format, good = tryOut(format));
  return good ? new NativeDecoder(format) : undefined;
}

/** More than a piece of zeros comes before these bytes in what is tried. */
const TRIAL_TEXT = new TextEncoder().encode("netdump");
/** What stands behind the stream in what is tried. */
const TRIAL_BEHIND = 3;

/** Whether a stream is decoded to the byte however it is cut, its end found, the next one begun, and damage told. */
function tryOut(format: NativeFormat): boolean {
  const plain = new Uint8Array(PIECE_BYTES + 1000 + TRIAL_TEXT.byteLength);
  plain.set(TRIAL_TEXT, PIECE_BYTES + 1000);
  let decoder: NativeDecoder | undefined;
  try {
    const stream = compress(format, plain);
    const followed = new Uint8Array(stream.byteLength + TRIAL_BEHIND).fill(0xff);
    followed.set(stream);
    decoder = new NativeDecoder(format);
    for (const parts of [[followed], [followed.subarray(0, 10), followed.subarray(10)]]) {
      if (!gives(decoder, parts, plain)) return false;
      decoder.reset();
    }
    const damaged = stream.slice();
    // A type of block that deflate does not have; the last byte of zstd's checksum.
    damaged[format === "deflate" ? 0 : damaged.byteLength - 1]! ^= format === "deflate" ? 6 : 1;
    return refuses(decoder, damaged);
  } catch {
    return false;
  } finally {
    decoder?.close();
  }
}

function compress(format: NativeFormat, plain: Uint8Array): Uint8Array {
  if (format === "deflate") return zlib.deflateRawSync(plain, { level: 1 });
  const { zstdCompressSync, constants } = zlib as unknown as {
    zstdCompressSync(plain: Uint8Array, options: { params: Record<number, number> }): Uint8Array;
    constants: { readonly ZSTD_c_checksumFlag: number };
  };
  return zstdCompressSync(plain, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
}

function gives(decoder: NativeDecoder, parts: readonly Uint8Array[], plain: Uint8Array): boolean {
  let at = 0;
  let unused = 0;
  for (const part of parts) {
    const pieces = decoder.decode(part);
    for (;;) {
      const { done, value } = pieces.next();
      if (done) {
        unused = value;
        break;
      }
      const start = at;
      if (!value.every((byte, i) => byte === plain[start + i])) return false;
      at += value.byteLength;
    }
  }
  return at === plain.byteLength && unused === TRIAL_BEHIND;
}

function refuses(decoder: NativeDecoder, damaged: Uint8Array): boolean {
  try {
    for (const _ of decoder.decode(damaged));
    return false;
  } catch (error) {
    return error instanceof NativeDecoderError;
  }
}
