/**
 * Damaged and hostile dumps through everything that reads them: cut anywhere, every byte changed, sizes that lie.
 * Whatever happens is a value or a SyntaxError, after a bounded number of bounded reads.
 */

import { assert } from "@std/assert";
import fc from "fast-check";
import { readDeviceImage } from "../../lib/kerneldump/device/device_image.ts";
import { checkElfCore, readElfCore } from "../../lib/kerneldump/elf/elf_core.ts";
import { elfMemory } from "../../lib/kerneldump/elf/elf_memory.ts";
import { identify } from "../../lib/kerneldump/identify.ts";
import { type Memory, minidumpMemory } from "../../lib/kerneldump/memory.ts";
import { readElfMessages, readMinidumpMessages } from "../../lib/kerneldump/messages/message_reader.ts";
import { findPanic } from "../../lib/kerneldump/messages/message_text.ts";
import { decodeMinidump } from "../../lib/kerneldump/minidump/minidump.ts";
import { checkMinidump } from "../../lib/kerneldump/minidump_check.ts";
import { PageMap } from "../../lib/kerneldump/minidump/page_map.ts";
import { completeness } from "../../lib/kerneldump/problem.ts";
import type { ReadAt } from "../../lib/bytes/source.ts";
import { readTextdump } from "../../lib/kerneldump/textdump.ts";
import {
  buildElfCore,
  buildMessageBuffer,
  buildMinidump,
  buildReferenceFixture,
  buildTextdump,
  MINIDUMP_KINDS,
} from "./synthetic.ts";

const READS_LIMIT = 3000;
const READ_SIZE_LIMIT = 2 * 1024 * 1024;
const SEARCH_LIMIT = Infinity;

/** Reads bytes in memory, and fails the test when a read is absurd or there are too many. */
function guarded(bytes: Uint8Array): ReadAt {
  let reads = 0;
  return (offset, length) => {
    assert(Number.isSafeInteger(offset) && offset >= 0, `read at ${offset}`);
    assert(
      Number.isSafeInteger(length) && length >= 0 && length <= READ_SIZE_LIMIT,
      `read of ${length} bytes`,
    );
    assert(++reads <= READS_LIMIT, `more than ${READS_LIMIT} reads`);
    return Promise.resolve(bytes.subarray(offset, offset + length));
  };
}

async function look(memory: Memory, address: bigint): Promise<void> {
  for await (const piece of memory.readVirtual(address, 5000)) assert(piece.length > 0);
  for await (const piece of memory.readPhysical(address & 0xffffffffn, 5000)) assert(piece.length > 0);
}

/** Does to a file all that `inspect` does. */
async function inspect(bytes: Uint8Array, address: bigint): Promise<void> {
  const readAt = guarded(bytes);
  const size = bytes.byteLength;
  const identity = identify({ name: "x", start: bytes.subarray(0, 8192), end: bytes.subarray(-4096), size });
  try {
    if (identity.kind === "minidump") {
      const minidump = decodeMinidump(await readAt(0, 4096));
      const pageMap = await PageMap.read(readAt, minidump);
      completeness(checkMinidump(minidump, pageMap, { size, maybeSparse: true }));
      assert((await pageMap.spread(64)).every((share) => share >= 0 && share <= 1));
      await pageMap.coverage();
      const messages = await readMinidumpMessages(readAt, minidump, pageMap.pages, SEARCH_LIMIT);
      if (messages !== undefined) findPanic(messages.text);
      await look(minidumpMemory({ readAt, minidump, pageMap }), address);
    } else if (identity.kind === "elf-core") {
      const core = await readElfCore(readAt);
      completeness(checkElfCore(core, { size, maybeSparse: true }));
      await readElfMessages(readAt, core, SEARCH_LIMIT);
      await look(elfMemory(readAt, core), address);
    } else if (identity.kind === "textdump") {
      await readTextdump(readAt);
    } else if (identity.kind === "device-image") {
      await readDeviceImage(readAt, size);
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
}

Deno.test("every byte that means something in the reference's fixture can be wrong", async () => {
  const fixture = buildReferenceFixture();
  const meaningful = [[0, 0x80], [0x2fb8, 0x3000], [0x3000, 0x3030], [0x4000, 0x4040], [0x5000, 0x5010], [
    0x7000,
    0x7008,
  ]];
  for (const [from, to] of meaningful) {
    for (let at = from!; at < to!; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        fixture[at]! ^= flip;
        await inspect(fixture, 0xfffffe0000000ff0n);
        fixture[at]! ^= flip;
      }
    }
  }
});

Deno.test("bytes all over the reference's fixture can be changed", async () => {
  const fixture = buildReferenceFixture();
  for (let at = 0; at < fixture.byteLength; at += 7) {
    fixture[at]! ^= 0xff;
    await inspect(fixture, 0xfffffe0000200ff0n);
    fixture[at]! ^= 0xff;
  }
});

Deno.test("the reference's fixture can be cut anywhere", async () => {
  const fixture = buildReferenceFixture();
  for (let cut = 0; cut < fixture.byteLength; cut += cut % 4096 < 80 ? 1 : 97) {
    await inspect(fixture.subarray(0, cut), 0xfffffe0000000ff0n);
  }
});

Deno.test("minidumps of every kind survive lies in their headers and tables", async () => {
  const lies = fc.record({
    kind: fc.constantFrom(...MINIDUMP_KINDS),
    words: fc.array(
      fc.tuple(
        fc.integer({ min: 6, max: 40 }),
        fc.constantFrom(0, 1, 0x1000, 0x7fffffff, 0xffffffff, 0xfffff000),
      ),
      { maxLength: 4 },
    ),
    bytes: fc.array(fc.tuple(fc.nat(0x6fff), fc.nat(255)), { maxLength: 20 }),
    cut: fc.integer({ min: 0, max: 0x8000 }),
    address: fc.bigUintN(64),
  });
  await fc.assert(
    fc.asyncProperty(lies, async ({ kind, words, bytes, cut, address }) => {
      const dump = buildMinidump({ ...kind, pages: { 0: new Uint8Array(1), 0x8000: new Uint8Array(1) } });
      const view = new DataView(dump.buffer);
      for (const [index, value] of words) view.setUint32(4 * index, value, kind.littleEndian);
      for (const [at, value] of bytes) if (at < dump.byteLength) dump[at] = value;
      await inspect(dump.subarray(0, cut), address);
    }),
    { numRuns: 500 },
  );
});

Deno.test("full dumps and textdumps survive changes and cuts", async () => {
  const { section } = buildMessageBuffer({ text: "panic: x\ncpuid = 1\nUptime: 1s\n" });
  const core = buildElfCore({
    segments: [{ address: 0n, contents: section }, { address: 0x10000n, contents: section }],
  });
  const cases = fc.record({
    whole: fc.constantFrom(core, buildTextdump()),
    bytes: fc.array(fc.tuple(fc.nat(0x4000), fc.nat(255)), { maxLength: 10 }),
    cut: fc.nat(0x6000),
    address: fc.nat(0x12000),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ whole, bytes, cut, address }) => {
      const dump = whole.slice(0, cut);
      for (const [at, value] of bytes) if (at < dump.byteLength) dump[at] = value;
      await inspect(dump, BigInt(address));
    }),
    { numRuns: 500 },
  );
});
