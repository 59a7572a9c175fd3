/** What a client's socket does, by Deno's operations and by the system's library where it is there. */
import { assert, assertEquals } from "@std/assert";
import { type ClientSocket, DenoClientSocket, NativeClientSocket } from "../../lib/udp/client_socket.ts";
import type { Peer } from "../../lib/udp/datagram_socket.ts";
import { openLibc } from "../../lib/udp/native_abi.ts";
import { NativeMover } from "../../lib/udp/native_mover.ts";

const ADDRESS = "127.0.0.1";
const libc = openLibc();

function bind(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: ADDRESS, port: 0 });
}

const peerOf = (conn: Deno.DatagramConn): Peer => ({
  hostname: ADDRESS,
  port: (conn.addr as Deno.NetAddr).port,
});

/** A mover whose way takes no pieces, as a device without checksum offload does (EIO). */
function withoutPieces(): NativeMover {
  const mover = new NativeMover(libc!);
  mover.sendPiece = () => false;
  return mover;
}

type Open = (conn: Deno.DatagramConn, errors: unknown[]) => ClientSocket;

const native = (mover: NativeMover): Open => (conn, errors) =>
  new NativeClientSocket(
    conn,
    (error) => errors.push(error),
    mover,
    mover.descriptorOf(conn.addr as Deno.NetAddr)!,
  );

const KINDS: Record<string, [open: () => Open, isThere: boolean]> = {
  "Deno's operations": [
    () => (conn, errors) => new DenoClientSocket(conn, (error) => errors.push(error)),
    true,
  ],
  "the system's library": [() => native(new NativeMover(libc!)), libc !== undefined],
  "the system's library on a way that takes no pieces": [() => native(withoutPieces()), libc !== undefined],
};

for (const [kind, [open, isThere]] of Object.entries(KINDS)) {
  const name =
    `a client's socket sends datagrams of any sizes in their order, and takes all acks, by ${kind}`;
  Deno.test({
    name: isThere ? name : `${name} [skipped: no glibc on 64-bit Linux with Deno 2.5]`,
    ignore: !isThere,
    fn: async () => {
      const [conn, server, other] = [bind(), bind(), bind()];
      const errors: unknown[] = [];
      const socket = open()(conn, errors);
      const to = peerOf(server);
      for (
        const sizes of [
          [24],
          [1472, 1472, 1472, 600],
          [1472, 600, 1472, 24, 24, 24],
          [600, 1472, 1472],
          Array.from({ length: 70 }, () => 1472),
          Array.from({ length: 100 }, () => 28),
          Array.from({ length: 10 }, () => 8972),
          Array.from({ length: 40 }, (_, i) => 100 + (i * 37) % 300),
        ]
      ) {
        for (const [i, size] of sizes.entries()) socket.send(new Uint8Array(size).fill(i + 1), to);
        socket.flush();
        for (const [i, size] of sizes.entries()) {
          const [bytes] = await server.receive(new Uint8Array(65536));
          assertEquals([bytes.byteLength, bytes[0], bytes[size - 1]], [size, i + 1, i + 1]);
        }
      }
      // To another peer within one flush.
      socket.send(new Uint8Array(100).fill(1), to);
      socket.send(new Uint8Array(100).fill(2), peerOf(other));
      socket.flush();
      for (const [receiver, value] of [[server, 1], [other, 2]] as const) {
        const [bytes] = await receiver.receive(new Uint8Array(65536));
        assertEquals([bytes.byteLength, bytes[0]], [100, value]);
      }
      const acks: [number, number][] = [];
      const take = (datagram: Uint8Array, from: Peer) => {
        assertEquals([datagram.byteLength, from.hostname], [4, ADDRESS]);
        acks.push([datagram[3]!, from.port]);
      };
      const expected = Array.from(
        { length: 150 },
        (_, i): [number, number] => [i, peerOf(i % 3 ? server : other).port],
      );
      for (const [i] of expected.entries()) {
        await (i % 3 ? server : other).send(new Uint8Array([0, 0, 0, i]), conn.addr);
      }
      while (acks.length < expected.length) {
        take(...await socket.receive(new Uint8Array(65536)));
        socket.drain(take);
      }
      assertEquals(acks, expected);
      assert(errors.length === 0, `${errors}`);
      for (const end of [socket, server, other]) end.close();
    },
  });
}
