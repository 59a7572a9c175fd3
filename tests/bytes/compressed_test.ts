import { assertEquals, assertStringIncludes } from "@std/assert";
import type { StreamEnd } from "../../lib/bytes/stream_end.ts";
import { decompressZstd } from "../../lib/bytes/zstd/frame.ts";
import { XxHash64 } from "../../lib/bytes/zstd/xxhash64.ts";
import { seededRandom, unhex } from "../helpers.ts";
import { compress, damage, type Format, memoryLike } from "./compressed_data.ts";
import { decompress } from "./decompress.ts";
import { memorySource } from "./memory_source.ts";
import { run, withoutGzip, withoutZstd } from "../inspect/tools.ts";

/** Damaged streams that are shown to the tool, too. */
const VARIANTS = Number(Deno.env.get("NETDUMP_VARIANTS") ?? 30);

const TOOLS: Readonly<Record<Format, { without: string; levels: number[] }>> = {
  gzip: { without: withoutGzip, levels: [1, 6, 9] },
  zstd: { without: withoutZstd, levels: [1, 3, 9, 19] },
};

for (const [format, { without, levels }] of Object.entries(TOOLS) as [Format, typeof TOOLS[Format]][]) {
  const test = (name: string, fn: () => Promise<void>) =>
    Deno.test({ name: `${format}: ${name}${without}`, ignore: without !== "", fn });

  test("decompresses what the tool compressed, at every level and size", async () => {
    for (const level of levels) {
      for (const size of [0, 1, 100, 4096, 131072, 131073, 1_500_000]) {
        const plain = memoryLike(size, size + level);
        const compressed = await compress(format, plain, level);
        const { output, end } = await decompress(format, compressed);
        assertEquals(end, { reason: "end", consumed: compressed.byteLength });
        assertEquals(output.byteLength, size);
        assertEquals(output.every((byte, i) => byte === plain[i]), true);
      }
    }
  });

  test("ignores padding and junk behind the stream, and tells where it ended", async () => {
    const compressed = await compress(format, memoryLike(300_000, 1), 6);
    for (const byte of [0, 0x1f, 0xff]) {
      const padded = new Uint8Array(compressed.byteLength + 300_000).fill(byte);
      padded.set(compressed);
      const { output, end } = await decompress(format, padded);
      const garbage = byte === 0 ? {} : { followedByGarbage: true };
      assertEquals(end, { reason: "end", consumed: compressed.byteLength, ...garbage });
      assertEquals(output.byteLength, 300_000);
    }
  });

  test("agrees with the tool on what is damaged, whatever was changed, cut, added or put together", async () => {
    const random = seededRandom(0xdec0de);
    const below = (limit: number) => Math.floor(random() * limit);
    for (let n = 0; n < VARIANTS; n++) {
      const parts = await Promise.all(
        Array.from(
          { length: 1 + below(3) },
          // At its highest level the tool takes long, however little it compresses.
          (_, i) => compress(format, memoryLike(below(20_000), n + i), levels[below(3)]!),
        ),
      );
      const whole = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
      const damaged = damage(whole, below);
      const { code } = await run(format, ["-t", "-q"], damaged);
      const { end } = await decompress(format, damaged);
      const isWhole = end.reason === "end" && end.followedByGarbage !== true &&
        end.consumed === damaged.byteLength;
      // A checksum in FreeBSD 12's byte order, a window no kernel asks for: what the tool knows nothing of, or we do not.
      if (end.reason === "unsupported") continue;
      assertEquals(isWhole, code === 0, `variant ${n}: the tool says ${code}, we say ${JSON.stringify(end)}`);
    }
  });

  test("says truncated wherever the stream is cut, and gives everything before the cut", async () => {
    const plain = memoryLike(200_000, 2);
    const compressed = await compress(format, plain, 6);
    const cuts = [0, 1, 3, 5, 9, 10, 11, 1000, 50_001, compressed.byteLength - 9, compressed.byteLength - 5];
    for (const cut of [...cuts, compressed.byteLength - 4, compressed.byteLength - 1]) {
      const { output, end } = await decompress(format, compressed.subarray(0, cut));
      assertEquals(end.reason, "truncated", `cut at ${cut}`);
      assertEquals(output.every((byte, i) => byte === plain[i]), true, `cut at ${cut}`);
      if (cut >= compressed.byteLength - 4) assertEquals(output.byteLength, plain.byteLength);
    }
  });

  test("reports a wrong checksum and keeps the output", async () => {
    const compressed = await compress(format, memoryLike(100_000, 3), 6);
    compressed[compressed.byteLength - (format === "gzip" ? 8 : 4)]! ^= 1;
    const { output, end } = await decompress(format, compressed);
    assertEquals(end.reason, "checksum");
    assertEquals(output.byteLength, 100_000);
  });

  test("survives every flipped byte, never silently", async () => {
    const plain = memoryLike(12_000, 4);
    const compressed = await compress(format, plain, 6);
    const reasons = new Set<string>();
    for (let at = 0; at < compressed.byteLength; at++) {
      const damaged = compressed.slice();
      damaged[at]! ^= 1 << (at % 8) | 0x10;
      const { output, end } = await decompress(format, damaged);
      reasons.add(end.reason);
      // gzip's header has bytes that mean nothing here: time, level, system.
      if (end.reason === "end") {
        assertEquals(output.every((byte, i) => byte === plain[i]), true, `byte ${at}`);
      }
    }
    assertEquals(reasons.has("corrupt"), true);
  });
}

Deno.test({
  name: `gzip: reads a member with a name, as made by hand${withoutGzip}`,
  ignore: withoutGzip !== "",
  fn: async () => {
    const directory = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${directory}/vmcore.0`, "minidump");
      const { stdout } = await run("gzip", ["-N", "-c", `${directory}/vmcore.0`]);
      assertEquals(stdout[3], 8);
      const { output, end } = await decompress("gzip", stdout);
      assertEquals([new TextDecoder().decode(output), end.reason], ["minidump", "end"]);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

Deno.test("gzip: accepts the big-endian trailer of FreeBSD 12", async () => {
  // "a" stored, CRC32 0xe8b7be43, length 1.
  const member = (trailer: string) => unhex(`1f8b0800 00000000 0003 010100feff61 ${trailer}`);
  assertEquals((await decompress("gzip", member("43beb7e8 01000000"))).end.reason, "end");
  assertEquals((await decompress("gzip", member("e8b7be43 00000001"))).end.reason, "end");
  assertEquals((await decompress("gzip", member("e8b7be43 01000000"))).end.reason, "checksum");
});

Deno.test("gzip: a header that does not end is refused after a bounded read", async () => {
  const endless = new Uint8Array(300_000).fill(0x41);
  endless.set(unhex("1f8b0808 00000000 0003"));
  assertEquals((await decompress("gzip", endless)).end.reason, "corrupt");
  assertEquals((await decompress("gzip", endless.subarray(0, 5000))).end.reason, "truncated");
});

Deno.test("zstd: reads a frame by hand, empty blocks and RLE blocks included", async () => {
  // Magic, descriptor without size, 1 KiB window; blocks: raw "a", RLE 5 x "b", raw empty and last.
  const frame = unhex("28b52ffd 00 00 080000 61 2a0000 62 010000");
  const { output, end } = await decompress("zstd", frame);
  assertEquals([new TextDecoder().decode(output), end], ["abbbbb", {
    reason: "end",
    consumed: frame.byteLength,
  }]);
});

Deno.test("zstd: passes over skippable frames and reads frames that follow each other", async () => {
  const frame = unhex("28b52ffd 00 00 090000 61");
  const skippable = unhex("532a4d18 03000000 ffffff");
  const all = new Uint8Array([...skippable, ...frame, ...skippable, ...frame, 0, 0]);
  const { output, end } = await decompress("zstd", all);
  assertEquals([new TextDecoder().decode(output), end], ["aa", {
    reason: "end",
    consumed: all.byteLength - 2,
  }]);
});

/** A frame with a window of a megabyte and these blocks, each its header's low byte by hand. */
function handMadeFrame(...blocks: number[][]): number[] {
  return [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50, ...blocks.flat()];
}

/** What this file's tests keep, whatever others in the process do. */
function memoryBytes(): number {
  const { heapTotal, external } = Deno.memoryUsage();
  return heapTotal + external;
}

Deno.test("zstd: hundreds of thousands of empty frames cost no memory each, and little time", async () => {
  const frame = handMadeFrame([0x01, 0x00, 0x00]);
  const frames = 200_000;
  const bytes = new Uint8Array(frames * frame.length);
  for (let i = 0; i < frames; i++) bytes.set(frame, i * frame.length);
  const before = memoryBytes();
  const { output, end } = await decompress("zstd", bytes);
  assertEquals([output.byteLength, end], [0, { reason: "end", consumed: bytes.byteLength }]);
  const grown = memoryBytes() - before;
  assertEquals(grown < 200 * 2 ** 20, true, `${grown} bytes more`);
});

Deno.test("zstd: a frame cannot reach what the one before it left in memory", async () => {
  const secret = handMadeFrame([0x01 | 4 << 3, 0x00, 0x00, ...new TextEncoder().encode("abcd")]);
  // A compressed block without literals, with one sequence: offset 1, length 3.
  const thief = handMadeFrame([0x05 | 6 << 3, 0x00, 0x00, 0x00, 0x01, 0x54, 0x00, 0x02, 0x00, 0x01]);
  const { output, end } = await decompress("zstd", new Uint8Array([...secret, ...thief]));
  assertEquals(new TextDecoder().decode(output), "abcd");
  assertEquals(end.reason, "corrupt");
});

Deno.test("zstd: refuses windows and dictionaries that no kernel asks for, without allocating them", async () => {
  const window = await decompress("zstd", unhex("28b52ffd 00 ff 010000"));
  assertEquals(window.end.reason, "unsupported");
  assertStringIncludes(window.end.detail ?? "", "window");
  const dictionary = await decompress("zstd", unhex("28b52ffd 01 00 07 010000"));
  assertStringIncludes(dictionary.end.detail ?? "", "dictionary");
});

Deno.test("zstd: reports a content size that is not kept", async () => {
  const { end } = await decompress("zstd", unhex("28b52ffd 20 02 090000 61"));
  assertEquals(end.reason, "corrupt");
});

Deno.test("XxHash64 gives the low half of the published hashes, however the input is cut", () => {
  const rows: [text: string, low: number][] = [["", 0x51d8e999], ["a", 0xa98c6e5b], ["abc", 0xad770999]];
  for (const [text, low] of rows) {
    const hash = new XxHash64();
    hash.update(new TextEncoder().encode(text));
    assertEquals(hash.low32(), low);
  }
  const bytes = memoryLike(1000, 9);
  const whole = new XxHash64();
  whole.update(bytes);
  for (const size of [1, 7, 31, 32, 33, 100]) {
    const hash = new XxHash64();
    for (let at = 0; at < bytes.byteLength; at += size) hash.update(bytes.subarray(at, at + size));
    assertEquals(hash.low32(), whole.low32());
  }
});

Deno.test("zstd: takes no larger window than it is told to", async () => {
  // A window of 16 MiB, an empty block.
  const frame = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70, 0x01, 0x00, 0x00]);
  for (const [mostWindowBytes, reason] of [[8 * 2 ** 20, "unsupported"], [16 * 2 ** 20, "end"]] as const) {
    const stream = decompressZstd(memorySource(frame), { checksum: false, mostWindowBytes });
    const { value } = await stream.next();
    assertEquals((value as StreamEnd).reason, reason);
  }
});
