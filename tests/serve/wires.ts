/** The ways on which a client's datagrams reach a receiver in tests: in memory, and over loopback by each kind of socket there is. */
import { ACK_SIZE, decodeAck } from "../../lib/protocol/message.ts";
import type { DatagramSockets } from "../../lib/udp/datagram_socket.ts";
import { DenoSockets } from "../../lib/udp/deno_socket.ts";
import { openLibc } from "../../lib/udp/native_abi.ts";
import { NativeMover } from "../../lib/udp/native_mover.ts";
import { NativeSockets } from "../../lib/udp/native_socket.ts";
import { freshAddress, listenAt } from "../end_to_end/addresses.ts";
import { type MemorySocket, MemorySockets } from "../udp/memory_socket.ts";

/** A client's end of one session at a time, and the sockets of the receiver that it speaks to. */
export interface Wire {
  readonly client: string;
  readonly local: string;
  readonly sockets: DatagramSockets;
  /** Port of the session that was bound last. */
  readonly port: number;
  /** Sends a datagram from the client's address and port to the session that was bound last. */
  deliver(datagram: Uint8Array<ArrayBuffer>): void;
  close(): Promise<void>;
}

/** What a client is told. */
export interface WireEvents {
  /** A session's socket was bound. */
  bound(): void;
  /** Acks came. */
  acked(seqnos: readonly number[]): void;
}

/** Opens a wire. */
export type OpenWire = (events: WireEvents) => Wire;

/** A wire in memory. */
export const inMemory: OpenWire = ({ bound, acked }) => {
  let socket: MemorySocket | undefined;
  return {
    client: "192.0.2.7",
    local: "192.0.2.1",
    sockets: new MemorySockets({
      bound: (one) => {
        socket = one;
        bound();
      },
      acked,
      soon: (burst) => queueMicrotask(() => void burst()),
    }),
    get port() {
      return socket?.port ?? 0;
    },
    deliver: (datagram) => socket?.deliver(datagram),
    close: () => Promise.resolve(),
  };
};

/** Wires between two addresses, one at a time: a receiver that follows another finds the same client. */
function overLoopback(openSockets: () => DatagramSockets): OpenWire {
  const [client, local] = [freshAddress(), freshAddress()];
  return ({ bound, acked }) => {
    const conn = listenAt(client, 20024);
    const sockets = openSockets();
    let port = 0;
    let sending: Promise<unknown> = Promise.resolve();
    const receiving = (async () => {
      for await (const [datagram] of conn) {
        if (datagram.byteLength === ACK_SIZE) acked([decodeAck(datagram)!]);
      }
    })();
    return {
      client,
      local,
      sockets: {
        isNative: sockets.isNative,
        receiveBufferBytes: sockets.receiveBufferBytes,
        bind: (...how) => {
          const socket = sockets.bind(...how);
          ({ port } = socket);
          bound();
          return socket;
        },
        close: () => sockets.close(),
      },
      get port() {
        return port;
      },
      deliver(datagram) {
        if (port === 0) return;
        const one = conn.send(datagram, { transport: "udp", hostname: local, port });
        sending = sending.then(() => one);
      },
      // The port is free when no operation is left.
      async close() {
        await sending;
        conn.close();
        await receiving;
      },
    };
  };
}

const libc = openLibc();

/** All that there are here, by what they are called in the names of tests. */
export const WIRES: ReadonlyMap<string, OpenWire> = new Map([
  ["in memory", inMemory],
  ["by Deno's operations", overLoopback(() => new DenoSockets())],
  ...(libc === undefined ? [] : [
    [
      "by the system's library",
      overLoopback(() => {
        return new NativeSockets(new NativeMover(libc), { segments: true, receiveBufferBytes: 0 });
      }),
    ] as const,
  ]),
]);
