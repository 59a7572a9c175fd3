/**
 * Compresses bytes to zstd frames with checksums, where Deno has zstd inside (node:zlib; Deno 2.8 and later). Like the native
 * decoder it uses the handle below Node's streams, which writes to memory that is used again, if that works as it should: what
 * node:zlib's functions return is garbage faster than it is collected.
 *
 * @module
 */
import * as zlib from "node:zlib";
import type { NativeStream } from "../native_decoder.ts";

/** What does not get smaller gets a little larger. */
const ROOM_BYTES = 64 * 1024;
/** zstd's quickest usual level: dumps that come need the processor more. */
const LEVEL = 1;

interface NativeZstd {
  readonly zstdCompressSync?: (plain: Uint8Array, options: Options) => Uint8Array<ArrayBuffer>;
  readonly zstdDecompressSync: (frame: Uint8Array) => Uint8Array;
  readonly createZstdCompress: (options: Options) => NativeStream;
  readonly constants: Readonly<
    Record<"ZSTD_c_checksumFlag" | "ZSTD_c_compressionLevel" | "ZSTD_e_end", number>
  >;
}

interface Options {
  readonly params: Readonly<Record<number, number>>;
}

const { zstdCompressSync, zstdDecompressSync, createZstdCompress, constants } = zlib as unknown as NativeZstd;

/** Whether Deno can compress. */
export const canCompress = zstdCompressSync !== undefined;

/** Makes frames, one after the other. It may hold memory that is not JavaScript's: close it. */
export class FrameCompressor {
  readonly #options = {
    params: { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: LEVEL },
  };
  readonly #output: Uint8Array<ArrayBuffer>;
  #stream: NativeStream | undefined;

  /** @param mostBytes of a frame's plain bytes */
  constructor(mostBytes: number) {
    this.#output = new Uint8Array(mostBytes + ROOM_BYTES);
    try {
      this.#stream = createZstdCompress(this.#options);
      const plain = new Uint8Array(Math.min(mostBytes, 1000)).fill(7);
      const isGood = [plain, plain].every((bytes) => {
        const back = zstdDecompressSync(this.#write(bytes)!);
        return back.length === bytes.length && back.every((byte) => byte === 7);
      });
      if (!isGood) this.close();
    } catch {
      this.close();
    }
  }

  /** Compresses bytes to a frame of their own, which is good until the next one is made. */
  compress(plain: Uint8Array): Uint8Array<ArrayBuffer> {
    return this.#write(plain) ?? zstdCompressSync!(plain, this.#options);
  }

  close(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }

  #write(plain: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (this.#stream === undefined) return undefined;
    const { _handle: handle, _writeState: state } = this.#stream;
    let isGood = true;
    handle.onerror = () => isGood = false;
    this.#stream.reset();
    const output = this.#output;
    handle.writeSync(constants.ZSTD_e_end, plain, 0, plain.length, output, 0, output.length);
    const [room = 0, unused] = state;
    return isGood && room > 0 && unused === 0 ? output.subarray(0, output.length - room) : undefined;
  }
}
