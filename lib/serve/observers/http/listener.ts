/**
 * Connections of the status page: few at a time, one request each, within a time (P7). Descriptors and memory that a
 * stranger ties up here a dump would lack.
 *
 * @module
 */
import { type Answer, encodeAnswer, HEAD_LIMIT, parseRequest, plainAnswer, type Request } from "./request.ts";

/** Connections at once; others wait in the system's queue. */
const MOST_CONNECTIONS = 16;
/** A request must be there, and an answer be taken, within so long each. */
const REQUEST_MS = 5000;
const ANSWER_MS = 20_000;
/** So much that was sent behind a request is read, for a connection with unread bytes ends in a reset. */
const DRAINED_BYTES = 65_536;
/** After an error of accept, such as too few descriptors. */
const RETRY_MS = 1000;

/** Answers requests on a socket. */
export class HttpListener {
  readonly #socket: Deno.Listener;
  readonly #answer: (request: Request) => Promise<Answer>;
  readonly #connections = new Map<Deno.Conn, Promise<void>>();
  readonly #accepting: Promise<void>;
  #freed: (() => void) | undefined;
  #closed = false;
  readonly #ended = Promise.withResolvers<undefined>();

  constructor(socket: Deno.Listener, answer: (request: Request) => Promise<Answer>) {
    this.#socket = socket;
    this.#answer = answer;
    this.#accepting = this.#accept();
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#ended.resolve(undefined);
    this.#socket.close();
    for (const connection of this.#connections.keys()) close(connection);
    this.#freed?.();
    await this.#accepting;
    await Promise.all(this.#connections.values());
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      if (this.#connections.size >= MOST_CONNECTIONS) {
        await new Promise<void>((resolve) => this.#freed = resolve);
        continue;
      }
      let connection: Deno.Conn;
      try {
        connection = await this.#socket.accept();
      } catch {
        if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      const served = this.#serve(connection).finally(() => {
        this.#connections.delete(connection);
        this.#freed?.();
      });
      this.#connections.set(connection, served);
    }
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    let timer = setTimeout(() => close(connection), REQUEST_MS);
    try {
      const head = await readHead(connection);
      clearTimeout(timer);
      timer = setTimeout(() => close(connection), ANSWER_MS);
      if (head === undefined) return;
      const request = typeof head === "string" ? parseRequest(head) : head;
      // What is still being asked elsewhere keeps no server from stopping.
      const answer = "status" in request
        ? request
        : await Promise.race([this.#answerSafely(request), this.#ended.promise]);
      if (answer === undefined) return;
      const isHead = "method" in request && request.method === "HEAD";
      await writeAll(connection, encodeAnswer(answer, !isHead));
      await connection.closeWrite();
      await drain(connection);
    } catch {
      // The other end is gone, or took too long.
    } finally {
      clearTimeout(timer);
      close(connection);
    }
  }

  async #answerSafely(request: Request): Promise<Answer> {
    try {
      return await this.#answer(request);
    } catch {
      return plainAnswer(500, "The server could not answer");
    }
  }
}

/** The head of a request, `undefined` if the connection ended before it was there. */
async function readHead(connection: Deno.Conn): Promise<string | Answer | undefined> {
  const bytes = new Uint8Array(HEAD_LIMIT);
  let filled = 0;
  while (filled < HEAD_LIMIT) {
    const read = await connection.read(bytes.subarray(filled));
    if (read === null) return undefined;
    filled += read;
    const text = new TextDecoder("latin1").decode(bytes.subarray(0, filled));
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) return text.slice(0, end);
  }
  return plainAnswer(431, `A request's head may have ${HEAD_LIMIT} bytes`);
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) at += await connection.write(bytes.subarray(at));
}

async function drain(connection: Deno.Conn): Promise<void> {
  const rest = new Uint8Array(4096);
  for (let left = DRAINED_BYTES; left > 0;) {
    const read = await connection.read(rest);
    if (read === null) return;
    left -= read;
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // It is closed.
  }
}
