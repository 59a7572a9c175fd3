import { assertEquals } from "@std/assert";
import { BufferedSource } from "../../lib/bytes/buffered_source.ts";
import { seededRandom } from "../helpers.ts";
import { memorySource } from "./memory_source.ts";

Deno.test("BufferedSource gives what its source does, wherever it is read, and asks less often", async () => {
  const random = seededRandom(5);
  const bytes = Uint8Array.from({ length: 700_000 }, () => random() * 256);
  let asked = 0;
  const source = memorySource(bytes);
  const ahead = new BufferedSource({
    ...source,
    read: (offset, length) => (asked++, source.read(offset, length)),
  });
  for (let n = 0; n < 500; n++) {
    const offset = Math.floor(random() * 800_000);
    const length = Math.floor(random() ** 8 * 600_000);
    assertEquals(await ahead.read(offset, length), bytes.subarray(offset, offset + length));
  }
  const kept = await ahead.read(0, 10);
  asked = 0;
  for (let at = 0; at < bytes.byteLength; at += 10) await ahead.read(at, 10);
  assertEquals(asked, 2);
  assertEquals(kept, bytes.subarray(0, 10));
});
