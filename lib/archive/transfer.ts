/**
 * One file into a bucket, whole: in parts that outlive a kill, taken up by asking the store which of them it has (P12).
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { quote } from "../text/escape.ts";
import type { Content, ContentPart, LocalFile } from "./content.ts";
import type { ObjectStore, StoredObject, StoredPart } from "./object_store.ts";
import { StoreError } from "./store_error.ts";
import { hashInTurns, sumsOf } from "./turn.ts";
import { composedTag, endUploads, isSum } from "./uploads.ts";

/** Length of bytes and their SHA-256, in hexadecimal digits. */
export interface Sums {
  readonly bytes: number;
  readonly sha256: string;
}

/** What was stored. */
export interface SentFile {
  /** The file itself. */
  readonly received: Sums;
  readonly stored: Sums;
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
  content: Content,
  pace: Pace,
): Promise<SentFile> {
  const there = await store.head(key);
  if (there !== undefined && there.sizeBytes === (content.sizeBytes ?? there.sizeBytes)) {
    const known = new Summing(content);
    const sha256 = await eachPart(content, async ({ bytes, release }) => {
      known.addMd5((await sumsOf(bytes)).md5);
      await known.add(bytes);
      release();
    });
    if (known.bytes === there.sizeBytes && known.etag === there.etag) {
      await endUploads(store, key);
      const received = { bytes: file.sizeBytes, sha256 };
      return { received, stored: known.end() ?? received, sentBytes: 0 };
    }
  }
  const sum = new Summing(content);
  const sending = new Sending(store, key, pace, sum);
  try {
    const sha256 = await eachPart(content, (part) => sending.send(part));
    await sending.end();
    compare(key, await store.head(key), sum.bytes, sum.etag);
    const received = { bytes: file.sizeBytes, sha256 };
    return { received, stored: sum.end() ?? received, sentBytes: sending.sentBytes };
  } finally {
    await sending.settled();
  }
}

/** @returns the SHA-256 of the file itself */
async function eachPart(
  content: Content,
  take: (part: ContentPart) => Promise<void>,
): Promise<string> {
  const parts = content.parts();
  for (;;) {
    const next = await parts.next();
    if (next.done) return next.value;
    try {
      await take(next.value);
    } catch (error) {
      next.value.release();
      await parts.return("");
      throw error;
    }
  }
}

/** The sums of what is stored, and the tag that the store should give it. */
class Summing {
  /** Of a file that is stored as it is, the sum is known anyway. */
  readonly #sha256: Hash | undefined;
  readonly #md5s: string[] = [];
  bytes = 0;

  constructor({ compression }: Content) {
    this.#sha256 = compression === "none" ? undefined : createHash("sha256");
  }

  /** Takes the next part. */
  async add(part: Uint8Array): Promise<void> {
    this.bytes += part.length;
    if (this.#sha256 !== undefined) await hashInTurns(part, this.#sha256);
  }

  addMd5(md5: string): void {
    this.#md5s.push(md5);
  }

  setMd5(number: number, md5: string): void {
    this.#md5s[number - 1] = md5;
  }

  /** MD5, or that of the parts' MD5s with their number. */
  get etag(): string {
    const sums = this.#md5s;
    return sums.length === 1 ? sums[0]! : composedTag(sums);
  }

  /** To be called once; `undefined` if it is the file as it is. */
  end(): Sums | undefined {
    if (this.#sha256 === undefined) return undefined;
    return { bytes: this.bytes, sha256: this.#sha256.digest("hex") };
  }
}

/** Parts on their way into the store. */
class Sending {
  readonly #store: ObjectStore;
  readonly #key: string;
  readonly #pace: Pace;
  readonly #sum: Summing;
  readonly #running = new Set<Promise<void>>();
  readonly #failures: unknown[] = [];
  readonly #parts: StoredPart[] = [];
  #upload: { readonly id: string; readonly there: ReadonlyMap<number, StoredPart> } | undefined;
  #number = 0;
  sentBytes = 0;

  constructor(store: ObjectStore, key: string, pace: Pace, sum: Summing) {
    this.#store = store;
    this.#key = key;
    this.#pace = pace;
    this.#sum = sum;
  }

  /** Resolves when there is room for another part. */
  async send({ bytes, isLast, release }: ContentPart): Promise<void> {
    const number = ++this.#number;
    await this.#sum.add(bytes);
    if (isLast && number === 1) {
      await this.#pace(bytes.length);
      this.#sum.setMd5(1, await this.#store.put(this.#key, bytes));
      this.sentBytes += bytes.length;
      release();
      return;
    }
    const { id, there } = this.#upload ??= await takeUpUpload(this.#store, this.#key);
    const before = there.get(number);
    if (before?.sizeBytes === bytes.length && before.etag === (await sumsOf(bytes)).md5) {
      this.#sum.setMd5(number, before.etag);
      this.#parts.push(before);
      release();
      return;
    }
    await this.#pace(bytes.length);
    if (this.#failures.length > 0) throw this.#failures[0];
    const sending = this.#sendPart(id, number, bytes).then(() => {
      this.#running.delete(sending);
      release();
    });
    this.#running.add(sending);
  }

  /** Makes an object of the parts. */
  async end(): Promise<void> {
    await this.settled();
    if (this.#failures.length > 0) throw this.#failures[0];
    if (this.#upload === undefined) return;
    const parts = this.#parts.sort((a, b) => a.number - b.number);
    await this.#store.completeUpload(this.#key, this.#upload.id, parts);
  }

  /** Resolves when nothing is on its way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #sendPart(id: string, number: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      const { etag, md5 } = await this.#store.putPart(this.#key, id, number, bytes);
      this.#sum.setMd5(number, md5);
      this.#parts.push({ number, sizeBytes: bytes.length, etag });
      this.sentBytes += bytes.length;
    } catch (error) {
      this.#failures.push(error);
    }
  }
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

function compare(key: string, stored: StoredObject | undefined, sizeBytes: number, etag: string): void {
  if (stored === undefined) {
    throw new StoreError("damaged", `${quote(key)} is not there though the store took it`);
  }
  if (stored.sizeBytes !== sizeBytes) {
    throw new StoreError("damaged", `${quote(key)} has ${stored.sizeBytes} bytes, sent were ${sizeBytes}`);
  }
  if (isSum(stored) && stored.etag !== etag) {
    throw new StoreError("damaged", `${quote(key)} has the sum ${stored.etag}, sent was ${etag}`);
  }
}
