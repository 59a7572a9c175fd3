/**
 * Asks a server whether it would take a dump: a HERALD and a FINISHED, and no data.
 *
 * @module
 */
import { ACK_PORT, decodeAck, encodeMessage, MessageType } from "../protocol/message.ts";
import type { ClientSocket, OpenClientSocket } from "../udp/client_socket.ts";
import type { Peer } from "../udp/datagram_socket.ts";
import { SendError } from "./failure.ts";
import { cannotReceive, cannotSend, isTransient } from "./socket_error.ts";

/** Seqnos of the two messages (reference netdump-protocol.md, section 2). */
const HERALD_SEQNO = 1;
const FINISHED_SEQNO = 2;
/** Different strange answers that are told. */
const MOST_STRANGE = 8;

/** What is asked of whom. */
export interface CheckJob {
  /** Where the HERALD goes. */
  readonly server: Peer;
  readonly path: string | undefined;
  /** Port that is asked from. */
  readonly clientPort: number;
  /** Resends before giving up, and the wait before each. */
  readonly retries: number;
  readonly timeoutMs: number;
}

/** What came back that a kernel would not take. */
export interface StrangeAnswer {
  readonly from: string;
  readonly why: "other-address" | "wrong-seqno" | "no-ack";
  /** The seqno that was acked, if it was an ack. */
  readonly seqno: number | null;
}

/** How it went: the value of `--check --json`, whose keys docs/send.md documents. */
export interface CheckResult {
  /** Address and port that the HERALD went to. */
  readonly server: string;
  /** A kernel's dump would be taken, as far as can be known without one. */
  readonly ready: boolean;
  /** Address and port that acked the HERALD. */
  readonly answeredBy: string | null;
  /** Time from the HERALD that was acked to its ack, in ms. */
  readonly roundTripMs: number | null;
  readonly finishedAcked: boolean;
  /** The path that was asked for; whether it was taken is not told by the protocol. */
  readonly path: string | null;
  readonly strangeAnswers: readonly StrangeAnswer[];
  readonly error: string | null;
}

/**
 * Checks a server.
 *
 * @param now monotonic time in ms
 * @throws {SendError} if nothing can be sent or received
 */
export async function checkServer(
  job: CheckJob,
  openSocket: OpenClientSocket,
  signal: AbortSignal,
  now: () => number = () => performance.now(),
): Promise<CheckResult> {
  const strange: StrangeAnswer[] = [];
  const text = job.path === undefined ? new Uint8Array() : new TextEncoder().encode(`${job.path}\0`);
  const asker = new Asker(job, openSocket, signal, now, strange);
  let herald: Answer | undefined;
  let finished: Answer | undefined;
  try {
    herald = await asker.ask(MessageType.HERALD, HERALD_SEQNO, text, job.server);
    if (herald !== undefined) {
      finished = await asker.ask(MessageType.FINISHED, FINISHED_SEQNO, new Uint8Array(), herald.from);
    }
  } finally {
    asker.close();
  }
  const server = `${job.server.hostname}:${job.server.port}`;
  return {
    server,
    ready: finished !== undefined,
    answeredBy: herald === undefined ? null : `${herald.from.hostname}:${herald.from.port}`,
    roundTripMs: herald?.roundTripMs ?? null,
    finishedAcked: finished !== undefined,
    path: job.path ?? null,
    strangeAnswers: strange,
    error: finished === undefined ? whyNot(job, herald?.from, strange, signal) : null,
  };
}

/** An ack of what was asked. */
interface Answer {
  readonly from: Peer;
  readonly roundTripMs: number;
}

/** Sends a message until it is acked. */
class Asker {
  readonly #job: CheckJob;
  readonly #socket: ClientSocket;
  readonly #failed = Promise.withResolvers<never>();
  readonly #signal: AbortSignal;
  readonly #now: () => number;
  readonly #strange: StrangeAnswer[];
  #receiving: Promise<[datagram: Uint8Array, from: Peer]> | undefined;
  readonly #buffer = new Uint8Array(65536);

  constructor(
    job: CheckJob,
    openSocket: OpenClientSocket,
    signal: AbortSignal,
    now: () => number,
    strange: StrangeAnswer[],
  ) {
    this.#job = job;
    this.#failed.promise.catch(() => {});
    this.#socket = openSocket((error) => {
      if (!isTransient(error)) this.#failed.reject(cannotSend(error, job.server));
    });
    this.#signal = signal;
    this.#now = now;
    this.#strange = strange;
  }

  async ask(
    type: MessageType,
    seqno: number,
    payload: Uint8Array,
    to: Peer,
  ): Promise<Answer | undefined> {
    const datagram = encodeMessage({ type, seqno, offset: 0, payload });
    for (let tries = 0; tries <= this.#job.retries && !this.#signal.aborted; tries++) {
      const sentMs = this.#now();
      this.#socket.send(datagram, to);
      this.#socket.flush();
      for (
        let restMs = this.#job.timeoutMs;
        restMs > 0;
        restMs = sentMs + this.#job.timeoutMs - this.#now()
      ) {
        const answer = await this.#receive(restMs);
        if (answer === undefined) break;
        const [bytes, from] = answer;
        if (this.#isAck(bytes, from, seqno)) return { from, roundTripMs: this.#now() - sentMs };
      }
    }
    return undefined;
  }

  close(): void {
    this.#socket.close();
  }

  #isAck(bytes: Uint8Array, from: Peer, expected: number): boolean {
    const seqno = decodeAck(bytes) ?? null;
    // Acks of the server's address count from whatever port (reference section 2.1).
    const isServer = from.hostname === this.#job.server.hostname;
    if (isServer && seqno === expected) return true;
    // A late copy of the ack before.
    if (isServer && seqno !== null && seqno < expected && seqno >= HERALD_SEQNO) return false;
    const why = !isServer ? "other-address" : seqno === null ? "no-ack" : "wrong-seqno";
    const sender = `${from.hostname}:${from.port}`;
    const isKnown = this.#strange.some((known) => known.from === sender && known.why === why);
    if (!isKnown && this.#strange.length < MOST_STRANGE) this.#strange.push({ from: sender, why, seqno });
    return false;
  }

  /** A datagram; `undefined` if none comes in time. */
  async #receive(waitMs: number): Promise<[datagram: Uint8Array, from: Peer] | undefined> {
    if (this.#receiving === undefined) {
      this.#receiving = this.#socket.receive(this.#buffer);
      // It may still wait when the check is over and the socket closed.
      this.#receiving.catch(() => {});
    }
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), waitMs);
    const onAbort = () => late.resolve(undefined);
    this.#signal.addEventListener("abort", onAbort);
    try {
      const answer = await Promise.race([this.#receiving, late.promise, this.#failed.promise]);
      if (answer !== undefined) this.#receiving = undefined;
      return answer;
    } catch (error) {
      if (error instanceof SendError) throw error;
      this.#receiving = undefined;
      if (!isTransient(error)) throw cannotReceive(error);
      return await late.promise;
    } finally {
      clearTimeout(timer);
      this.#signal.removeEventListener("abort", onAbort);
    }
  }
}

function whyNot(
  { server: { hostname, port }, clientPort }: CheckJob,
  answered: Peer | undefined,
  strange: readonly StrangeAnswer[],
  signal: AbortSignal,
): string {
  const server = `${hostname}:${port}`;
  if (signal.aborted) return "Interrupted";
  if (answered !== undefined) {
    return `${answered.hostname}:${answered.port} acknowledged the HERALD but not FINISHED: its dump could not be ended; its log tells why`;
  }
  const stranger = strange.find(({ why, seqno }) => why === "other-address" && seqno === HERALD_SEQNO);
  if (stranger !== undefined) {
    return `${server} was asked and ${stranger.from} answered: a kernel takes acks from the address that it asked only, so it would never get ` +
      "through; have the server answer from that address (serve --bind), or ask the other one";
  }
  const wrong = strange.find(({ why }) => why === "wrong-seqno");
  if (wrong !== undefined) {
    return `${wrong.from} acknowledged number ${wrong.seqno} for the HERALD's number ${HERALD_SEQNO}: a kernel would never get through`;
  }
  if (strange.length > 0) {
    return `${strange[0]!.from} answered with something that is no acknowledgement: it is no netdump server`;
  }
  const other = clientPort === ACK_PORT
    ? ""
    : `; many servers answer to port ${ACK_PORT} only, which kernels use, and the client port is ${clientPort}`;
  return `No answer from ${server}: no netdump server is there, it refuses this client (its log tells why), or UDP does not pass both ways${other}`;
}
