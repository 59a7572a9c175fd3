import { assertEquals } from "@std/assert";
import { type Stream, StreamSource } from "../../lib/bytes/stream_source.ts";
import type { StreamEnd } from "../../lib/bytes/stream_end.ts";
import { seededRandom } from "../helpers.ts";

const PIECE = 100_000;

/** The byte at any offset of a stream too long to keep. */
function byteAt(offset: number): number {
  return (offset * 31 + Math.floor(offset / 7919)) & 0xff;
}

/** A stream of `size` bytes in one buffer that is used again and again, counting how often it is begun. */
function counted(size: number, end: StreamEnd = { reason: "end", consumed: 1 }) {
  const begun = { times: 0 };
  const open = async function* (): Stream {
    begun.times++;
    const buffer = new Uint8Array(PIECE);
    for (let at = 0; at < size; at += PIECE) {
      const piece = buffer.subarray(0, Math.min(PIECE, size - at));
      for (let i = 0; i < piece.byteLength; i++) piece[i] = byteAt(at + i);
      yield await Promise.resolve(piece);
    }
    return end;
  };
  return { source: new StreamSource(open), begun };
}

function expected(offset: number, length: number, size: number): Uint8Array {
  return Uint8Array.from(
    { length: Math.max(0, Math.min(length, size - offset)) },
    (_, i) => byteAt(offset + i),
  );
}

Deno.test("StreamSource reads forwards, and its beginning again, without starting anew", async () => {
  const size = 3_000_000;
  const { source, begun } = counted(size);
  const random = seededRandom(3);
  for (let i = 0; i < 300; i++) {
    const offset = Math.floor(random() * (size + 1000));
    const length = Math.floor(random() * 3000);
    assertEquals(await source.read(offset, length), expected(offset, length, size));
  }
  assertEquals(begun.times, 1);
  assertEquals(source.size, null);
  await source.read(size - 1, 100);
  assertEquals([source.size, source.end?.reason, begun.times], [size, "end", 1]);
});

Deno.test("StreamSource forgets what lies behind the beginning, and starts anew for it", async () => {
  const size = 60 * 2 ** 20;
  const { source, begun } = counted(size);
  await source.read(size - 10, 100);
  assertEquals(begun.times, 1);
  // Among the last bytes: still there.
  assertEquals(await source.read(size - 2_000_000, 100), expected(size - 2_000_000, 100, size));
  assertEquals(begun.times, 1);
  // Behind the beginning, before the last: begun again, once.
  const middle = 52 * 2 ** 20;
  assertEquals(await source.read(middle, 300_000), expected(middle, 300_000, size));
  assertEquals(await source.read(middle + 300_000, 10), expected(middle + 300_000, 10, size));
  assertEquals(begun.times, 2);
  assertEquals(await source.read(5000, 10), expected(5000, 10, size));
  assertEquals([begun.times, source.size], [2, size]);
});

Deno.test("StreamSource gives what came before the end of a damaged stream, and says how it ended", async () => {
  const { source } = counted(1000, { reason: "corrupt", consumed: null, detail: "x" });
  assertEquals(await source.read(990, 100), expected(990, 100, 1000));
  assertEquals(await source.read(2000, 100), new Uint8Array(0));
  assertEquals([source.size, source.end?.reason], [1000, "corrupt"]);
});

Deno.test("StreamSource reads more than it keeps in one go, behind what it keeps of the beginning", async () => {
  const size = 70 * 2 ** 20;
  const { source } = counted(size);
  const offset = 50 * 2 ** 20;
  for (const length of [9 * 2 ** 20, 16 * 2 ** 20]) {
    const bytes = await source.read(offset, length);
    assertEquals(bytes.byteLength, length);
    for (let at = 0; at < length; at += 99_991) assertEquals(bytes[at], byteAt(offset + at), `at ${at}`);
  }
});

Deno.test("StreamSource begins again for a read that reaches from what it keeps of the beginning behind it", async () => {
  const size = 60 * 2 ** 20;
  const { source, begun } = counted(size);
  await source.read(size - 10, 10);
  const offset = 47 * 2 ** 20;
  const length = 3 * 2 ** 20;
  const bytes = await source.read(offset, length);
  assertEquals([bytes.byteLength, begun.times], [length, 2]);
  for (let at = 0; at < length; at += 99_991) assertEquals(bytes[at], byteAt(offset + at), `at ${at}`);
});
