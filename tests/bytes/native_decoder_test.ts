import { assertEquals, assertThrows } from "@std/assert";
import * as zlib from "node:zlib";
import { decodeEitherWay } from "../../lib/bytes/decode_either_way.ts";
import { nativeDecoder, NativeDecoderError, type NativeFormat } from "../../lib/bytes/native_decoder.ts";
import { readSpan } from "../../lib/bytes/source.ts";
import { StreamSource } from "../../lib/bytes/stream_source.ts";
import { decompressZstd } from "../../lib/bytes/zstd/frame.ts";
import { seededRandom, SHARED, unhex } from "../helpers.ts";
import { run, withoutGzip, withoutZstd } from "../inspect/tools.ts";
import { compress, damage, type Format, memoryLike } from "./compressed_data.ts";
import { decompress } from "./decompress.ts";
import { memorySource } from "./memory_source.ts";

/** Deno has both decoders in a form that is known to work from this on. */
const hasNative = "createZstdDecompress" in zlib;
const withoutNative = hasNative ? "" : " (skipped: no native decoders in this Deno)";

function native(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name: `${name}${withoutNative}`, ignore: !hasNative, fn });
}

function bytesOf(format: NativeFormat, ...parts: Uint8Array[]): { output: Uint8Array; unused: number } {
  const decoder = nativeDecoder(format)!;
  const output: number[] = [];
  let unused = 0;
  try {
    for (const part of parts) {
      const pieces = decoder.decode(part);
      for (let next = pieces.next();; next = pieces.next()) {
        if (next.done) {
          unused = next.value;
          break;
        }
        output.push(...next.value);
      }
    }
  } finally {
    decoder.close();
  }
  return { output: Uint8Array.from(output), unused };
}

native("nativeDecoder() finds what this Deno has", () => {
  for (const format of ["deflate", "zstd"] as const) {
    const decoder = nativeDecoder(format);
    assertEquals(decoder === undefined, false, format);
    decoder?.close();
  }
});

// "a" stored by deflate; in zstd a frame of 1 KiB window with the raw block "a".
const ONE_BYTE = { deflate: unhex("010100feff61"), zstd: unhex("28b52ffd 00 00 090000 61") };

for (const format of ["deflate", "zstd"] as const) {
  native(`NativeDecoder of ${format} tells where a stream ends, and takes it byte by byte`, () => {
    const stream = ONE_BYTE[format];
    const followed = new Uint8Array([...stream, 1, 2, 3, 4, 5]);
    assertEquals(bytesOf(format, followed), { output: Uint8Array.of(0x61), unused: 5 });
    const single = Array.from(stream, (byte) => Uint8Array.of(byte));
    assertEquals(bytesOf(format, ...single), { output: Uint8Array.of(0x61), unused: 0 });
  });

  native(`NativeDecoder of ${format} throws for what it refuses, at once and not by an event`, () => {
    const damaged = format === "deflate" ? unhex("07 ffff") : unhex("28b52ffd 00 00 0f0000 61");
    assertThrows(() => bytesOf(format, damaged), NativeDecoderError);
  });
}

Deno.test("decodeEitherWay() gives every byte once where the native decoder stops midway, and tells a surplus", async () => {
  async function* pieces(
    end: string,
    fails: boolean,
    ...lengths: number[]
  ): AsyncGenerator<Uint8Array, string> {
    let at = 0;
    for (const length of lengths) {
      yield await Promise.resolve(Uint8Array.from({ length }, () => at++));
    }
    if (fails) throw new NativeDecoderError("no more");
    return end;
  }
  for (const lengths of [[], [1], [3, 4], [10], [10, 5], [10, 10]]) {
    let refused = 0;
    let surplus = 0;
    const stream = decodeEitherWay(
      pieces("native", true, ...lengths),
      () => pieces("own", false, 4, 4, 4, 4),
      { refused: () => refused++, surplus: (bytes) => surplus = bytes },
    );
    const output: number[] = [];
    let next = await stream.next();
    for (; !next.done; next = await stream.next()) output.push(...next.value);
    const all = lengths.reduce((sum, length) => sum + length, 0);
    assertEquals(output, Array.from({ length: Math.max(16, all) }, (_, i) => i));
    assertEquals([next.value, refused, surplus], ["own", 1, Math.max(0, all - 16)]);
  }
});

Deno.test("decodeEitherWay() lets errors of the source pass", async () => {
  // deno-lint-ignore require-yield
  async function* failing(): AsyncGenerator<Uint8Array, string> {
    throw await Promise.resolve(new Deno.errors.PermissionDenied("disk"));
  }
  const stream = decodeEitherWay(failing(), () => failing(), {
    refused: () => {},
    surplus: () => {},
  });
  let caught: unknown;
  await stream.next().catch((error) => caught = error);
  assertEquals(caught instanceof Deno.errors.PermissionDenied, true);
});

/** Streams that are compared, native against ours. */
const VARIANTS = Number(Deno.env.get("NETDUMP_VARIANTS") ?? 60);

for (const [format, without] of [["gzip", withoutGzip], ["zstd", withoutZstd]] as [Format, string][]) {
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({ name: `${format}: ${name}${without}`, ignore: without !== "", fn });

  test("native and own decoder agree wherever a stream is cut", async () => {
    for (const level of [1, 9]) {
      const compressed = await compress(format, memoryLike(9_000, level), level);
      for (let cut = 0; cut <= compressed.byteLength; cut++) {
        await decompress(format, compressed.subarray(0, cut));
      }
    }
  });

  test("native and own decoder agree on streams of several pieces that are damaged anywhere", async () => {
    const random = seededRandom(0xd1ff);
    const below = (limit: number) => Math.floor(random() * limit);
    // Noise does not compress: more than one piece of input.
    const plain = memoryLike(1_600_000, 6);
    const compressed = await compress(format, plain, 3);
    for (let n = 0; n < VARIANTS / 4; n++) {
      const damaged = damage(compressed, below);
      await decompress(format, damaged);
      await decompress(format, damaged.subarray(0, below(damaged.byteLength)));
    }
  });
}

Deno.test({
  name: `zstd: native and own decoder agree on damaged frames that have no checksum${withoutZstd}`,
  ignore: withoutZstd !== "",
  fn: async () => {
    const { stdout } = await run("zstd", ["-q", "-c", "-6", "--no-check"], memoryLike(12_000, 4));
    const reasons = new Set<string>();
    for (let at = 0; at < stdout.byteLength; at++) {
      const damaged = stdout.slice();
      damaged[at]! ^= 1 << (at % 8) | 0x10;
      reasons.add((await decompress("zstd", damaged)).end.reason);
    }
    assertEquals(reasons.has("corrupt"), true);
  },
});

Deno.test({
  name: `StreamSource gives the same bytes anywhere below the native decoder${withoutZstd}`,
  ignore: withoutZstd !== "",
  fn: async () => {
    // Longer than what is kept of the beginning, so that going back begins the stream anew.
    const plain = new Uint8Array(56 * 2 ** 20);
    const random = seededRandom(77);
    for (let at = 0; at < plain.byteLength; at += 997) plain[at] = random() * 256;
    const compressed = memorySource(await compress("zstd", plain, 1));
    const source = new StreamSource(() => decompressZstd(compressed, { checksum: false }));
    for (const offset of [0, 51 * 2 ** 20, 12345, 50 * 2 ** 20, 55 * 2 ** 20, 49 * 2 ** 20 + 1]) {
      const read = await readSpan((at, length) => source.read(at, length), offset, 70_000);
      assertEquals(read.findIndex((byte, i) => byte !== plain[offset + i]), -1, `at ${offset}`);
      assertEquals(read.byteLength, 70_000);
    }
    source.close();
  },
});

const attacks = SHARED === undefined ? undefined : new URL("attacks/compressed/", SHARED);

Deno.test({
  name: `native and own decoder and the tools agree on damaged files${
    attacks === undefined ? " (skipped: no shared data)" : ""
  }${withoutGzip}${withoutZstd}`,
  ignore: attacks === undefined || withoutGzip !== "" || withoutZstd !== "",
  fn: async () => {
    let files = 0;
    for (const { name } of Deno.readDirSync(attacks!)) {
      const format = name.endsWith(".gz") ? "gzip" : "zstd";
      const bytes = Deno.readFileSync(new URL(name, attacks!));
      const { end } = await decompress(format, bytes);
      const { code } = await run(format, ["-t", "-q"], bytes);
      const isWhole = end.reason === "end" && end.followedByGarbage !== true &&
        end.consumed === bytes.byteLength;
      assertEquals(isWhole, code === 0, `${name}: the tool says ${code}, we say ${JSON.stringify(end)}`);
      files++;
    }
    assertEquals(files, 21);
  },
});
