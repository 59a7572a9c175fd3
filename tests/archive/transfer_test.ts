import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { ObjectStore } from "../../lib/archive/object_store.ts";
import { cutParts, partBytes } from "../../lib/archive/part_size.ts";
import { StoreError, type StoreFailure } from "../../lib/archive/store_error.ts";
import { type LocalFile, PartBuffers, plainContent } from "../../lib/archive/content.ts";
import { sendFile, type SentFile } from "../../lib/archive/transfer.ts";
import { Swift, testWithSwift } from "./swift.ts";

const MIB = 2 ** 20;
const noPace = () => Promise.resolve();

/** Bytes that are different everywhere. */
function someBytes(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4));
  let state = 1;
  for (let at = 0; at < words.length; at++) {
    words[at] = state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  }
  return new Uint8Array(words.buffer, 0, sizeBytes);
}

function fileOf(bytes: Uint8Array<ArrayBuffer>): LocalFile {
  return {
    sizeBytes: bytes.length,
    read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
  };
}

function send(store: ObjectStore, key: string, bytes: Uint8Array<ArrayBuffer>): Promise<SentFile> {
  const file = fileOf(bytes);
  return sendFile(store, key, file, plainContent(file, new PartBuffers(3)), noPace);
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

Deno.test("cutParts() covers files of any size in at most ten thousand parts", () => {
  for (const sizeBytes of [0, 1, 16 * MIB, 16 * MIB + 1, 5 * 2 ** 40, 144_000 * MIB + 1]) {
    let at = 0;
    let parts = 0;
    for (const { number, start, sizeBytes: size } of cutParts(sizeBytes)) {
      assertEquals([number, start], [++parts, at]);
      assert(size > 0 && size <= partBytes(sizeBytes));
      at += size;
    }
    assertEquals(at, sizeBytes);
    assert(parts <= 10_000, `${parts}`);
  }
});

testWithSwift(
  "sendFile() stores files whole, small, empty and in parts, and sees those that are there",
  async () => {
    await using swift = await Swift.start();
    const { store } = swift;
    for (const sizeBytes of [0, 1, 40 * MIB + 12345]) {
      const bytes = someBytes(sizeBytes);
      const key = `a b/ü+(1)/${sizeBytes}`;
      const first = await send(store, key, bytes);
      const sums = { bytes: sizeBytes, sha256: sha256(bytes) };
      assertEquals(first, { received: sums, stored: sums, sentBytes: sizeBytes });
      assertEquals(sha256(await store.get(key)), sha256(bytes));
      const again = await send(store, key, bytes);
      assertEquals(again, { ...first, sentBytes: 0 });
    }
    const keys = [];
    for await (const { key, sizeBytes } of store.list("a b/")) keys.push([key, sizeBytes]);
    assertEquals(keys.length, 3);
  },
);

testWithSwift("sendFile() takes up an upload after a kill, and sends damaged parts again", async () => {
  await using swift = await Swift.start();
  const { store } = swift;
  const bytes = someBytes(50 * MIB);
  const id = await store.beginUpload("k");
  await store.putPart("k", id, 1, bytes.slice(0, 16 * MIB));
  await store.putPart("k", id, 2, new Uint8Array(16 * MIB));
  const { sentBytes } = await send(store, "k", bytes);
  assertEquals(sentBytes, 34 * MIB);
  assertEquals(sha256(await store.get("k")), sha256(bytes));
  assertEquals(await store.uploads("k"), []);
});

testWithSwift("a store that is wrong, away or misunderstood is told as that", async () => {
  await using swift = await Swift.start();
  const cases: [StoreFailure, ObjectStore][] = [
    ["wrong-key", new ObjectStore(swift.settings("wrong"))],
    ["no-bucket", new ObjectStore(swift.settings("testing", "nothing"))],
    ["clock", new ObjectStore(swift.settings(), () => Date.now() + 3_600_000)],
    ["unreachable", new ObjectStore({ ...swift.settings(), endpoint: "http://127.0.0.1:1" })],
  ];
  for (const [failure, store] of cases) {
    const error = await assertRejects(() => Array.fromAsync(store.list("")), StoreError);
    assertEquals(error.failure, failure, error.message);
    assert(!error.message.includes("wrong") || failure !== "wrong-key", error.message);
  }
});
