/**
 * Where HERALDs arrive: one socket for each local address, since a client must be answered from the very address
 * that it heralded (reference netdump-protocol.md 2.1), and a socket for all addresses would not tell which.
 *
 * @module
 */
import { decodeMessage, type Message, MessageType } from "../protocol/message.ts";
import { describeError } from "../os/system_error.ts";
import type { Observe } from "./events.ts";

/** What the machine has for addresses. */
export interface LocalMachine {
  readonly addresses: () => string[];
  /** New ones are looked for this often. */
  readonly rescanMs: number;
}

/** Takes a HERALD that came to a local address, from a client's address and port. */
export type OnHerald = (
  local: string,
  herald: Message,
  from: { readonly client: string; readonly port: number },
) => void;

/** What to listen on. */
export interface HeraldSocketSettings {
  readonly heraldPort: number;
  /** Addresses to listen on; empty for every local one, also those that come later. */
  readonly bind: readonly string[];
}

/** The sockets. */
export class HeraldSockets {
  readonly #port: number;
  readonly #machine: LocalMachine;
  readonly #observe: Observe;
  readonly #sockets = new Map<string, Deno.DatagramConn>();
  readonly #rescans: boolean;
  #rescan: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  /**
   * Binds the addresses.
   *
   * @throws the system's error if one cannot be bound
   */
  constructor({ heraldPort, bind }: HeraldSocketSettings, machine: LocalMachine, observe: Observe) {
    this.#port = heraldPort;
    this.#machine = machine;
    this.#observe = observe;
    this.#rescans = bind.length === 0;
    for (const address of this.#rescans ? machine.addresses() : bind) this.#bind(address);
  }

  /** Addresses it listens on. */
  get addresses(): string[] {
    return [...this.#sockets.keys()];
  }

  /** Starts to receive; what is no HERALD is left out. */
  listen(onHerald: OnHerald): void {
    for (const [address, socket] of this.#sockets) void this.#receive(address, socket, onHerald);
    if (!this.#rescans) return;
    this.#rescan = setInterval(() => {
      for (const address of this.#machine.addresses()) {
        const socket = this.#bindIfNew(address);
        if (socket === undefined) continue;
        void this.#receive(address, socket, onHerald);
        this.#observe({ event: "listening", addresses: [address], port: this.#port });
      }
    }, this.#machine.rescanMs);
  }

  /** Stops receiving. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#rescan);
    for (const socket of this.#sockets.values()) socket.close();
  }

  #bind(address: string): Deno.DatagramConn {
    const socket = Deno.listenDatagram({ transport: "udp", hostname: address, port: this.#port });
    this.#sockets.set(address, socket);
    return socket;
  }

  #bindIfNew(address: string): Deno.DatagramConn | undefined {
    if (this.#sockets.has(address)) return undefined;
    try {
      return this.#bind(address);
    } catch {
      // An address that comes and goes: the next scan tries again.
      return undefined;
    }
  }

  async #receive(
    local: string,
    socket: Deno.DatagramConn,
    onHerald: OnHerald,
  ): Promise<void> {
    const buffer = new Uint8Array(65536);
    while (!this.#closed) {
      let received: [Uint8Array, Deno.Addr];
      try {
        received = await socket.receive(buffer);
      } catch (error) {
        if (this.#closed) return;
        this.#observe({ event: "receive-failed", local, reason: describeError(error) });
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      const { hostname: client, port } = received[1] as Deno.NetAddr;
      const message = decodeMessage(received[0]);
      if (typeof message !== "string" && message.type === MessageType.HERALD) {
        onHerald(local, message, { client, port });
        continue;
      }
      const reason = typeof message === "string" ? message : `message type ${message.type}`;
      this.#observe({ event: "ignored", client, local, reason });
    }
  }
}
