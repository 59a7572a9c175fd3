/** What every kind of socket does, tried on those that are there: Deno's operations, and the system's library where it works. */
import { assert, assertEquals } from "@std/assert";
import { decodeAck } from "../../lib/protocol/message.ts";
import type { Datagram, DatagramSockets, DatagramTaker, Peer } from "../../lib/udp/datagram_socket.ts";
import { DenoSockets } from "../../lib/udp/deno_socket.ts";
import { openLibc } from "../../lib/udp/native_abi.ts";
import { NativeMover } from "../../lib/udp/native_mover.ts";
import { NativeSockets } from "../../lib/udp/native_socket.ts";

const ADDRESS = "127.0.0.1";
const libc = openLibc();

function native(segments: boolean): DatagramSockets {
  return new NativeSockets(new NativeMover(libc!), { segments, receiveBufferBytes: 0 });
}

const KINDS: Record<string, [open: () => DatagramSockets, isThere: boolean]> = {
  "Deno's operations": [() => new DenoSockets(), true],
  "the system's library": [() => native(false), libc !== undefined],
  "the system's library, with segments": [() => native(true), libc !== undefined],
};

/** Takes datagrams as a session does. */
class Taker implements DatagramTaker {
  readonly taken: number[] = [];
  readonly written: number[][] = [];
  readonly strangers: Peer[] = [];
  gathered = 0;
  /** Whether what it takes has to be written. */
  gathers = true;
  mayWait = false;
  /** What a session does at the end of a burst. */
  onEnd: () => void = () => {};
  /** What `take` returns next. */
  waiting: Promise<void> | undefined;
  #wake: () => void = () => {};

  take({ bytes, view, size }: Datagram): Promise<void> | undefined {
    assertEquals(size < 2 || bytes[size - 1] === view.getUint8(1), true);
    this.taken.push(view.getUint8(0));
    if (this.gathers) this.gathered++;
    const { waiting } = this;
    this.waiting = undefined;
    this.#wake();
    return waiting;
  }

  endOfBurst(): void {
    if (this.gathered > 0) this.written.push(this.taken.slice(-this.gathered));
    this.gathered = 0;
    this.onEnd();
    this.#wake();
  }

  foreign(from: Peer): void {
    this.strangers.push(from);
    this.#wake();
  }

  failed(what: string, error: unknown): void {
    throw new Error(what, { cause: error });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake = resolve);
  }
}

function bind(): Deno.DatagramConn & Disposable {
  const conn = Deno.listenDatagram({ transport: "udp", hostname: ADDRESS, port: 0 });
  return Object.assign(conn, { [Symbol.dispose]: () => conn.close() });
}

const peerOf = (conn: Deno.DatagramConn): Peer => ({
  hostname: ADDRESS,
  port: (conn.addr as Deno.NetAddr).port,
});
const datagram = (i: number, size = 2 + i % 1000) => new Uint8Array(size).fill(i % 7, 1).fill(i, 0, 1);

for (const [kind, [open, isThere]] of Object.entries(KINDS)) {
  const test = (name: string, fn: (sockets: DatagramSockets) => Promise<void>) =>
    Deno.test({
      name: `${name}, by ${kind}${isThere ? "" : " [skipped: no glibc on 64-bit Linux with Deno 2.5]"}`,
      ignore: !isThere,
      // Which turn of the event loop is the quickest here is still tried when a test is over.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => {
        const sockets = open();
        try {
          await fn(sockets);
        } finally {
          sockets.close();
        }
      },
    });

  test("a socket gives its peer's datagrams in their order, each in one burst", async (sockets) => {
    using client = bind();
    const socket = sockets.bind(ADDRESS, 0, peerOf(client));
    const to = { transport: "udp", hostname: ADDRESS, port: socket.port } as const;
    const taker = new Taker();
    const received = socket.receive(taker);
    for (const count of [1, 46, 64, 65, 200]) {
      taker.taken.length = taker.written.length = 0;
      for (let i = 0; i < count; i++) await client.send(datagram(i), to);
      await taker.until(() => taker.written.flat().length === count);
      const expected = Array.from({ length: count }, (_, i) => i);
      assertEquals([taker.taken, taker.written.flat()], [expected, expected]);
    }
    socket.close();
    await received;
  });

  test("a socket tells where a burst ends that brought nothing to be written or acked", async (sockets) => {
    using client = bind();
    const socket = sockets.bind(ADDRESS, 0, peerOf(client));
    const to = { transport: "udp", hostname: ADDRESS, port: socket.port } as const;
    const taker = new Taker();
    taker.gathers = false;
    const received = socket.receive(taker);
    for (const [i, count] of [1, 3, 50].entries()) {
      const taken = taker.taken.length + count;
      let ends = 0;
      taker.onEnd = () => void (taker.taken.length === taken && ends++);
      for (let k = 0; k < count; k++) await client.send(datagram(k), to);
      await taker.until(() => ends > 0);
      assertEquals(taker.taken.length, taken, `burst ${i}`);
    }
    socket.close();
    await received;
  });

  test("a socket takes no stranger's datagram, wherever in a burst it comes (P6)", async (sockets) => {
    using client = bind();
    using stranger = bind();
    const socket = sockets.bind(ADDRESS, 0, peerOf(client));
    const to = { transport: "udp", hostname: ADDRESS, port: socket.port } as const;
    const taker = new Taker();
    for (let i = 0; i < 30; i++) await (i % 3 === 1 ? client : stranger).send(datagram(i), to);
    const received = socket.receive(taker);
    await taker.until(() => taker.written.flat().length === 10 && taker.strangers.length === 20);
    assertEquals(taker.taken, Array.from({ length: 10 }, (_, i) => 3 * i + 1));
    assertEquals(taker.strangers, Array.from({ length: 20 }, () => peerOf(stranger)));
    socket.close();
    await received;
  });

  test("a socket sends each ack once, or twice, and nothing behind its close", async (sockets) => {
    using client = bind();
    const socket = sockets.bind(ADDRESS, 0, peerOf(client));
    const taker = new Taker();
    const received = socket.receive(taker);
    let next = 0;
    for (
      const [count, copies] of [[1, 1], [46, 1], [46, 1], [150, 1], [3, 2], [46, 2], [46, 1], [2, 1]] as const
    ) {
      const acks = Array.from({ length: count }, () => 0xfff00000 + next++);
      socket.acks.push(...acks);
      // What has to wait is asked for again.
      taker.onEnd = () => socket.flush(copies);
      socket.flush(copies);
      const got: number[] = [];
      while (got.length < count * copies) {
        const [bytes, from] = await client.receive(new Uint8Array(65536));
        assertEquals([bytes.byteLength, (from as Deno.NetAddr).port], [4, socket.port]);
        got.push(decodeAck(bytes)!);
      }
      assertEquals(got, Array.from({ length: copies }, () => acks).flat());
      assertEquals(socket.acks.length, 0);
    }
    socket.close();
    socket.acks.push(1);
    socket.flush(1);
    await received;
  });

  test("a socket takes nothing else while a datagram's memory is needed", async (sockets) => {
    using client = bind();
    const socket = sockets.bind(ADDRESS, 0, peerOf(client));
    const to = { transport: "udp", hostname: ADDRESS, port: socket.port } as const;
    const taker = new Taker();
    const name = Promise.withResolvers<void>();
    taker.mayWait = true;
    taker.waiting = name.promise;
    for (let i = 0; i < 100; i++) await client.send(datagram(i), to);
    const received = socket.receive(taker);
    await taker.until(() => taker.taken.length > 0);
    for (let turn = 0; turn < 10; turn++) await socket.settle();
    assertEquals(taker.taken, [0]);
    taker.mayWait = false;
    name.resolve();
    await taker.until(() => taker.written.flat().length === 100);
    assertEquals(taker.taken, Array.from({ length: 100 }, (_, i) => i));
    socket.close();
    await received;
  });

  test("a socket binds the port it is told to, and says which it got", async (sockets) => {
    using client = bind();
    const any = sockets.bind(ADDRESS, 0, peerOf(client));
    assert(any.port > 0);
    let error: unknown;
    try {
      sockets.bind(ADDRESS, any.port, peerOf(client));
    } catch (thrown) {
      error = thrown;
    }
    assert(error instanceof Deno.errors.AddrInUse);
    any.close();
    // The system gives a port back when Deno has ended what still waits on it.
    let again: ReturnType<typeof sockets.bind> | undefined;
    while (again === undefined) {
      try {
        again = sockets.bind(ADDRESS, any.port, peerOf(client));
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    assertEquals(again.port, any.port);
    again.close();
  });
}
