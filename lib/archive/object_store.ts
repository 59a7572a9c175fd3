/**
 * A client of S3 and of what speaks like it (Ceph, MinIO, Swift, R2, ...): path style, signed payloads, Content-MD5, and none
 * of the headers that stores are known to ignore or refuse (trailers, x-amz-checksum-*, If-None-Match, SSE).
 *
 * @module
 */
import { StoreError, storeError } from "./store_error.ts";
import { StoreRequests, type StoreSettings } from "./store_requests.ts";
import { sumsOf } from "./turn.ts";
import { elements, elementText, escapeXml } from "./xml.ts";

/** Patience where much is sent, or the store has much to do. */
const TRANSFER_MS = 10 * 60_000;
const MAX_PAGES = 100_000;

/** What is stored under a key. */
export interface StoredObject {
  readonly sizeBytes: number;
  /** Without quotes; MD5 of the bytes, or of its parts' MD5s, unless the store encrypts. */
  readonly etag: string;
  /** The store encrypts it, so that its tag need not be a sum. */
  readonly isEncrypted: boolean;
}

/** A part of an upload, as the store has it. */
export interface StoredPart {
  /** From 1. */
  readonly number: number;
  readonly sizeBytes: number;
  readonly etag: string;
}

/** A key with its size. */
export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
}

/** An upload in parts that was begun and not ended. */
export interface BegunUpload {
  readonly key: string;
  readonly id: string;
  /** Unix time in ms; `NaN` if the store does not tell. */
  readonly begunMs: number;
}

/** One bucket. All methods throw {@linkcode StoreError}. */
export class ObjectStore {
  readonly #requests: StoreRequests;
  readonly #now: () => number;

  constructor(settings: StoreSettings, now: () => number = Date.now) {
    this.#requests = new StoreRequests(settings, now);
    this.#now = now;
  }

  /** Stores an object in one request; its MD5 in hexadecimal digits. */
  async put(key: string, body: Uint8Array<ArrayBuffer>, type = "application/octet-stream"): Promise<string> {
    const { md5, sha256 } = await sumsOf(body);
    const headers = { "content-md5": base64OfHex(md5), "content-type": type };
    const answer = await this.#requests.ask({
      method: "PUT",
      key,
      headers,
      body,
      sha256,
      patienceMs: TRANSFER_MS,
    });
    checkTag(key, answer.headers, md5);
    return md5;
  }

  /** What is stored under a key; `undefined` if nothing is. */
  async head(key: string): Promise<StoredObject | undefined> {
    try {
      const { headers } = await this.#requests.ask({ method: "HEAD", key });
      const sizeBytes = Number(headers.get("content-length") ?? NaN);
      return { sizeBytes, etag: tagOf(headers), isEncrypted: isEncrypted(headers) };
    } catch (error) {
      if (error instanceof StoreError && error.failure === "absent") return undefined;
      throw error;
    }
  }

  /** Bytes of an object, from `start` up to and without `end`, or all of it. */
  async get(key: string, range?: { readonly start: number; readonly end: number }): Promise<Uint8Array> {
    const headers: Record<string, string> = range === undefined
      ? {}
      : { range: `bytes=${range.start}-${range.end - 1}` };
    const { bytes } = await this.#requests.ask({ method: "GET", key, headers, patienceMs: TRANSFER_MS });
    if (range !== undefined && bytes.length !== range.end - range.start) {
      throw new StoreError(
        "damaged",
        `Cannot read ${key}: ${bytes.length} bytes came of ${range.end - range.start}`,
      );
    }
    return bytes;
  }

  /** Removes an object; nothing happens if there is none. */
  async remove(key: string): Promise<void> {
    await this.#requests.ask({ method: "DELETE", key });
  }

  /** Keys that begin with a prefix, in order. */
  async *list(prefix: string): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const more: Record<string, string> = token === undefined ? {} : { "continuation-token": token };
      const xml = await this.#requests.askText({
        method: "GET",
        key: "",
        query: { "list-type": "2", prefix, ...more },
      });
      for (const entry of elements(xml, "Contents")) {
        yield { key: elementText(entry, "Key") ?? "", sizeBytes: Number(elementText(entry, "Size") ?? NaN) };
      }
      token = elementText(xml, "NextContinuationToken");
      if (elementText(xml, "IsTruncated") !== "true" || token === undefined) return;
    }
  }

  /** What stands below a prefix up to the next slash, with it, in order. */
  async folders(prefix: string): Promise<string[]> {
    const query = { "list-type": "2", delimiter: "/", prefix };
    const found: string[] = [];
    let token: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const more: Record<string, string> = token === undefined ? {} : { "continuation-token": token };
      const xml = await this.#requests.askText({ method: "GET", key: "", query: { ...query, ...more } });
      for (const folder of elements(xml, "CommonPrefixes")) found.push(elementText(folder, "Prefix") ?? "");
      token = elementText(xml, "NextContinuationToken");
      if (elementText(xml, "IsTruncated") !== "true" || token === undefined) break;
    }
    return found;
  }

  /** Begins an upload in parts; its id. */
  async beginUpload(key: string): Promise<string> {
    const xml = await this.#requests.askText({ method: "POST", key, query: { uploads: "" } });
    const id = elementText(xml, "UploadId");
    if (id === undefined) throw new StoreError("refused", `Cannot begin upload of ${key}: no id came`);
    return id;
  }

  /** Ids of uploads of a key that were begun and not ended. */
  async uploads(key: string): Promise<string[]> {
    // MinIO lists only those whose key is the prefix itself.
    const uploads = await Array.fromAsync(this.uploadsBelow(key));
    return uploads.flatMap((upload) => upload.key === key ? upload.id : []);
  }

  /** Uploads whose keys begin with a prefix, that were begun and not ended. */
  async *uploadsBelow(prefix: string): AsyncGenerator<BegunUpload> {
    let marker: Record<string, string> = {};
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = { uploads: "", prefix, ...marker };
      const xml = await this.#requests.askText({ method: "GET", key: "", query });
      for (const upload of elements(xml, "Upload")) {
        const [key, id] = [elementText(upload, "Key"), elementText(upload, "UploadId")];
        const begunMs = Date.parse(elementText(upload, "Initiated") ?? "");
        if (key !== undefined && id !== undefined) yield { key, id, begunMs };
      }
      const [key, id] = [elementText(xml, "NextKeyMarker"), elementText(xml, "NextUploadIdMarker")];
      if (elementText(xml, "IsTruncated") !== "true" || key === undefined || id === undefined) return;
      marker = { "key-marker": key, "upload-id-marker": id };
    }
  }

  /** Uploads a part; its tag, and its MD5 in hexadecimal digits. */
  async putPart(
    key: string,
    id: string,
    number: number,
    body: Uint8Array<ArrayBuffer>,
  ): Promise<{ readonly etag: string; readonly md5: string }> {
    const { md5, sha256 } = await sumsOf(body);
    const answer = await this.#requests.ask({
      method: "PUT",
      key,
      query: { partNumber: `${number}`, uploadId: id },
      headers: { "content-md5": base64OfHex(md5) },
      body,
      sha256,
      patienceMs: TRANSFER_MS,
    });
    checkTag(key, answer.headers, md5);
    return { etag: tagOf(answer.headers), md5 };
  }

  /** Parts of an upload that the store has. */
  async parts(key: string, id: string): Promise<StoredPart[]> {
    const parts: StoredPart[] = [];
    let marker = "0";
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = { uploadId: id, ...(marker === "0" ? {} : { "part-number-marker": marker }) };
      const xml = await this.#requests.askText({ method: "GET", key, query });
      for (const part of elements(xml, "Part")) {
        parts.push({
          number: Number(elementText(part, "PartNumber")),
          sizeBytes: Number(elementText(part, "Size")),
          etag: unquote(elementText(part, "ETag") ?? ""),
        });
      }
      const next = elementText(xml, "NextPartNumberMarker");
      if (elementText(xml, "IsTruncated") !== "true" || next === undefined || next === marker) return parts;
      marker = next;
    }
    return parts;
  }

  /** Makes an object of an upload's parts. */
  async completeUpload(key: string, id: string, parts: readonly StoredPart[]): Promise<void> {
    const list = parts.map(({ number, etag }) =>
      `<Part><PartNumber>${number}</PartNumber><ETag>"${escapeXml(etag)}"</ETag></Part>`
    ).join("");
    const text = `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`;
    const body = new Uint8Array(new TextEncoder().encode(text));
    const xml = await this.#requests.askText({
      method: "POST",
      key,
      query: { uploadId: id },
      headers: { "content-type": "application/xml" },
      body,
      patienceMs: TRANSFER_MS,
    });
    // The status was sent before the store knew how it would end.
    if (xml.includes("<Error>")) {
      throw storeError(`Cannot complete ${key}`, {
        status: 200,
        body: xml,
        date: null,
        nowMs: this.#now(),
      });
    }
  }

  /** Drops an upload and its parts. */
  async abortUpload(key: string, id: string): Promise<void> {
    await this.#requests.ask({ method: "DELETE", key, query: { uploadId: id } });
  }
}

/** A tag that is a sum must be that of what was sent. */
function checkTag(key: string, headers: Headers, md5: string): void {
  const tag = tagOf(headers);
  if (isEncrypted(headers) || !/^[0-9a-f]{32}$/.test(tag) || tag === md5) return;
  throw new StoreError("damaged", `Cannot store ${key}: the store has MD5 ${tag}, sent was ${md5}`);
}

function isEncrypted(headers: Headers): boolean {
  return [...headers.keys()].some((name) => name.startsWith("x-amz-server-side-encryption"));
}

function tagOf(headers: Headers): string {
  return unquote(headers.get("etag") ?? "");
}

function unquote(tag: string): string {
  return tag.replaceAll('"', "").toLowerCase();
}

function base64OfHex(hex: string): string {
  return btoa(hex.replaceAll(/../g, (digits) => String.fromCharCode(Number.parseInt(digits, 16))));
}
