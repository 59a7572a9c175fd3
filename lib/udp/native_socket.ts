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

/** Room that is asked for: several of a kernel's batches, each 106 KB of it at MTU 1500 (reference native-datagrams.md, section 2). */
const RECEIVE_BUFFER_BYTES = 512 * 1024;
/** What a drain is worth in operations of a turn: other sessions have their turn after a few. */
const OPERATIONS_PER_DRAIN = 16;

/** Native sockets of one thread. */
export class NativeSockets implements DatagramSockets {
  readonly isNative = true;
  readonly #mover: NativeMover;
  readonly #deno = new DenoSockets();

  constructor(mover: NativeMover) {
    this.#mover = mover;
  }

  bind(hostname: string, port: number, peer: Peer): DatagramSocket {
    const conn = Deno.listenDatagram({ transport: "udp", hostname, port });
    const socket = new DenoSocket(this.#deno, conn, peer);
    const fd = this.#mover.descriptorOf(conn.addr as Deno.NetAddr);
    if (fd === undefined) return socket;
    this.#mover.askReceiveBuffer(fd, RECEIVE_BUFFER_BYTES);
    return new NativeSocket(this.#mover, fd, socket, this.#deno, peer);
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
  #closed = false;

  constructor(mover: NativeMover, fd: number, socket: DenoSocket, shared: DenoSockets, peer: Peer) {
    this.#mover = mover;
    this.#fd = fd;
    this.#socket = socket;
    this.#shared = shared;
    this.#address = parseAddress(peer.hostname) ?? 0;
    this.#port = peer.port;
  }

  get port(): number {
    return this.#socket.port;
  }

  get acks(): number[] {
    return this.#socket.acks;
  }

  receive(taker: DatagramTaker): Promise<void> {
    this.#taker = taker;
    return this.#socket.receive(this);
  }

  flush(copies: 1 | 2): void {
    const { acks } = this;
    if (this.#closed || acks.length === 0) return;
    // Copies that find no room are not missed: the first ones did.
    const sent = this.#send();
    if (copies === 2 && sent === acks.length) this.#send();
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

  #send(): number {
    return this.#mover.sendAcks(this.#fd, this.acks, this.#address, this.#port);
  }
}
