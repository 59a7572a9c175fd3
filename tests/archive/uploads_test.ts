import { assertEquals } from "@std/assert";
import { ObjectStore } from "../../lib/archive/object_store.ts";
import { PartBuffers, plainContent } from "../../lib/archive/content.ts";
import { sha256Hex } from "../../lib/archive/signature.ts";
import { sendFile } from "../../lib/archive/transfer.ts";
import { endForsakenUploads, endUploads } from "../../lib/archive/uploads.ts";
import { dumpBytes } from "../dump_data.ts";
import { Swift, testWithSwift } from "./swift.ts";

/** As `sendFile()` cuts them. */
const PART_BYTES = 16 * 2 ** 20;
const KEY = "p/dumps/w1/vmcore.w1.0";
const core = dumpBytes(1, 2 * PART_BYTES);
const other = dumpBytes(2, 2 * PART_BYTES);

/** Stores bytes in two parts, or only begins to; the upload's id. */
async function upload(store: ObjectStore, bytes: Uint8Array<ArrayBuffer>, parts: 0 | 1 | 2): Promise<string> {
  const id = await store.beginUpload(KEY);
  for (let i = 0; i < parts; i++) {
    await store.putPart(KEY, id, i + 1, bytes.slice(i * PART_BYTES, (i + 1) * PART_BYTES));
  }
  return id;
}

/** A store that has the core, made of two parts, and was killed before it forgot the upload. */
async function killedStore(swift: Swift): Promise<ObjectStore> {
  const { store } = swift;
  const id = await upload(store, core, 2);
  await store.completeUpload(KEY, id, await store.parts(KEY, id));
  await swift.rememberUpload(KEY, id);
  assertEquals(await store.uploads(KEY), [id]);
  return store;
}

/** All uploads were begun long ago. */
class OldUploads extends ObjectStore {
  override async *uploadsBelow(prefix: string) {
    for await (const upload of super.uploadsBelow(prefix)) yield { ...upload, begunMs: 0 };
  }
}

/** A store that encrypts: its tags say nothing. */
class EncryptingStore extends ObjectStore {
  override async head(key: string) {
    const there = await super.head(key);
    return there && { ...there, isEncrypted: true };
  }
}

const file = {
  sizeBytes: core.length,
  read: (at: number, into: Uint8Array) => into.set(core.subarray(at, at + into.length)),
};

const ENDINGS: Readonly<Record<string, (store: ObjectStore, swift: Swift) => Promise<unknown>>> = {
  "by whoever sends it again": (store) =>
    sendFile(store, KEY, file, plainContent(file, new PartBuffers(3)), () => Promise.resolve()),
  "with all uploads of the key": (store) => endUploads(store, KEY),
  "as one that is forsaken": (_, swift) => endForsakenUploads(new OldUploads(swift.settings()), "p/"),
};

for (const [how, end] of Object.entries(ENDINGS)) {
  testWithSwift(
    `an upload that the store did not forget is ended ${how}, and its object stays whole`,
    async () => {
      await using swift = await Swift.start();
      const store = await killedStore(swift);
      await end(store, swift);
      assertEquals(await store.uploads(KEY), []);
      assertEquals(sha256Hex(await store.get(KEY)), sha256Hex(core));
    },
  );
}

testWithSwift("uploads beside an object that is there are ended, and never it", async () => {
  await using swift = await Swift.start();
  const store = await killedStore(swift);
  const [own] = await store.uploads(KEY);
  await upload(store, other, 2);
  const begun = await upload(store, core, 1);
  // Which parts an encrypted object has cannot be told, and not all of a young upload's need be listed yet.
  await endUploads(new EncryptingStore(swift.settings()), KEY);
  assertEquals((await store.uploads(KEY)).length, 3);
  await endUploads(store, KEY);
  assertEquals(await store.uploads(KEY), [begun]);
  assertEquals(own === begun, false);
  await endForsakenUploads(new OldUploads(swift.settings()), "p/");
  assertEquals(await store.uploads(KEY), []);
  assertEquals(sha256Hex(await store.get(KEY)), sha256Hex(core));
});

testWithSwift("uploads of what is not there are aborted", async () => {
  await using swift = await Swift.start();
  for (const parts of [0, 1, 2] as const) await upload(swift.store, core, parts);
  await endUploads(swift.store, KEY);
  assertEquals(await swift.store.uploads(KEY), []);
  assertEquals(await swift.store.head(KEY), undefined);
});
