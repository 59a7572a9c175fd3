/**
 * A request with a large body over a connection of its own. `fetch` copies such a body twice, into memory that is collected late:
 * with parts of 16 MiB that is hundreds of megabytes. Here it is written from where it lies.
 *
 * @module
 */
import { escapeLine } from "../text/escape.ts";

/** What is to be sent. */
export interface Upload {
  readonly method: string;
  readonly url: URL;
  /** All but those of the connection and the length. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Closes the connection. */
  readonly signal: AbortSignal;
  /** Called whenever something went over the connection. */
  readonly onProgress: () => void;
}

/** What came back. */
export interface UploadAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

const SLICE_BYTES = 256 * 1024;
const MAX_ANSWER_BYTES = 2 ** 20;
/** Whoever does not know `100-continue` says nothing (RFC 9110, section 10.1.1). */
const CONTINUE_MS = 1000;

/**
 * Connects to where an upload goes.
 *
 * @throws {Error} of the system
 */
export async function connectFor({ url }: Upload): Promise<Deno.Conn> {
  const hostname = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const isSecure = url.protocol === "https:";
  const port = url.port === "" ? (isSecure ? 443 : 80) : Number(url.port);
  return isSecure
    ? await Deno.connectTls({ hostname, port, alpnProtocols: ["http/1.1"] })
    : await Deno.connect({ hostname, port });
}

/**
 * Sends a request over a connection, which is closed then. What is refused is refused before the body is sent.
 *
 * @throws {Error} of the system
 */
export async function sendUpload(conn: Deno.Conn, upload: Upload): Promise<UploadAnswer> {
  const { body, signal, onProgress } = upload;
  let isOpen = true;
  const close = () => {
    if (isOpen) conn.close();
    isOpen = false;
  };
  signal.addEventListener("abort", close);
  if (signal.aborted) close();
  try {
    const reader = new AnswerReader(conn, onProgress);
    const answer = reader.run();
    answer.catch(() => {});
    let failure: unknown;
    try {
      await writeAll(conn, encodeHead(upload), onProgress);
      if (await reader.saysContinue(CONTINUE_MS)) await writeAll(conn, body, onProgress);
    } catch (error) {
      // The answer says why, if one came.
      failure = error;
    }
    return await answer.catch((error) => {
      throw failure ?? error;
    });
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

function encodeHead({ method, url, headers, body }: Upload): Uint8Array {
  const lines = [
    `${method} ${url.pathname}${url.search} HTTP/1.1`,
    ...Object.entries({
      ...{ host: url.host, connection: "close", expect: "100-continue", "content-length": `${body.length}` },
      ...headers,
    }).map(([name, value]) => `${name}: ${value}`),
  ];
  // A header is a line, whatever is in it.
  return new TextEncoder().encode(lines.map((line) => `${escapeLine(line)}\r\n`).join("") + "\r\n");
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array, onProgress: () => void): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await conn.write(bytes.subarray(at, at + SLICE_BYTES));
    onProgress();
  }
}

/** Takes what comes back: interim answers, then one that counts. */
class AnswerReader {
  readonly #conn: Deno.Conn;
  readonly #onProgress: () => void;
  /** In Latin-1: a byte is a character. */
  #text = "";
  #isContinued = false;
  #wake: () => void = () => {};

  constructor(conn: Deno.Conn, onProgress: () => void) {
    this.#conn = conn;
    this.#onProgress = onProgress;
  }

  /** Reads to the end of the answer. */
  async run(): Promise<UploadAnswer> {
    const buffer = new Uint8Array(16 * 1024);
    try {
      for (;;) {
        const count = await this.#conn.read(buffer);
        if (count !== null) this.#text += latin1(buffer.subarray(0, count));
        if (this.#text.length > MAX_ANSWER_BYTES) throw new Error("The answer is too long");
        this.#onProgress();
        const answer = this.#take(count === null);
        if (answer !== undefined) return answer;
        if (count === null) throw new Error("The connection ended before the answer");
      }
    } finally {
      this.#isContinued = false;
      this.#wake();
    }
  }

  /** Whether the body is wanted: so it is said, or nothing is said in time. */
  async saysContinue(patienceMs: number): Promise<boolean> {
    if (this.#isContinued) return true;
    if (this.#text !== "") return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(true), patienceMs);
    this.#wake = () => resolve(this.#isContinued);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The answer, if all of it is there. */
  #take(isEnd: boolean): UploadAnswer | undefined {
    for (;;) {
      const headEnd = this.#text.indexOf("\r\n\r\n");
      if (headEnd < 0) return undefined;
      const [first = "", ...lines] = this.#text.slice(0, headEnd).split("\r\n");
      const [, digits] = /^HTTP\/1\.[01] (\d{3})\b/.exec(first) ?? [];
      if (digits === undefined) throw new Error("The answer is no HTTP");
      const rest = this.#text.slice(headEnd + 4);
      if (digits.startsWith("1")) {
        this.#text = rest;
        this.#isContinued = true;
        this.#wake();
        continue;
      }
      this.#wake();
      return endOf(Number(digits), lines, rest, isEnd);
    }
  }
}

function endOf(
  status: number,
  lines: readonly string[],
  rest: string,
  isEnd: boolean,
): UploadAnswer | undefined {
  const headers = new Headers();
  for (const line of lines) {
    const at = line.indexOf(":");
    if (at > 0) headers.append(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  const length = headers.get("content-length");
  // Pieces of a chunked body stay in their wrapping: what is read of it is found all the same.
  const isWhole = isEnd || status === 204 ||
    (length !== null ? rest.length >= Number(length) : rest.endsWith("0\r\n\r\n"));
  if (!isWhole) return undefined;
  return { status, headers, bytes: Uint8Array.from(rest, (character) => character.charCodeAt(0)) };
}

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
