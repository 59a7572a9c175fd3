import { assert, assertEquals } from "@std/assert";
import { EventLoop } from "../../lib/udp/event_loop.ts";
import { freshAddress } from "../end_to_end/addresses.ts";

/** More than any receive or send takes that needs not wait. */
const MICROTASKS = 8;

async function microtasks(): Promise<void> {
  for (let i = 0; i < MICROTASKS; i++) await undefined;
}

for (const tuned of [false, true]) {
  Deno.test(`EventLoop.turn() comes after all microtasks, and gives a new turn its operations, ${tuned ? "tuned" : "as it starts"}`, async () => {
    using resources = new DisposableStack();
    const loop = resources.adopt(new EventLoop(), (loop) => loop.close());
    if (tuned) await loop.tune();
    const { room } = loop;
    loop.spend(room - 1);
    assertEquals([loop.room, loop.spent], [1, true]);
    let turned = false;
    const turn = loop.turn().then(() => turned = true);
    await microtasks();
    assert(!turned);
    await turn;
    assertEquals([loop.room, loop.spent], [room, false]);
  });
}

Deno.test("EventLoop leaves room for the acks of a batch of 46 when it has receives wait", () => {
  using resources = new DisposableStack();
  const loop = resources.adopt(new EventLoop(), (loop) => loop.close());
  while (!loop.spent) loop.spend(1);
  assert(loop.room >= 46, `${loop.room}`);
});

Deno.test("EventLoop ends a turn before Tokio has an ack wait for the system's events, which takes up to a second", async () => {
  using resources = new DisposableStack();
  const loop = resources.adopt(new EventLoop(), (loop) => loop.close());
  await loop.tune();
  const listen = () => Deno.listenDatagram({ transport: "udp", hostname: freshAddress(), port: 0 });
  const socket = resources.adopt(listen(), (socket) => socket.close());
  const to = resources.adopt(listen(), (socket) => socket.close()).addr as Deno.NetAddr;
  const ack = new Uint8Array(4);
  // A socket's first send waits until it is known that it can be written to.
  await socket.send(ack, to);
  for (let turn = 0; turn < 100; turn++) {
    await loop.turn();
    let through = 0;
    const count = loop.room;
    const sends = Array.from({ length: count }, () => socket.send(ack, to).then(() => through++));
    loop.spend(count);
    await microtasks();
    assertEquals(through, count, `turn ${turn}`);
    await Promise.all(sends);
  }
});
