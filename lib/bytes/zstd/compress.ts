/**
 * Compresses bytes to one zstd frame with a checksum, where Deno has zstd inside (node:zlib; Deno 2.8 and later).
 *
 * @module
 */
import * as zlib from "node:zlib";

/** zstd's quickest usual level: dumps that come need the processor more. */
const LEVEL = 1;

interface NativeZstd {
  readonly zstdCompressSync?: (
    plain: Uint8Array,
    options: { readonly params: Readonly<Record<number, number>>; readonly pledgedSrcSize: number },
  ) => Uint8Array<ArrayBuffer>;
  readonly constants: { readonly ZSTD_c_checksumFlag: number; readonly ZSTD_c_compressionLevel: number };
}

const { zstdCompressSync, constants } = zlib as unknown as NativeZstd;

/** Compresses bytes to a frame of its own; `undefined` where Deno cannot. */
export const compressFrame: ((plain: Uint8Array) => Uint8Array<ArrayBuffer>) | undefined =
  zstdCompressSync === undefined ? undefined : (plain) =>
    zstdCompressSync(plain, {
      params: { [constants.ZSTD_c_checksumFlag]: 1, [constants.ZSTD_c_compressionLevel]: LEVEL },
      pledgedSrcSize: plain.length,
    });
