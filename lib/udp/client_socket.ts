/**
 * A client's socket: whatever it sends in one go may leave in one system call, and acks come as many at a time as there are.
 *
 * @module
 */
import { formatAddress, parseAddress } from "../protocol/ipv4.ts";
import type { Peer } from "./datagram_socket.ts";
import type { NativeMover } from "./native_mover.ts";

/** Most datagrams of one piece (UDP_MAX_SEGMENTS before Linux 6), and most bytes of a UDP datagram, which a piece is at first. */
const MOST_SEGMENTS = 64;
const MOST_BYTES = 65_507;

/** A socket that sends to one peer after another. */
export interface ClientSocket {
  /**
   * Receives a datagram into `buffer`; waits for one.
   *
   * @throws Deno's errors
   */
  receive(buffer: Uint8Array<ArrayBuffer>): Promise<[datagram: Uint8Array, from: Peer]>;
  /** Takes what else has come, if that can be had at once. A datagram's memory is good only until `take` returns. */
  drain(take: (datagram: Uint8Array, from: Peer) => void): void;
  /** Sends a datagram, now or when it is flushed: until then its memory stays as it is. */
  send(datagram: Uint8Array<ArrayBuffer>, to: Peer): void;
  /** Sends what waits. */
  flush(): void;
  close(): void;
}

/** What becomes of a send that failed. */
export type OnSendError = (error: unknown) => void;

/** Makes a client's socket. */
export type OpenClientSocket = (onError: OnSendError) => ClientSocket;

/** A socket moved by Deno's operations, one datagram at a time. */
export class DenoClientSocket implements ClientSocket {
  readonly #conn: Deno.DatagramConn;
  readonly #onError: OnSendError;

  constructor(conn: Deno.DatagramConn, onError: OnSendError) {
    this.#conn = conn;
    this.#onError = onError;
  }

  async receive(buffer: Uint8Array<ArrayBuffer>): Promise<[Uint8Array, Peer]> {
    return await this.#conn.receive(buffer) as [Uint8Array, Deno.NetAddr];
  }

  drain(): void {}

  send(datagram: Uint8Array<ArrayBuffer>, { hostname, port }: Peer): void {
    // The call leaves at once; only with a full socket buffer it waits, and the datagram stays as it is meanwhile.
    this.#conn.send(datagram, { transport: "udp", hostname, port }).then(undefined, this.#onError);
  }

  flush(): void {}

  close(): void {
    this.#conn.close();
  }
}

/** A socket for which the system's library moves many datagrams in one call; what it does not take goes Deno's way. */
export class NativeClientSocket implements ClientSocket {
  readonly #deno: DenoClientSocket;
  readonly #mover: NativeMover;
  readonly #fd: number;
  readonly #piece = new Uint8Array(65536);
  /** What the system was told last that pieces are cut into; 0 for nothing. */
  #cutInto = 0;
  #count = 0;
  #length = 0;
  /** Size of all datagrams of the piece but the last, which may be smaller. */
  #segmentSize = 0;
  #lastSize = 0;
  #to: Peer | undefined;
  #from: Peer & { readonly address: number } = { hostname: "0.0.0.0", port: 0, address: 0 };
  /** Pieces in a row that did not go: the way takes none. */
  #failures = 0;

  /** @param fd descriptor of the socket */
  constructor(conn: Deno.DatagramConn, onError: OnSendError, mover: NativeMover, fd: number) {
    this.#deno = new DenoClientSocket(conn, onError);
    this.#mover = mover;
    this.#fd = fd;
  }

  receive(buffer: Uint8Array<ArrayBuffer>): Promise<[Uint8Array, Peer]> {
    return this.#deno.receive(buffer);
  }

  drain(take: (datagram: Uint8Array, from: Peer) => void): void {
    this.#mover.drain(this.#fd, ({ bytes, size }, address, port) => {
      if (address !== this.#from.address || port !== this.#from.port) {
        this.#from = { hostname: formatAddress(address), port, address };
      }
      take(bytes.subarray(0, size), this.#from);
    });
  }

  send(datagram: Uint8Array<ArrayBuffer>, to: Peer): void {
    const size = datagram.byteLength;
    if (!this.#fits(size, to)) this.flush();
    if (this.#count === 0) {
      this.#segmentSize = size;
      this.#to = to;
    }
    this.#piece.set(datagram, this.#length);
    this.#length += size;
    this.#lastSize = size;
    this.#count++;
  }

  flush(): void {
    if (this.#count === 0 || this.#to === undefined) return;
    if (this.#count === 1 || this.#failures > 2 || !this.#sendPiece(this.#to)) this.#sendEach(this.#to);
    this.#count = this.#length = 0;
  }

  close(): void {
    this.#deno.close();
  }

  #fits(size: number, to: Peer): boolean {
    return this.#count === 0 ||
      (to === this.#to && size <= this.#segmentSize && this.#lastSize === this.#segmentSize &&
        this.#count < MOST_SEGMENTS && this.#length + size <= MOST_BYTES);
  }

  #sendPiece({ hostname, port }: Peer): boolean {
    const address = parseAddress(hostname) ?? 0;
    const sent = this.#cut(this.#segmentSize) &&
      this.#mover.sendPiece(this.#fd, this.#piece, this.#length, address, port);
    // A full queue is the usual reason, and Deno waits for that; a way that never takes a piece is not tried for ever.
    this.#failures = sent ? 0 : this.#failures + 1;
    return sent;
  }

  /** Has all that is sent from now on cut into datagrams of so many bytes, or left whole. */
  #cut(size: number): boolean {
    if (size !== this.#cutInto && !this.#mover.askSegmentation(this.#fd, size)) return false;
    this.#cutInto = size;
    return true;
  }

  #sendEach(to: Peer): void {
    this.#cut(0);
    for (let at = 0; at < this.#length; at += this.#segmentSize) {
      // A copy: it may have to wait for room, and the piece is filled again.
      this.#deno.send(this.#piece.slice(at, Math.min(at + this.#segmentSize, this.#length)), to);
    }
  }
}
