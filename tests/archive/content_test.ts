import { assert, assertEquals, assertLess } from "@std/assert";
import { createHash } from "node:crypto";
import {
  type Content,
  type LocalFile,
  PartBuffers,
  plainContent,
  seekableContent,
} from "../../lib/archive/content.ts";
import { canCompress } from "../../lib/bytes/zstd/compress.ts";
import { SeekableZstdSource } from "../../lib/bytes/zstd/seekable_source.ts";
import { memorySource } from "../bytes/memory_source.ts";
import { randomBytes } from "../end_to_end/send_process.ts";
import { run, withoutZstd } from "../inspect/tools.ts";

const MIB = 2 ** 20;
const PART_BYTES = 16 * MIB;

function fileOf(bytes: Uint8Array<ArrayBuffer>): LocalFile {
  return {
    sizeBytes: bytes.length,
    read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
  };
}

/** All that is stored, and the sum of the file. */
async function gather(content: Content): Promise<{ stored: Uint8Array; sha256: string }> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const parts = content.parts();
  for (let ended = false;;) {
    const next = await parts.next();
    if (next.done) {
      assert(ended);
      return { stored: await new Blob(pieces).bytes(), sha256: next.value };
    }
    assert(!ended, "nothing follows the last part");
    ended = next.value.isLast;
    assert(ended || next.value.bytes.length === PART_BYTES);
    pieces.push(next.value.bytes.slice());
    next.value.release();
  }
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Nothing, a byte, a part to the byte, what does and what does not get smaller in several parts. */
const FILES: Readonly<Record<string, () => Uint8Array<ArrayBuffer>>> = {
  "an empty file": () => new Uint8Array(0),
  "a byte": () => Uint8Array.of(7),
  "a part of a file": () => randomBytes(PART_BYTES, 1),
  "a part and a byte": () => randomBytes(PART_BYTES + 1, 2),
  "a file of zeros": () => new Uint8Array(50 * MIB + 3),
  "a file that does not get smaller": () => randomBytes(40 * MIB, 3),
};

for (const [what, make] of Object.entries(FILES)) {
  Deno.test(`plainContent() gives ${what} as it is`, async () => {
    const bytes = make();
    const { stored, sha256: sum } = await gather(plainContent(fileOf(bytes), new PartBuffers(3)));
    assertEquals([stored.length, sha256(stored), sum], [bytes.length, sha256(bytes), sha256(bytes)]);
  });

  const without = !canCompress ? " (skipped: this Deno has no zstd)" : withoutZstd;
  Deno.test({
    name:
      `seekableContent() gives ${what} so that zstd -d reads it, and any range of it can be read${without}`,
    ignore: without !== "",
    fn: async () => {
      const bytes = make();
      const content = seekableContent(fileOf(bytes), new PartBuffers(3))!;
      const { stored, sha256: sum } = await gather(content);
      assertEquals(sum, sha256(bytes));
      assertEquals((await gather(content)).stored, stored, "it is the same whenever it is made");
      const { code, stdout, stderr } = await run("zstd", ["-d", "-c"], stored);
      assertEquals([code, stderr], [0, ""]);
      assertEquals([stdout.length, sha256(stdout)], [bytes.length, sha256(bytes)]);
      const source = await SeekableZstdSource.open(memorySource(stored));
      assert(source !== undefined);
      assertEquals(source.size, bytes.length);
      const middle = Math.max(0, Math.floor(bytes.length / 2) - 70_000);
      assertEquals(await source.read(middle, 140_000), bytes.slice(middle, middle + 140_000));
      if (what.includes("zeros")) assertLess(stored.length, 20_000);
    },
  });
}
