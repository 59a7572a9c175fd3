/** Decompression for tests: by both decoders, the native one and ours, which must not differ in anything. */
import { assertEquals } from "@std/assert";
import { decompressGzip } from "../../lib/bytes/gzip/member.ts";
import type { Source } from "../../lib/bytes/source.ts";
import type { StreamEnd } from "../../lib/bytes/stream_end.ts";
import { decompressZstd } from "../../lib/bytes/zstd/frame.ts";
import type { Format } from "./compressed_data.ts";
import { memorySource } from "./memory_source.ts";

/** Everything a stream gives, and how it ends. */
export interface Decompressed {
  readonly output: Uint8Array;
  readonly end: StreamEnd;
}

/** Decompresses by both decoders, compares, and returns what both say. */
export async function decompress(format: Format, bytes: Uint8Array): Promise<Decompressed> {
  const own = await decompressBy(format, memorySource(bytes), false);
  const native = await decompressBy(format, memorySource(bytes), true);
  const { surplusBytes = 0, ...end } = native.end;
  assertEquals(end, own.end);
  assertEquals(native.output.byteLength - surplusBytes, own.output.byteLength);
  assertEquals(own.output.findIndex((byte, i) => byte !== native.output[i]), -1);
  return own;
}

/** Decompresses by the native decoder, if there is one, or by ours. */
async function decompressBy(format: Format, source: Source, native: boolean): Promise<Decompressed> {
  const stream = format === "gzip"
    ? decompressGzip(source, { native })
    : decompressZstd(source, { checksum: true, native });
  const pieces: Uint8Array[] = [];
  for (;;) {
    const next = await stream.next();
    if (next.done) {
      return { output: new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer()), end: next.value };
    }
    pieces.push(next.value.slice());
  }
}
