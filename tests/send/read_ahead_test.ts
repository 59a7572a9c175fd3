import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { SendError } from "../../lib/send/failure.ts";
import { checkUnchanged, type OpenDump, ReadAhead } from "../../lib/send/read_ahead.ts";
import { randomBytes } from "../end_to_end/send_process.ts";

const CHUNK = 1024 * 1024;

async function withDump(
  bytes: Uint8Array,
  dataSize: number,
  test: (dump: OpenDump, path: string) => Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile();
  await Deno.writeFile(path, bytes);
  using file = await Deno.open(path);
  try {
    await test({ path, file, info: file.statSync(), dataSize }, path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("ReadAhead gives out a file piece by piece, across chunks, and zeros behind its end", async () => {
  const bytes = randomBytes(5 * CHUNK + 12_345, 1);
  const dataSize = bytes.byteLength + 2 * CHUNK;
  await withDump(bytes, dataSize, async (dump) => {
    const out = new Uint8Array(dataSize);
    let at = 0;
    const reader = new ReadAhead(dump, () => {
      for (; at < dataSize; at += 1448) {
        const end = Math.min(at + 1448, dataSize);
        if (end > reader.readyOffset) break;
        reader.copy(at, out.subarray(at, end));
      }
    });
    await reader.run();
    assertEquals(at >= dataSize, true);
    assertEquals(out.subarray(0, bytes.byteLength), bytes);
    assertEquals(out.subarray(bytes.byteLength).every((byte) => byte === 0), true);
  });
});

Deno.test("ReadAhead reads no more than four chunks ahead, and goes on when they are used", async () => {
  const info = { size: 10 * CHUNK, mtime: null };
  // It reads without a wait, so that a turn of the event loop is enough for all that is read ahead.
  const file = {
    read: (into: Uint8Array) => Promise.resolve(into.byteLength),
    statSync: () => info,
    close: () => {},
  };
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  const reader = new ReadAhead({ path: "x", file, info, dataSize: info.size }, () => {});
  const running = reader.run();
  await turn();
  assertEquals(reader.readyOffset, 4 * CHUNK);
  reader.copy(CHUNK, new Uint8Array(10));
  await turn();
  assertEquals(reader.readyOffset, 5 * CHUNK);
  reader.close();
  await running;
});

Deno.test("ReadAhead and checkUnchanged() notice a file that grows, shrinks or is written to", async () => {
  const changes: ((path: string) => Promise<void>)[] = [
    (path) => Deno.writeFile(path, new Uint8Array(1), { append: true }),
    (path) => Deno.truncate(path, 100),
    (path) => Deno.utime(path, new Date(), new Date(1000)),
  ];
  for (const change of changes) {
    await withDump(new Uint8Array(4096), 4096, async (dump, path) => {
      checkUnchanged(dump);
      await change(path);
      assertThrows(() => checkUnchanged(dump), SendError, "the file changed while it was being sent");
      await assertRejects(() => new ReadAhead(dump, () => {}).run(), SendError, "the file changed");
    });
  }
});

Deno.test("ReadAhead reports an error of the disk with path and offset", async () => {
  await withDump(new Uint8Array(4096), 4096, async (dump) => {
    const broken = {
      ...dump,
      file: { read: () => Promise.reject(new Error("Input/output error (os error 5)")) },
    };
    const reader = new ReadAhead(broken as unknown as OpenDump, () => {});
    await assertRejects(() => reader.run(), SendError, "at offset 0: Input/output error");
  });
});
