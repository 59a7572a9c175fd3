/**
 * One signed question to an object store, and its answer: how long it is waited for, and over which connection.
 *
 * @module
 */
import { describeError } from "../os/system_error.ts";
import { type Credentials, encodePath, encodeQuery, sha256Hex, signHeaders } from "./signature.ts";
import { StoreError, storeError } from "./store_error.ts";
import { connectFor, sendUpload, type UploadAnswer } from "./upload.ts";

/** Patience with a store that says nothing. */
const QUICK_MS = 20_000;
/** The same, where it is seen whether something still goes over the network. */
const IDLE_MS = 60_000;
/** From here on a body is sent over a connection of its own. */
const LARGE_BYTES = 2 ** 20;
/** Answers that list something are far shorter. */
const MAX_ANSWER_BYTES = 16 * 2 ** 20;

/** Where a store is, and who asks it. */
export interface StoreSettings {
  /** `http://` or `https://`, host and port. */
  readonly endpoint: string;
  readonly bucket: string;
  readonly credentials: Credentials;
}

interface Question {
  readonly method: string;
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** Of the body, where it is known. */
  readonly sha256?: string;
  /** {@linkcode QUICK_MS} if it is not given. */
  readonly patienceMs?: number;
}

/** Of a store that did what it was asked. */
interface Answer {
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/** Asks one bucket. Both ways throw {@linkcode StoreError}. */
export class StoreRequests {
  readonly #settings: StoreSettings;
  readonly #now: () => number;

  constructor(settings: StoreSettings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
  }

  /** Asks what is answered by a text. */
  async askText(question: Question): Promise<string> {
    return new TextDecoder().decode((await this.ask(question)).bytes);
  }

  /** Asks, signed, and waits for the answer. */
  async ask(
    { method, key, query = {}, headers = {}, body, sha256, patienceMs = QUICK_MS }: Question,
  ): Promise<Answer> {
    const { endpoint, bucket, credentials } = this.#settings;
    const search = encodeQuery(query);
    const url = new URL(`${endpoint}${encodePath(bucket, key)}${search === "" ? "" : `?${search}`}`);
    const payloadSha256 = sha256 ?? sha256Hex(body ?? "");
    const signed = signHeaders({ method, url, headers, payloadSha256 }, credentials, this.#now());
    const what = `Cannot ${method} ${key === "" ? `bucket ${bucket}` : key} at ${url.host}`;
    const patience = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let waitedMs = 0;
    const wait = (ms: number) => {
      clearTimeout(timer);
      timer = setTimeout(() => patience.abort(), waitedMs = ms);
    };
    wait(patienceMs);
    try {
      const init = { method, headers: signed, ...(body === undefined ? {} : { body }) };
      const large = body === undefined || body.length < LARGE_BYTES ? undefined : {
        ...{ method, url, headers: signed, body, signal: patience.signal, onProgress: () => wait(IDLE_MS) },
      };
      // Without a connection there may be a proxy, which fetch knows about.
      const conn = large === undefined ? undefined : await connectFor(large).catch(() => undefined);
      const { status, headers, bytes } = conn === undefined || large === undefined
        ? await send(url, init, patience.signal)
        : await sendUpload(conn, large);
      if (status >= 200 && status < 300) return { headers, bytes };
      throw storeError(what, {
        status,
        body: new TextDecoder().decode(bytes),
        date: headers.get("date"),
        nowMs: this.#now(),
      });
    } catch (error) {
      if (error instanceof StoreError) throw error;
      const reason = patience.signal.aborted
        ? `it said nothing for ${waitedMs / 1000} s`
        : describeError(error);
      throw new StoreError("unreachable", `${what}: ${reason}`);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function send(url: URL, init: RequestInit, signal: AbortSignal): Promise<UploadAnswer> {
  const response = await fetch(url, { ...init, redirect: "manual", signal });
  const mostBytes = init.method === "GET" && response.ok ? Infinity : MAX_ANSWER_BYTES;
  return { status: response.status, headers: response.headers, bytes: await readBody(response, mostBytes) };
}

async function readBody(response: Response, mostBytes: number): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array(0);
  const length = Number(response.headers.get("content-length") ?? 0);
  if (length > mostBytes) {
    await response.body.cancel();
    throw new StoreError("refused", `An answer of ${length} bytes is too long`);
  }
  return new Uint8Array(await response.arrayBuffer());
}
