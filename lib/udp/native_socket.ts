/**
 * Sockets whose datagrams the system's library moves, many in one call (reference native-datagrams.md): Deno's receive waits and
 * brings the first of a burst, one call empties the socket, one sends the acks. What the system takes no acks of any more goes
 * Deno's way.
 *
 * @module
 */
import { formatAddress, parseAddress } from "../protocol/ipv4.ts";
import type { Datagram, DatagramSocket, DatagramSockets, DatagramTaker, Peer } from "./datagram_socket.ts";
import { DenoSocket, DenoSockets } from "./deno_socket.ts";
import type { NativeMover } from "./native_mover.ts";

/** A kernel pauses for 0.5 ms before it sends again (reference netdump-protocol.md 3.3); who does so sooner waits for acks alone. */
const QUICK_MS = 0.3;
/** Sessions that got acks so short a time ago share this thread. */
const SHARED_MS = 5;
/** What a drain is worth in operations of a turn: other sessions have their turn after a few. */
const OPERATIONS_PER_DRAIN = 16;

/** What a trial has shown of the system's library. */
export interface NativeAbilities {
  /** It cuts a piece into datagrams. */
  readonly segments: boolean;
  /** Room that a socket gets, as the system accounts for it. */
  readonly receiveBufferBytes: number;
}

/** Native sockets of one thread. */
export class NativeSockets implements DatagramSockets {
  readonly isNative = true;
  readonly receiveBufferBytes: number;
  readonly #mover: NativeMover;
  readonly #maySegment: boolean;
  readonly #deno = new DenoSockets();
  readonly #traffic = new Traffic();

  constructor(mover: NativeMover, { segments, receiveBufferBytes }: NativeAbilities) {
    this.#mover = mover;
    this.#maySegment = segments;
    this.receiveBufferBytes = receiveBufferBytes;
  }

  bind(hostname: string, port: number, peer: Peer): DatagramSocket {
    const conn = Deno.listenDatagram({ transport: "udp", hostname, port });
    const socket = new DenoSocket(this.#deno, conn, peer);
    const fd = this.#mover.descriptorOf(conn.addr as Deno.NetAddr);
    if (fd === undefined) return socket;
    this.#mover.askReceiveBuffer(fd);
    const maySegment = this.#maySegment && this.#mover.askSegmentation(fd);
    return new NativeSocket(this.#mover, fd, socket, this.#deno, peer, this.#traffic, maySegment);
  }

  close(): void {
    this.#deno.close();
  }
}

/** A socket of Deno's around which the library works. */
class NativeSocket implements DatagramSocket, DatagramTaker {
  readonly #mover: NativeMover;
  /** Open for as long as the socket is. */
  readonly #fd: number;
  readonly #socket: DenoSocket;
  readonly #shared: DenoSockets;
  readonly #address: number;
  readonly #port: number;
  #taker!: DatagramTaker;
  readonly #traffic: Traffic;
  /**
   * Whether the acks of a burst may go as one piece, which the system cuts into datagrams: a third of the work. What a network
   * card makes of such small pieces is not known; a client that is to get acks twice ends it.
   */
  #maySegment: boolean;
  #flushedMs = -Infinity;
  #isQuick = false;
  #closed = false;

  constructor(
    mover: NativeMover,
    fd: number,
    socket: DenoSocket,
    shared: DenoSockets,
    peer: Peer,
    traffic: Traffic,
    maySegment: boolean,
  ) {
    this.#mover = mover;
    this.#fd = fd;
    this.#socket = socket;
    this.#shared = shared;
    this.#address = parseAddress(peer.hostname) ?? 0;
    this.#port = peer.port;
    this.#maySegment = maySegment;
    this.#traffic = traffic;
  }

  get port(): number {
    return this.#socket.port;
  }

  get acks(): number[] {
    return this.#socket.acks;
  }

  receive(taker: DatagramTaker): Promise<void> {
    this.#taker = taker;
    return this.#socket.receive(this, true);
  }

  flush(copies: 1 | 2): void {
    const { acks } = this;
    if (this.#closed || acks.length === 0) return;
    this.#flushedMs = performance.now();
    this.#traffic.note(this, this.#flushedMs);
    const sent = copies === 1 ? this.#sendOnce() : this.#sendTwice();
    if (sent < acks.length) acks.splice(0, sent);
    else acks.length = 0;
    this.#socket.flush(1);
  }

  settle(): Promise<void> {
    return this.#socket.settle();
  }

  close(): void {
    this.#closed = true;
    this.#socket.close();
  }

  // What Deno's receive brings is the first of a burst.

  take(first: Datagram): Promise<void> | undefined {
    this.#isQuick = performance.now() - this.#flushedMs < QUICK_MS;
    const waiting = this.#taker.take(first);
    if (waiting !== undefined) return waiting.then(() => this.#drain());
    this.#drain();
    return undefined;
  }

  endOfBurst(): void {
    this.#taker.endOfBurst();
  }

  get gathered(): number {
    return this.#taker.gathered;
  }

  get mayWait(): boolean {
    return this.#taker.mayWait;
  }

  foreign(from: Peer): void {
    this.#taker.foreign(from);
  }

  failed(what: "receive" | "send", error: unknown): void {
    this.#taker.failed(what, error);
  }

  #drain(): void {
    if (this.#closed) return;
    // The memory of what is drained is everybody's, so that nobody can be waited for with it.
    if (!this.#taker.mayWait) this.#mover.drain(this.#fd, this.#taken);
    this.#shared.loop.spend(OPERATIONS_PER_DRAIN);
    this.#taker.endOfBurst();
  }

  readonly #taken = (datagram: Datagram, address: number, port: number): void => {
    if (this.#closed) return;
    if (address !== this.#address || port !== this.#port) {
      this.#taker.foreign({ hostname: formatAddress(address), port });
      return;
    }
    if (this.#taker.take(datagram) !== undefined) throw new Error("A drained datagram was waited with");
  };

  #sendOnce(): number {
    const { acks } = this;
    // Where this machine's time is short: for one kernel alone, acks one by one are a little sooner with it.
    const isShort = this.#isQuick || this.#flushedMs - this.#traffic.otherMs < SHARED_MS;
    if (!this.#maySegment || !isShort || acks.length === 1) return this.#sendEach(acks);
    const sent = this.#mover.sendSegmented(this.#fd, acks, this.#address, this.#port);
    if (sent === acks.length) return sent;
    this.#maySegment = false;
    return sent + this.#sendEach(acks.slice(sent));
  }

  /** For a client whose acks may not have reached it: perhaps because of the segments. */
  #sendTwice(): number {
    this.#maySegment = false;
    const sent = this.#sendEach(this.acks);
    // Copies that find no room are not missed: the first ones did.
    if (sent === this.acks.length) this.#sendEach(this.acks);
    return sent;
  }

  #sendEach(seqnos: readonly number[]): number {
    return this.#mover.sendAcks(this.#fd, seqnos, this.#address, this.#port);
  }
}

/** Whose acks a thread sent last, and when it sent somebody else's. */
class Traffic {
  /** Monotonic time in ms, of the last acks that were not those of the socket which was noted last. */
  otherMs = -Infinity;
  #last: NativeSocket | undefined;
  #lastMs = -Infinity;

  /** Notes that a socket sends acks. */
  note(socket: NativeSocket, nowMs: number): void {
    if (this.#last !== socket) this.otherMs = this.#lastMs;
    this.#last = socket;
    this.#lastMs = nowMs;
  }
}
