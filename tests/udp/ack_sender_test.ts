import { assertEquals } from "@std/assert";
import { decodeAck } from "../../lib/protocol/message.ts";
import { AckSender } from "../../lib/udp/ack_sender.ts";

const TO: Deno.NetAddr = { transport: "udp", hostname: "192.0.2.7", port: 20024 };

/** A socket that sends when it is told to, as one does whose queue is full. */
class SlowSocket {
  readonly sent: (number | undefined)[] = [];
  readonly #waiting: { readonly bytes: Uint8Array; readonly done: (error?: Error) => void }[] = [];

  get asDatagramConn(): Deno.DatagramConn {
    return this as unknown as Deno.DatagramConn;
  }

  send(bytes: Uint8Array, to: Deno.Addr): Promise<number> {
    assertEquals(to, TO);
    return new Promise((resolve, reject) => {
      const done = (error?: Error) => error === undefined ? resolve(bytes.byteLength) : reject(error);
      this.#waiting.push({ bytes, done });
    });
  }

  /** Lets go what waits: only now are the bytes looked at. */
  async drain(error?: Error): Promise<void> {
    while (this.#waiting.length > 0) {
      for (const { bytes, done } of this.#waiting.splice(0)) {
        if (error === undefined) this.sent.push(decodeAck(bytes));
        done(error);
      }
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

function sender(): { socket: SlowSocket; acks: AckSender; errors: unknown[] } {
  const socket = new SlowSocket();
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const acks: AckSender = new AckSender(socket.asDatagramConn, TO, onError, () => acks.flush(1));
  return { socket, errors, acks };
}

const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

Deno.test("AckSender sends each queued seqno once, or twice when asked to", async () => {
  const { socket, acks } = sender();
  acks.queue.push(5, 0xffffffff);
  acks.flush(1);
  await socket.drain();
  acks.queue.push(7, 8);
  acks.flush(2);
  await socket.drain();
  assertEquals(socket.sent, [5, 0xffffffff, 7, 8, 7, 8]);
});

Deno.test("AckSender never reuses a buffer that is still to be sent: a wrong ack kills the client's dump", async () => {
  const { socket, acks } = sender();
  for (let round = 0; round < 5; round++) {
    acks.queue.push(...numbers(100 * round, 50));
    acks.flush(1);
  }
  await socket.drain();
  assertEquals(socket.sent, numbers(0, 5).flatMap((round) => numbers(100 * round, 50)));
});

Deno.test("AckSender sends more acks than it has buffers, one set after the other", async () => {
  const { socket, acks } = sender();
  acks.queue.push(...numbers(0, 5000));
  acks.flush(2);
  await socket.drain();
  assertEquals([...new Set(socket.sent)], numbers(0, 5000));
  assertEquals(acks.queue, []);
});

Deno.test("AckSender tells of acks that cannot be sent, sends them again, and goes on", async () => {
  const { socket, acks, errors } = sender();
  acks.queue.push(1, 2);
  acks.flush(1);
  const error = new Error("no buffer space");
  await socket.drain(error);
  assertEquals(errors.slice(0, 2), [error, error]);
  await new Promise((resolve) => setTimeout(resolve, 30));
  await socket.drain();
  assertEquals([...new Set(socket.sent)], [1, 2]);
  acks.queue.push(3);
  acks.flush(1);
  await socket.drain();
  assertEquals(socket.sent.at(-1), 3);
  acks.close();
});

Deno.test("AckSender gives up on a queue that stays full, and sends nothing once it is closed", async () => {
  const { socket, acks, errors } = sender();
  acks.queue.push(1);
  acks.flush(1);
  for (let i = 0; i < 10; i++) {
    await socket.drain(new Error("no buffer space"));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assertEquals([errors.length, socket.sent], [4, []]);
  acks.close();
});

Deno.test("AckSender does nothing when nothing is queued", async () => {
  const { socket, acks } = sender();
  acks.flush(2);
  await socket.drain();
  assertEquals(socket.sent, []);
});
