import { assertEquals } from "@std/assert";
import { Session } from "../../../lib/serve/session/session.ts";

/** A session whose client sends messages of one size, by their places in the dump. */
function receive(size: number) {
  const session = new Session(
    { heraldSeqno: 1, timeoutMs: 600_000, lingerMs: 60_000, mostBytes: 2 ** 30 },
    0,
  );
  const came = new Set<number>();
  const send = (place: number) => {
    session.data(2 + place, place * size, size, 0);
    if (came.has(place)) session.repeated(2 + place, size, 0, []);
    else session.stored(2 + place, place * size, size, 0, []);
    came.add(place);
  };
  return { session, send };
}

for (const size of [1448, 4096, 8948]) {
  const inBatch = Math.ceil(65536 / size);
  const clients = [
    { words: "a kernel's batch", inFlight: inBatch, copies: 2 },
    { words: "more than a kernel's batch", inFlight: inBatch + 1, copies: 1 },
  ];
  for (const { words, inFlight, copies } of clients) {
    Deno.test(`acks go ${copies} times to who has ${words} of ${size} bytes in flight and sends again`, () => {
      const { session, send } = receive(size);
      for (let place = 0; place < inBatch; place++) send(place);
      assertEquals(session.ackCopies, 1);
      // Of the next batch, the first message is lost.
      for (let place = 1; place < inFlight; place++) send(inBatch + place);
      send(inBatch);
      send(inBatch);
      assertEquals([session.resends, session.ackCopies], [1, copies]);
    });
  }
}

Deno.test("acks go twice to who has much in flight while they do not seem to reach it", () => {
  const { session, send } = receive(1448);
  for (let place = 1; place < 100; place++) send(place);
  // Acks of one message in twenty are lost.
  for (let place = 100; place < 1000; place++) {
    send(place);
    if (place % 20 === 0) send(place);
    assertEquals(session.ackCopies, 1);
  }
  for (let place = 960; place < 1000; place++) send(place);
  assertEquals(session.ackCopies, 2);
  for (let place = 1000; place < 1400; place++) send(place);
  assertEquals(session.ackCopies, 1);
});
