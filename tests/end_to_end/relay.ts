/**
 * A relay between a netdump client and a server that loses, doubles and delays datagrams, from a seed. To the client
 * it is a server, to the server a client: it heralds, sends and takes acks from an address and port of its own. For
 * one client.
 */
import { ACK_PORT, HeaderField, HERALD_PORT, MessageType } from "../../lib/protocol/message.ts";
import { seededRandom } from "../helpers.ts";
import { freshAddress, listenAt } from "./addresses.ts";

/** Which way a datagram goes. */
export type Direction = "to-server" | "to-client";

/** What the relay does to datagrams: shares are of 1, each way. */
export interface RelayFaults {
  readonly loss?: number;
  readonly duplicate?: number;
  /** Share of datagrams that are delayed, and so overtaken. */
  readonly delay?: number;
  readonly delayMs?: number;
  readonly seed?: number;
  /** Decides about a datagram before chance does: `false` drops it. */
  readonly pass?: (datagram: Uint8Array, direction: Direction) => boolean;
}

/** Where the relay stands. */
export interface RelaySettings extends RelayFaults {
  /** The real server. */
  readonly server: { readonly hostname: string; readonly port?: number };
  /** Port of the client behind the relay, where acks go. */
  readonly clientPort?: number;
}

/** The relay; close it in the end. */
export class Relay {
  /** Address that the client heralds. */
  readonly address = freshAddress();
  /** Address that the server takes for the client's. */
  readonly clientAddress = freshAddress();
  readonly counters = { passed: 0, lost: 0, duplicated: 0, delayed: 0 };
  readonly #settings: RelaySettings;
  readonly #random: () => number;
  readonly #herald: Deno.DatagramConn;
  readonly #session: Deno.DatagramConn;
  readonly #upstream: Deno.DatagramConn;
  readonly #loops: Promise<void>[];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #client: string | undefined;
  #serverPort: number | undefined;
  #closed = false;

  constructor(settings: RelaySettings) {
    this.#settings = settings;
    this.#random = seededRandom(settings.seed ?? 1);
    this.#herald = listenAt(this.address, HERALD_PORT);
    this.#session = listenAt(this.address, 0);
    this.#upstream = listenAt(this.clientAddress, ACK_PORT);
    const fromClient = (datagram: Uint8Array, from: Deno.NetAddr) => this.#toServer(datagram, from);
    this.#loops = [
      this.#receive(this.#herald, fromClient),
      this.#receive(this.#session, fromClient),
      this.#receive(this.#upstream, (datagram, from) => this.#toClient(datagram, from)),
    ];
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of [this.#herald, this.#session, this.#upstream]) socket.close();
    await Promise.all(this.#loops);
  }

  async #receive(
    socket: Deno.DatagramConn,
    handle: (datagram: Uint8Array, from: Deno.NetAddr) => void,
  ): Promise<void> {
    const buffer = new Uint8Array(65536);
    while (!this.#closed) {
      try {
        const [datagram, from] = await socket.receive(buffer);
        handle(datagram, from as Deno.NetAddr);
      } catch (error) {
        if (!this.#closed) throw error;
      }
    }
  }

  #toServer(datagram: Uint8Array, from: Deno.NetAddr): void {
    this.#client = from.hostname;
    const type = new DataView(datagram.buffer, datagram.byteOffset).getUint32(HeaderField.TYPE);
    const { hostname, port = HERALD_PORT } = this.#settings.server;
    const toPort = type === MessageType.HERALD ? port : this.#serverPort;
    if (toPort !== undefined) this.#forward(datagram, "to-server", this.#upstream, hostname, toPort);
  }

  #toClient(datagram: Uint8Array, from: Deno.NetAddr): void {
    if (from.hostname !== this.#settings.server.hostname || this.#client === undefined) return;
    this.#serverPort ??= from.port;
    this.#forward(datagram, "to-client", this.#session, this.#client, this.#settings.clientPort ?? ACK_PORT);
  }

  #forward(
    datagram: Uint8Array,
    direction: Direction,
    socket: Deno.DatagramConn,
    hostname: string,
    port: number,
  ): void {
    const { loss = 0, duplicate = 0, delay = 0, delayMs = 5, pass } = this.#settings;
    if (pass?.(datagram, direction) === false || this.#random() < loss) {
      this.counters.lost++;
      return;
    }
    const copies = this.#random() < duplicate ? 2 : 1;
    this.counters.duplicated += copies - 1;
    for (let copy = 0; copy < copies; copy++) {
      this.counters.passed++;
      const send = () => void socket.send(datagram, { transport: "udp", hostname, port }).catch(() => {});
      if (this.#random() >= delay) {
        send();
        continue;
      }
      this.counters.delayed++;
      // The receive buffer will hold another datagram by then.
      datagram = datagram.slice();
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        send();
      }, this.#random() * delayMs);
      this.#timers.add(timer);
    }
  }
}
