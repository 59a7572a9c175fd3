import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/protocol/ipv4.ts";
import { openLibc } from "../../lib/udp/native_abi.ts";
import { NativeMover } from "../../lib/udp/native_mover.ts";

const libc = openLibc();
const without = libc === undefined ? " [skipped: no glibc on 64-bit Linux with Deno 2.5]" : "";
const LOOPBACK = parseAddress("127.0.0.1")!;

function test(name: string, fn: (mover: NativeMover) => Promise<void>): void {
  Deno.test({ name: name + without, ignore: libc === undefined, fn: () => fn(new NativeMover(libc!)) });
}

function bind(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
}

/** Receives until so many came, as a session does: Deno's receive waits, the drain empties. */
async function receiveAll(mover: NativeMover, socket: Deno.DatagramConn, fd: number, count: number) {
  const got: { first: number; size: number; port: number; address: number }[] = [];
  while (got.length < count) {
    const [bytes, from] = await socket.receive(new Uint8Array(65536));
    got.push({
      ...{ first: bytes[0] ?? -1, size: bytes.byteLength, port: (from as Deno.NetAddr).port },
      address: parseAddress((from as Deno.NetAddr).hostname)!,
    });
    mover.drain(fd, ({ bytes, size }, address, port) => {
      got.push({ first: size === 0 ? -1 : bytes[0]!, size, port, address });
    });
  }
  return got;
}

test("NativeMover takes many datagrams in their order, with their sizes and senders, beside Deno's receive", async (mover) => {
  const [from, to] = [bind(), bind()];
  const fd = mover.descriptorOf(to.addr as Deno.NetAddr)!;
  for (let round = 0; round < 5; round++) {
    const sizes = Array.from({ length: 100 }, (_, i) => (i * 37 + round) % 1400);
    for (const [i, size] of sizes.entries()) await from.send(new Uint8Array(size).fill(i), to.addr);
    const got = await receiveAll(mover, to, fd, sizes.length);
    const { port } = from.addr as Deno.NetAddr;
    assertEquals(
      got,
      sizes.map((size, i) => ({ first: size === 0 ? -1 : i, size, port, address: LOOPBACK })),
    );
  }
  from.close();
  to.close();
});

test("NativeMover finds the descriptor of each of many sockets, and no TCP listener on the same port", async (mover) => {
  const sockets = Array.from({ length: 20 }, bind);
  const { port } = sockets[7]!.addr as Deno.NetAddr;
  const listener = Deno.listen({ hostname: "127.0.0.1", port });
  const found = sockets.map((socket) => mover.descriptorOf(socket.addr as Deno.NetAddr));
  assertEquals(new Set(found).size, sockets.length);
  assert(!found.includes(undefined));
  assertEquals(mover.descriptorOf({ transport: "udp", hostname: "127.0.0.1", port: 1 }), undefined);
  // Each is the one it says: what is sent to a socket comes out of its descriptor.
  await sockets[0]!.send(new Uint8Array([42]), sockets[7]!.addr);
  const [bytes] = await sockets[7]!.receive(new Uint8Array(65536));
  assertEquals(bytes[0], 42);
  await sockets[0]!.send(new Uint8Array([43]), sockets[7]!.addr);
  let seen = -1;
  while (seen < 0) {
    mover.drain(found[7]!, ({ bytes }) => seen = bytes[0]!);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assertEquals(seen, 43);
  for (const socket of sockets) socket.close();
  listener.close();
});

test("NativeMover sends any number of acks, each of four bytes, to whom they are for", async (mover) => {
  const [server, client] = [bind(), bind()];
  const fd = mover.descriptorOf(server.addr as Deno.NetAddr)!;
  for (const count of [1, 46, 64, 65, 150]) {
    const seqnos = Array.from({ length: count }, (_, i) => (i * 0x01010101 + count) >>> 0);
    const { port } = client.addr as Deno.NetAddr;
    assertEquals(mover.sendAcks(fd, seqnos, LOOPBACK, port), count);
    for (const seqno of seqnos) {
      const [bytes, from] = await client.receive(new Uint8Array(65536));
      assertEquals([bytes.byteLength, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)], [4, seqno]);
      assertEquals((from as Deno.NetAddr).port, (server.addr as Deno.NetAddr).port);
    }
  }
  server.close();
  client.close();
});

test("NativeMover sends acks as pieces that the system cuts, beside Deno's own sends", async (mover) => {
  const [server, client] = [bind(), bind()];
  const fd = mover.descriptorOf(server.addr as Deno.NetAddr)!;
  const { port } = client.addr as Deno.NetAddr;
  if (mover.askSegmentation(fd)) {
    for (const count of [2, 46, 64, 65, 150]) {
      const seqnos = Array.from({ length: count }, (_, i) => (i * 0x01010101 + count) >>> 0);
      assertEquals(mover.sendSegmented(fd, seqnos, LOOPBACK, port), count);
      await server.send(new Uint8Array([9, 9, 9, 9]), client.addr);
      for (const seqno of [...seqnos, 0x09090909]) {
        const [bytes] = await client.receive(new Uint8Array(65536));
        assertEquals([bytes.byteLength, new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)], [
          4,
          seqno,
        ]);
      }
    }
  }
  server.close();
  client.close();
});

test("NativeMover says what room a socket got", async (mover) => {
  const socket = bind();
  const fd = mover.descriptorOf(socket.addr as Deno.NetAddr)!;
  const small = mover.askReceiveBuffer(fd, 10_000);
  assert(mover.askReceiveBuffer(fd, 100_000) > small);
  socket.close();
  await Promise.resolve();
});
