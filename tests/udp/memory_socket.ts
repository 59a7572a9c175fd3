/** Sockets in memory: their other ends are the test. */
import type { DatagramSocket, DatagramSockets, DatagramTaker, Peer } from "../../lib/udp/datagram_socket.ts";
import { newDatagram } from "../../lib/udp/deno_socket.ts";

/** What happens around sockets in memory. */
export interface MemoryNetwork {
  /** A socket was bound. */
  bound(socket: MemorySocket): void;
  /** Numbers were acked to the socket's peer. */
  acked(seqnos: readonly number[]): void;
  /** Begins a burst when datagrams have come; now or a while later. */
  soon(burst: () => Promise<void>): void;
}

/** Port of sockets that may have any. */
export const ANY_PORT = 40000;

/** Opens sockets in memory. */
export class MemorySockets implements DatagramSockets {
  readonly isNative = false;
  readonly receiveBufferBytes = null;
  readonly #network: MemoryNetwork;

  constructor(network: MemoryNetwork) {
    this.#network = network;
  }

  bind(_local: string, port: number, peer: Peer): DatagramSocket {
    const socket = new MemorySocket(this.#network, port === 0 ? ANY_PORT : port, peer);
    this.#network.bound(socket);
    return socket;
  }

  close(): void {}
}

/** A socket whose datagrams a test delivers. */
export class MemorySocket implements DatagramSocket {
  readonly port: number;
  readonly peer: Peer;
  readonly acks: number[] = [];
  readonly #network: MemoryNetwork;
  readonly #datagram = newDatagram();
  #inbox: { readonly bytes: Uint8Array; readonly from: Peer }[] = [];
  #taker: DatagramTaker | undefined;
  #isBurstDue = false;
  #closed = false;

  constructor(network: MemoryNetwork, port: number, peer: Peer) {
    this.#network = network;
    this.port = port;
    this.peer = peer;
  }

  /** A datagram reaches the socket. */
  deliver(bytes: Uint8Array, from: Peer = this.peer): void {
    if (this.#closed) return;
    this.#inbox.push({ bytes, from });
    if (this.#isBurstDue) return;
    this.#isBurstDue = true;
    this.#network.soon(() => this.#burst());
  }

  receive(taker: DatagramTaker): Promise<void> {
    this.#taker = taker;
    return Promise.resolve();
  }

  flush(copies: 1 | 2): void {
    if (this.#closed) return;
    const acks = this.acks.splice(0);
    if (acks.length === 0) return;
    for (let copy = 0; copy < copies; copy++) this.#network.acked(acks);
  }

  async settle(): Promise<void> {
    if (this.#inbox.length > 0) await this.#burst();
  }

  close(): void {
    this.#closed = true;
    this.#inbox = [];
  }

  async #burst(): Promise<void> {
    const taker = this.#taker;
    while (taker !== undefined && !this.#closed && this.#inbox.length > 0) {
      const { bytes, from } = this.#inbox.shift()!;
      if (from.hostname !== this.peer.hostname || from.port !== this.peer.port) {
        taker.foreign(from);
        continue;
      }
      this.#datagram.bytes.set(bytes);
      this.#datagram.size = bytes.byteLength;
      const waiting = taker.take(this.#datagram);
      if (waiting !== undefined) await waiting;
    }
    this.#isBurstDue = false;
    if (!this.#closed) taker?.endOfBurst();
  }
}
