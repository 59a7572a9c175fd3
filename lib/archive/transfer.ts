/**
 * One file into a bucket, whole: in parts that outlive a kill, taken up by asking the store which of them it has (P12).
 *
 * @module
 */
import { createHash } from "node:crypto";
import { quote } from "../text/escape.ts";
import type { ObjectStore, StoredObject, StoredPart } from "./object_store.ts";
import { cutParts, type Part, partBytes } from "./part_size.ts";
import { StoreError } from "./store_error.ts";

/** Parts on their way at once: with what is being read this bounds the memory. */
const MAX_PARTS_AT_ONCE = 3;

/** A local file that must stay as it is while it is shipped. */
export interface LocalFile {
  readonly sizeBytes: number;
  /** Bytes from an offset on; never fewer than asked for. */
  read(offset: number, sizeBytes: number): Uint8Array<ArrayBuffer>;
}

/** What was stored. */
export interface SentFile {
  readonly sizeBytes: number;
  /** SHA-256, in hexadecimal digits. */
  readonly sha256: string;
  /** Bytes that really went over the network. */
  readonly sentBytes: number;
}

/** Waits until so many bytes may be sent. */
export type Pace = (sizeBytes: number) => Promise<void>;

/**
 * Stores a file under a key, or sees that it is there already.
 *
 * @throws {StoreError}
 */
export async function sendFile(
  store: ObjectStore,
  key: string,
  file: LocalFile,
  pace: Pace,
): Promise<SentFile> {
  const { sizeBytes } = file;
  const stored = await store.head(key);
  if (stored?.sizeBytes === sizeBytes) {
    const { sha256, etag } = sumFile(file);
    if (stored.etag === etag) {
      await abortUploads(store, key);
      return { sizeBytes, sha256, sentBytes: 0 };
    }
  }
  const sent = sizeBytes <= partBytes(sizeBytes)
    ? await sendAtOnce(store, key, file, pace)
    : await sendInParts(store, key, file, pace);
  compare(key, await store.head(key), sizeBytes, sent.etag);
  return { sizeBytes, sha256: sent.sha256, sentBytes: sent.sentBytes };
}

interface Sent {
  readonly sha256: string;
  /** What the store should call it. */
  readonly etag: string;
  readonly sentBytes: number;
}

async function sendAtOnce(store: ObjectStore, key: string, file: LocalFile, pace: Pace): Promise<Sent> {
  const bytes = file.read(0, file.sizeBytes);
  await pace(bytes.length);
  await store.put(key, bytes);
  return { sha256: hashOf("sha256", bytes), etag: hashOf("md5", bytes), sentBytes: bytes.length };
}

async function sendInParts(store: ObjectStore, key: string, file: LocalFile, pace: Pace): Promise<Sent> {
  const { id, there } = await takeUpUpload(store, key);
  const sha256 = createHash("sha256");
  const sums: string[] = [];
  const parts: StoredPart[] = [];
  const running = new Set<Promise<void>>();
  let sentBytes = 0;
  const failures: unknown[] = [];
  const send = async ({ number, sizeBytes }: Part, bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
    try {
      const etag = await store.putPart(key, id, number, bytes);
      sentBytes += sizeBytes;
      parts.push({ number, sizeBytes, etag });
    } catch (error) {
      failures.push(error);
    }
  };
  for (const part of cutParts(file.sizeBytes)) {
    const bytes = file.read(part.start, part.sizeBytes);
    sha256.update(bytes);
    const sum = hashOf("md5", bytes);
    sums.push(sum);
    const before = there.get(part.number);
    if (before?.etag === sum && before.sizeBytes === part.sizeBytes) {
      parts.push(before);
      continue;
    }
    await pace(part.sizeBytes);
    while (running.size >= MAX_PARTS_AT_ONCE) await Promise.race(running);
    if (failures.length > 0) break;
    const sending = send(part, bytes).then(() => void running.delete(sending));
    running.add(sending);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  await store.completeUpload(key, id, parts.sort((a, b) => a.number - b.number));
  return { sha256: sha256.digest("hex"), etag: joinedTag(sums), sentBytes };
}

/** An upload of the key that was begun before, with its parts, or a new one. Others are aborted. */
async function takeUpUpload(
  store: ObjectStore,
  key: string,
): Promise<{ readonly id: string; readonly there: ReadonlyMap<number, StoredPart> }> {
  const [id, ...others] = await store.uploads(key);
  for (const other of others) await store.abortUpload(key, other);
  if (id === undefined) return { id: await store.beginUpload(key), there: new Map() };
  const parts = await store.parts(key, id);
  return { id, there: new Map(parts.map((part) => [part.number, part])) };
}

async function abortUploads(store: ObjectStore, key: string): Promise<void> {
  for (const id of await store.uploads(key)) await store.abortUpload(key, id);
}

function sumFile(file: LocalFile): { readonly sha256: string; readonly etag: string } {
  const sha256 = createHash("sha256");
  const sums: string[] = [];
  for (const { start, sizeBytes } of cutParts(file.sizeBytes)) {
    const bytes = file.read(start, sizeBytes);
    sha256.update(bytes);
    sums.push(hashOf("md5", bytes));
  }
  if (sums.length === 0) sums.push(hashOf("md5", new Uint8Array(0)));
  return { sha256: sha256.digest("hex"), etag: sums.length === 1 ? sums[0]! : joinedTag(sums) };
}

/** The tag of an object that was made of parts: MD5 of their MD5s, and their number. */
function joinedTag(sums: readonly string[]): string {
  return `${createHash("md5").update(sums.join(""), "hex").digest("hex")}-${sums.length}`;
}

function compare(key: string, stored: StoredObject | undefined, sizeBytes: number, etag: string): void {
  if (stored === undefined) {
    throw new StoreError("damaged", `${quote(key)} is not there though the store took it`);
  }
  if (stored.sizeBytes !== sizeBytes) {
    throw new StoreError("damaged", `${quote(key)} has ${stored.sizeBytes} bytes, sent were ${sizeBytes}`);
  }
  const isSum = !stored.isEncrypted && /^[0-9a-f]{32}(?:-\d{1,5})?$/.test(stored.etag);
  if (isSum && stored.etag !== etag) {
    throw new StoreError("damaged", `${quote(key)} has the sum ${stored.etag}, sent was ${etag}`);
  }
}

function hashOf(algorithm: "md5" | "sha256", bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest("hex");
}
