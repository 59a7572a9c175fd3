/**
 * The socket, the file and the clock around a sender.
 *
 * @module
 */
import { decodeAck } from "../protocol/message.ts";
import type { ClientSocket, OpenClientSocket } from "../udp/client_socket.ts";
import type { Peer } from "../udp/datagram_socket.ts";
import { Datagrams, type SmallPayloads } from "./datagrams.ts";
import { SendError } from "./failure.ts";
import type { RateLimit } from "./sender/rate.ts";
import { type OpenDump, ReadAhead } from "./read_ahead.ts";
import { cannotReceive, cannotSend, isTransient } from "./socket_error.ts";
import { NOTHING, type Sender, seqnoOf } from "./sender/sender.ts";

/** Larger than any datagram: older Deno cuts at 1,024 bytes if it is not given a buffer. */
const RECEIVE_BUFFER_SIZE = 65536;
/** A wait as short as this is slept and spun through: timers are too coarse for it. */
const SHORT_WAIT_MS = 2;
/** How much later than asked for `Atomics.wait` returns. */
const WAIT_SLACK_MS = 0.15;
/** The longest timer: more overflows. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** All that a dump's transmission needs. */
export interface Transmission {
  readonly sender: Sender;
  /** Makes the client's socket. */
  readonly openSocket: OpenClientSocket;
  /** Where the HERALD goes. */
  readonly server: { readonly address: string; readonly port: number };
  readonly dump: OpenDump;
  readonly payloads: SmallPayloads;
  readonly rate: RateLimit | undefined;
}

/** Sends one dump over a socket. */
export class Transmitter {
  readonly #sender: Sender;
  readonly #socket: ClientSocket;
  readonly #rate: RateLimit | undefined;
  readonly #reader: ReadAhead;
  readonly #datagrams: Datagrams;
  /** A message to itself is the quickest macrotask: it comes when the queued datagrams are received. */
  readonly #turn = new MessageChannel();
  readonly #nap = new Int32Array(new SharedArrayBuffer(4));
  readonly #end = Promise.withResolvers<void>();
  #peer: Peer;
  #serverPort: number | undefined;
  #pumpDue = false;
  /** When a short wait in the next turn is over. */
  #napUntil = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #ended = false;

  constructor(transmission: Transmission) {
    const { sender, openSocket, server, dump, payloads, rate } = transmission;
    this.#sender = sender;
    this.#socket = openSocket(this.#onSendError);
    this.#rate = rate;
    this.#reader = new ReadAhead(dump, () => this.#pumpSoon());
    this.#datagrams = new Datagrams(sender, dump, this.#reader, payloads);
    this.#peer = { hostname: server.address, port: server.port };
    this.#turn.port1.onmessage = () => this.#pump();
  }

  /** Port of the server's first ack, so far. */
  get serverPort(): number | undefined {
    return this.#serverPort;
  }

  /**
   * Sends the dump, and closes the socket. It ends when the sender has finished or given up: see its state.
   *
   * @throws {SendError} if the file or the socket fails, or the signal is aborted
   */
  async run(signal: AbortSignal): Promise<void> {
    const abort = () =>
      this.#end.reject(new SendError("Interrupted: the server keeps what arrived as an incomplete dump"));
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    const receiving = this.#receive();
    const reading = this.#reader.run().catch((error) => this.#end.reject(error));
    try {
      this.#pumpSoon();
      await this.#end.promise;
    } finally {
      signal.removeEventListener("abort", abort);
      this.#ended = true;
      this.#reader.close();
      clearTimeout(this.#timer);
      this.#turn.port1.close();
      this.#socket.close();
      await Promise.all([receiving, reading]);
    }
  }

  /** Takes in acks. While datagrams are queued, this loop runs in microtasks: the pump comes when they are done. */
  async #receive(): Promise<void> {
    const buffer = new Uint8Array(RECEIVE_BUFFER_SIZE);
    while (!this.#ended) {
      let received: [datagram: Uint8Array, from: Peer];
      try {
        received = await this.#socket.receive(buffer);
      } catch (error) {
        if (this.#ended || isTransient(error)) continue;
        this.#end.reject(cannotReceive(error));
        return;
      }
      this.#take(...received);
      this.#socket.drain(this.#take);
    }
  }

  readonly #take = (datagram: Uint8Array, from: Peer): void => {
    // Acks of the server's address count from whatever port (reference section 2.1).
    if (from.hostname !== this.#peer.hostname) return;
    const seqno = decodeAck(datagram);
    if (seqno === undefined) return;
    if (this.#serverPort === undefined) {
      // A late ack of an earlier dump must not lead this one astray.
      if (seqno !== seqnoOf(0)) return;
      this.#serverPort = from.port;
      this.#peer = { ...this.#peer, port: from.port };
    }
    this.#sender.acknowledge(seqno, performance.now());
    this.#pumpSoon();
  };

  #pumpSoon(): void {
    if (this.#pumpDue) return;
    this.#pumpDue = true;
    this.#turn.port2.postMessage(0);
  }

  /** Sends all that may be sent now. */
  #pump(): void {
    this.#pumpDue = false;
    if (this.#ended) return;
    this.#finishNap();
    try {
      for (;;) {
        const now = performance.now();
        const readyAt = this.#rate?.readyAt(now) ?? now;
        if (readyAt > now) return this.#wakeAt(readyAt, now);
        const number = this.#sender.next(now, this.#reader.readyOffset);
        if (number === NOTHING) break;
        this.#send(number);
      }
      if (this.#sender.state !== "sending") this.#end.resolve();
      else this.#wakeAt(this.#sender.wakeAt(), performance.now());
    } catch (error) {
      this.#end.reject(error);
    } finally {
      this.#socket.flush();
    }
  }

  #send(number: number): void {
    const datagram = this.#datagrams.get(number);
    this.#rate?.spend(datagram.byteLength);
    this.#socket.send(datagram, this.#peer);
  }

  readonly #onSendError = (error: unknown): void => {
    if (!this.#ended && !isTransient(error)) this.#end.reject(cannotSend(error, this.#peer));
  };

  /** Sees to it that the pump runs at a time, if nothing makes it run before. */
  #wakeAt(timeMs: number, nowMs: number): void {
    const waitMs = timeMs - nowMs;
    if (this.#sender.precise && waitMs < SHORT_WAIT_MS) {
      this.#napUntil = timeMs;
      this.#pumpSoon();
    } else if (timeMs < this.#timerAt) {
      clearTimeout(this.#timer);
      this.#timerAt = timeMs;
      this.#timer = setTimeout(this.#onTimer, Math.min(Math.max(0, waitMs), MAX_TIMER_MS));
    }
  }

  readonly #onTimer = (): void => {
    this.#timerAt = Infinity;
    this.#pump();
  };

  #finishNap(): void {
    const waitMs = this.#napUntil - performance.now();
    if (waitMs > WAIT_SLACK_MS) Atomics.wait(this.#nap, 0, 0, waitMs - WAIT_SLACK_MS);
    while (performance.now() < this.#napUntil) { /* The kernel's DELAY spins, too. */ }
  }
}
