/**
 * Uploads in parts that were begun and not ended, as far as the store knows: what becomes of them.
 *
 * Swift forgets an upload in a step of its own behind making the object of its parts. A store that is killed in between goes
 * on listing the upload, and whoever aborted it would take the parts away from under the object.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { ObjectStore, StoredObject, StoredPart } from "./object_store.ts";

/** Nobody sends a file for so long, and every list of a store is settled. */
const FORSAKEN_MS = 7 * 24 * 3600 * 1000;

/** The tag of an object that was made of parts, by their MD5s. */
export function composedTag(md5s: readonly string[]): string {
  return `${createHash("md5").update(md5s.join(""), "hex").digest("hex")}-${md5s.length}`;
}

/** Whether an object's tag says what is in it: its MD5, or that of its parts' MD5s with their number. */
export function isSum({ etag, isEncrypted }: StoredObject): boolean {
  return !isEncrypted && /^[0-9a-f]{32}(?:-\d{1,5})?$/.test(etag);
}

/** Ends all uploads of a key; the object that is there stays as it is. */
export async function endUploads(store: ObjectStore, key: string): Promise<void> {
  for (const id of await store.uploads(key)) await endUpload(store, key, id, false);
}

/** Ends uploads below a prefix that nobody goes on with: their collector is no more. One that is, begins anew. */
export async function endForsakenUploads(store: ObjectStore, prefix: string): Promise<void> {
  for await (const { key, id, begunMs } of store.uploadsBelow(prefix)) {
    if (begunMs < Date.now() - FORSAKEN_MS) await endUpload(store, key, id, true);
  }
}

async function endUpload(store: ObjectStore, key: string, id: string, isForsaken: boolean): Promise<void> {
  const there = await store.head(key);
  const parts = there === undefined ? [] : await store.parts(key, id);
  parts.sort((a, b) => a.number - b.number);
  switch (there === undefined ? "abort" : endOf(there, parts, isForsaken)) {
    case "complete":
      return await store.completeUpload(key, id, parts);
    case "abort":
      return await store.abortUpload(key, id);
    case "leave":
      return;
  }
}

/** How an upload of an object that is there is ended: by completing it once more if the object may be made of its parts. */
function endOf(
  there: StoredObject,
  parts: readonly StoredPart[],
  isForsaken: boolean,
): "complete" | "abort" | "leave" {
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (sizeBytes === there.sizeBytes && isSum(there)) {
    return composedTag(parts.map(({ etag }) => etag)) === there.etag ? "complete" : "abort";
  }
  // Not all parts may be listed yet; and an encrypted object does not tell what it is made of.
  const mayBeIts = sizeBytes === there.sizeBytes || sizeBytes < there.sizeBytes && !isForsaken;
  return mayBeIts ? "leave" : "abort";
}
