import { assertEquals, assertStringIncludes } from "@std/assert";
import { gzipSync } from "node:zlib";
import { decompressGzip } from "../../lib/bytes/gzip/member.ts";
import type { Source } from "../../lib/bytes/source.ts";
import type { StreamEnd } from "../../lib/bytes/stream_end.ts";
import { decompressZstd } from "../../lib/bytes/zstd/frame.ts";
import { memorySource } from "./memory_source.ts";

/** A source that begins like this, and goes on with the same bytes for ever. */
function endless(start: readonly number[], repeated: readonly number[]) {
  const far = { bytes: 0 };
  const many = new Uint8Array(65536 * repeated.length).map((_, i) => repeated[i % repeated.length]!);
  const source: Source = {
    size: null,
    randomAccess: true,
    read(offset, length) {
      far.bytes = Math.max(far.bytes, offset + length);
      const bytes = new Uint8Array(length);
      bytes.set(start.slice(offset, offset + length));
      for (let at = Math.max(start.length - offset, 0); at < length;) {
        const from = (offset + at - start.length) % repeated.length;
        const piece = many.subarray(from, from + length - at);
        bytes.set(piece, at);
        at += piece.byteLength;
      }
      return Promise.resolve(bytes);
    },
    close: () => {},
  };
  return { source, far };
}

/** Decodes to the end. */
async function drain(stream: AsyncGenerator<Uint8Array, StreamEnd>) {
  let [produced, pieces] = [0, 0];
  for (;;) {
    const next = await stream.next();
    if (next.done) return { produced, pieces, end: next.value };
    produced += next.value.byteLength;
    pieces++;
  }
}

const GZIP = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50];
/** A member's header with a name, and one without any use. */
const NAMED = [0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255, ...Array(100).fill(0x6e), 0];

const BARREN: [what: string, start: number[], repeated: number[], decode: typeof decompressGzip][] = [
  ["gzip: empty members", [], [...GZIP, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], decompressGzip],
  ["gzip: members of a byte", [], [...gzipSync("a")], decompressGzip],
  ["gzip: members with names alone", [], [...NAMED, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0], decompressGzip],
  ["gzip: empty stored blocks", GZIP, [0, 0, 0, 255, 255], decompressGzip],
  ["zstd: empty frames", [], [...ZSTD, 1, 0, 0], zstd],
  ["zstd: empty frames with a checksum", [], [
    ...[0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x50, 1, 0, 0],
    ...[0x99, 0xe9, 0xd8, 0x51],
  ], zstd],
  ["zstd: empty blocks", ZSTD, [0, 0, 0], zstd],
  ["zstd: RLE blocks of nothing", ZSTD, [2, 0, 0, 0x61], zstd],
  ["zstd: blocks of a byte", ZSTD, [8, 0, 0, 0x61], zstd],
  ["zstd: compressed blocks of a byte", ZSTD, [4 | 3 << 3, 0, 0, 8, 0x61, 0], zstd],
  [
    "zstd: frames to skip between empty ones",
    [],
    [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0, ...ZSTD, 1, 0, 0],
    zstd,
  ],
];

function zstd(source: Source, { native = true } = {}): AsyncGenerator<Uint8Array, StreamEnd> {
  return decompressZstd(source, { checksum: true, native });
}

for (const [what, start, repeated, decode] of BARREN) {
  for (const native of [true, false]) {
    Deno.test(`${what} without end, ${native ? "native" : "ours"}: read for some MiB, and told`, async () => {
      const { source, far } = endless(start, repeated);
      const { end } = await drain(decode(source, { native }));
      assertEquals(end.reason, "unsupported");
      assertStringIncludes(end.detail ?? "", "gives next to none");
      assertEquals(far.bytes < 12 * 2 ** 20, true, `${far.bytes} bytes were read`);
    });
  }
}

Deno.test("a stream that gives what it takes is read to its end, what is stored and what is skipped included", async () => {
  const noise = Uint8Array.from({ length: 6 * 2 ** 20 }, (_, i) => i * i * 31 >>> 7);
  const stored = gzipSync(noise, { level: 0 });
  assertEquals((await drain(decompressGzip(memorySource(stored)))).end.reason, "end");
  // Members of 64 KiB, as bgzf has them.
  const small = gzipSync(noise.subarray(0, 65536), { level: 0 });
  const members = new Uint8Array(100 * small.byteLength);
  for (let i = 0; i < 100; i++) members.set(small, i * small.byteLength);
  const { produced, end } = await drain(decompressGzip(memorySource(members)));
  assertEquals([produced, end.reason], [100 * 65536, "end"]);
  // 10 MiB to skip at once, then in a million frames of nothing.
  const skipped = new Uint8Array(10 * 2 ** 20 + 8 * 2 ** 20 + 10);
  skipped.set([0x50, 0x2a, 0x4d, 0x18]);
  new DataView(skipped.buffer).setUint32(4, 10 * 2 ** 20 - 8, true);
  for (let at = 10 * 2 ** 20; at < 18 * 2 ** 20; at += 8) skipped.set([0x5f, 0x2a, 0x4d, 0x18], at);
  skipped.set([...ZSTD, 9, 0, 0, 0x61], 18 * 2 ** 20);
  const frame = await drain(zstd(memorySource(skipped)));
  assertEquals([frame.produced, frame.end], [1, { reason: "end", consumed: skipped.byteLength }]);
});

Deno.test("zstd: what tiny blocks give comes together, and all that came before damage", async () => {
  const blocks = 100_000;
  const bytes = new Uint8Array(ZSTD.length + 5 * blocks + 4);
  bytes.set(ZSTD);
  for (let i = 0; i < blocks; i++) bytes.set([8 * 8 | 2, 0, 0, 0x61 + i % 26], ZSTD.length + 4 * i);
  const whole = bytes.slice(0, ZSTD.length + 4 * blocks + 3);
  whole.set([1, 0, 0], ZSTD.length + 4 * blocks);
  const { produced, pieces, end } = await drain(zstd(memorySource(whole)));
  assertEquals([produced, end.reason, pieces < 20], [8 * blocks, "end", true]);
  const damaged = whole.slice();
  damaged.set([6], ZSTD.length + 4 * 50_001);
  const broken = await drain(zstd(memorySource(damaged)));
  assertEquals([broken.produced, broken.end.reason], [8 * 50_001, "corrupt"]);
  const cut = await drain(zstd(memorySource(whole.subarray(0, ZSTD.length + 4 * 70_000 + 2))));
  assertEquals([cut.produced, cut.end.reason], [8 * 70_000, "truncated"]);
});
