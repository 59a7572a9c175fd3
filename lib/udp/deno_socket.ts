/**
 * Sockets moved by Deno's operations, one datagram at a time: they work everywhere.
 *
 * @module
 */
import { AckSender } from "./ack_sender.ts";
import { Bursts } from "./bursts.ts";
import type { Datagram, DatagramSocket, DatagramSockets, DatagramTaker, Peer } from "./datagram_socket.ts";
import { EventLoop } from "./event_loop.ts";

/** Memory for a datagram: more than any has. Always one's own, or Deno makes a new one for each receive. */
const DATAGRAM_BYTES = 65536;
/** After a receive that failed. */
const PAUSE_MS = 10;

/** Sockets of one thread, and the turns of its event loop, which they share. */
export class DenoSockets implements DatagramSockets {
  readonly isNative = false;
  readonly receiveBufferBytes = null;
  readonly loop = new EventLoop();
  readonly bursts = new Bursts(this.loop);

  constructor() {
    void this.loop.tune();
  }

  bind(hostname: string, port: number, peer: Peer): DatagramSocket {
    return new DenoSocket(this, Deno.listenDatagram({ transport: "udp", hostname, port }), peer);
  }

  close(): void {
    this.loop.close();
  }
}

/** A socket that Deno moves the datagrams of. */
export class DenoSocket implements DatagramSocket {
  readonly #shared: DenoSockets;
  readonly #conn: Deno.DatagramConn;
  readonly #peer: Peer;
  readonly #acks: AckSender;
  readonly #datagram = newDatagram();
  #taker: DatagramTaker | undefined;
  #closed = false;

  constructor(shared: DenoSockets, conn: Deno.DatagramConn, peer: Peer) {
    this.#shared = shared;
    this.#conn = conn;
    this.#peer = peer;
    const onError = (error: unknown) => {
      if (!this.#closed) this.#taker?.failed("send", error);
    };
    this.#acks = new AckSender(conn, { transport: "udp", ...peer }, onError, () => this.#watch());
  }

  get port(): number {
    return (this.#conn.addr as Deno.NetAddr).port;
  }

  get acks(): number[] {
    return this.#acks.queue;
  }

  /** @param endsItself whether the taker sees by itself where a burst ends */
  async receive(taker: DatagramTaker, endsItself = false): Promise<void> {
    this.#taker = taker;
    const { loop } = this.#shared;
    while (!this.#closed) {
      let received: [Uint8Array, Deno.Addr];
      try {
        received = await this.#conn.receive(this.#datagram.bytes);
      } catch (error) {
        if (this.#closed) return;
        // An ICMP error, on systems that report it here, is anybody's word: it ends nothing (weakness 16).
        taker.failed("receive", error);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
        continue;
      }
      const [{ byteLength }, from] = received;
      const { hostname, port } = from as Deno.NetAddr;
      if (port !== this.#peer.port || hostname !== this.#peer.hostname) taker.foreign({ hostname, port });
      else {
        this.#datagram.size = byteLength;
        const waiting = taker.take(this.#datagram);
        if (waiting !== undefined) await waiting;
        // Whatever it brought: what is held back for a while is looked at where a burst ends.
        if (!endsItself) this.#watch();
      }
      loop.spend(1);
      if (loop.spent) await loop.turn();
    }
  }

  flush(copies: 1 | 2): void {
    const { loop } = this.#shared;
    loop.spend(this.#acks.flush(copies, loop.room));
    // The rest goes in the next turn.
    if (this.#acks.ready) this.#watch();
  }

  async settle(): Promise<void> {
    // A datagram that waits comes in the first turn, and what it causes in the second.
    await this.#shared.loop.turn();
    await this.#shared.loop.turn();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#taker !== undefined) this.#shared.bursts.forget(this.#taker);
    this.#acks.close();
    this.#conn.close();
  }

  #watch(): void {
    if (!this.#closed && this.#taker !== undefined) this.#shared.bursts.watch(this.#taker);
  }
}

/** Memory for a datagram. */
export function newDatagram(): Datagram {
  const bytes = new Uint8Array(DATAGRAM_BYTES);
  return { bytes, view: new DataView(bytes.buffer), size: 0 };
}
