import { assertEquals } from "@std/assert";
import { Acknowledgement } from "../../../lib/serve/session/acknowledgement.ts";

/** Messages of a batch of 65,536 bytes at MTU 1500: 45 of 1448 bytes and one of 376. */
const FULL = 1448;
const LAST = 376;
const PACKETS = 46;

function sizeAt(place: number): number {
  return place === PACKETS - 1 ? LAST : FULL;
}

/** Numbers from `from` to `to`, both included. */
function span(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** Stores messages of the batch that begins with seqno `base`; returns what may be acked. */
function store(
  acknowledgement: Acknowledgement,
  places: readonly number[],
  nowMs: number,
  base = 2,
): number[] {
  const acks: number[] = [];
  for (const place of places) acknowledgement.stored(base + place, sizeAt(place), nowMs, acks);
  return acks.map((seqno) => seqno - base).sort((a, b) => a - b);
}

/** Lets time pass until nothing is left to expire; returns what may be acked then. */
function expire(acknowledgement: Acknowledgement): number[] {
  const acks: number[] = [];
  for (let i = 0; i < 100; i++) {
    const { deadlineMs } = acknowledgement;
    if (deadlineMs === undefined) return acks;
    acknowledgement.expire(deadlineMs, acks);
  }
  throw new Error("Time passes without an end");
}

Deno.test("Acknowledgement acks a packet that shares its bit with none at once, the others with their last", () => {
  const acknowledgement = new Acknowledgement(1);
  assertEquals(store(acknowledgement, span(0, 20), 0), span(14, 20));
  assertEquals(store(acknowledgement, span(21, 31), 0), span(21, 31));
  assertEquals(store(acknowledgement, [32], 0), [0, 32]);
  assertEquals(store(acknowledgement, span(33, 45), 0), [...span(1, 13), ...span(33, 45)]);
  assertEquals([acknowledgement.held, acknowledgement.saved], [0, 0]);
});

Deno.test("Acknowledgement holds the ack of what came until what shares its bit is resent (P4)", () => {
  const acknowledgement = new Acknowledgement(1);
  // 5 and 40 are lost; they share their bits with 37 and 8.
  const came = span(0, 45).filter((place) => place !== 5 && place !== 40);
  assertEquals(store(acknowledgement, came, 0), came.filter((place) => place !== 37 && place !== 8));
  assertEquals(acknowledgement.held, 2);
  // The client resends what is not acked; 37 is acked with 5, and again when it comes again.
  assertEquals(store(acknowledgement, [5, 8, 37, 40], 1000), [5, 8, 37, 37, 40]);
  assertEquals([acknowledgement.held, acknowledgement.saved], [0, 2]);
});

Deno.test("Acknowledgement does not ack the head of a batch whose tail was lost", () => {
  const acknowledgement = new Acknowledgement(1);
  assertEquals(store(acknowledgement, span(0, 31), 0), span(14, 31));
  assertEquals(expire(acknowledgement), []);
  assertEquals(store(acknowledgement, [...span(0, 13), ...span(32, 45)], 1000), [
    ...span(0, 13),
    ...span(32, 45),
  ]);
  assertEquals(acknowledgement.saved, 14);
});

Deno.test("Acknowledgement knows a short packet only as the end once a full one was seen", () => {
  const acknowledgement = new Acknowledgement(1);
  assertEquals(store(acknowledgement, [45], 0), []);
  assertEquals(store(acknowledgement, span(0, 44), 1000), span(0, 45));
});

Deno.test("Acknowledgement acks at once again what it has acked, and what belongs to batches before", () => {
  const acknowledgement = new Acknowledgement(1);
  store(acknowledgement, span(0, 45), 0);
  assertEquals(store(acknowledgement, [3, 40], 5), [3, 40]);
  // The next batch: 20 may be acked, 3 may not.
  assertEquals(store(acknowledgement, [3, 20], 10, 2 + PACKETS), [20]);
  assertEquals(store(acknowledgement, [3, 20], 15, 2 + PACKETS), [20]);
});

Deno.test("Acknowledgement does not count reordered or doubled packets as saved", () => {
  const acknowledgement = new Acknowledgement(1);
  assertEquals(store(acknowledgement, [...span(0, 45).reverse(), 7, 8], 0).length, PACKETS + 2);
  assertEquals(acknowledgement.saved, 0);
});

Deno.test("Acknowledgement acks everything at once when the HERALD was not a kernel's number 1", () => {
  assertEquals(store(new Acknowledgement(0), [0, 1, 2], 0, 1), [0, 1, 2]);
});

Deno.test("Acknowledgement stops holding when a client sends beyond a kernel's batch", () => {
  const acknowledgement = new Acknowledgement(1);
  const acks: number[] = [];
  for (let place = 0; place < 64; place++) acknowledgement.stored(2 + place, FULL, 0, acks);
  assertEquals(acks.sort((a, b) => a - b), span(2, 65));
  assertEquals(acknowledgement.holding, false);
});

for (const seqno of [48, 2 + 4095, 2 + 4096, 0xffffffff]) {
  Deno.test(`Acknowledgement acks seqno ${seqno} at once when the batch that it belongs to began with 2`, () => {
    const acknowledgement = new Acknowledgement(1);
    const acks: number[] = [];
    acknowledgement.stored(2, FULL, 0, acks);
    acknowledgement.stored(seqno, FULL, 0, acks);
    assertEquals(acks.sort((a, b) => a - b), [2, seqno]);
  });
}

Deno.test("Acknowledgement holds nothing of a client whose packets are 2048 bytes or more", () => {
  const acknowledgement = new Acknowledgement(1);
  const acks: number[] = [];
  acknowledgement.stored(2, 2048, 0, acks);
  acknowledgement.stored(4, 2048, 0, acks);
  assertEquals([acks, acknowledgement.holding], [[2, 4], false]);
});

Deno.test("Acknowledgement lets a client with a small window go on after a few rounds of resends", () => {
  const acknowledgement = new Acknowledgement(1);
  let rounds = 0;
  for (let nowMs = 0; acknowledgement.holding; nowMs += 1000) {
    assertEquals(store(acknowledgement, [0], nowMs), []);
    const acks = expire(acknowledgement);
    if (acks.length > 0) assertEquals(acks, [2]);
    rounds++;
  }
  assertEquals(rounds, 5);
});

Deno.test("Acknowledgement does not doubt a kernel that it has seen before that is about to give up", () => {
  const acknowledgement = new Acknowledgement(1);
  assertEquals(store(acknowledgement, span(0, 45), 0).length, PACKETS);
  let rounds = 0;
  for (let nowMs = 0; acknowledgement.holding; nowMs += 1000) {
    assertEquals(store(acknowledgement, [0], nowMs, 2 + PACKETS), []);
    expire(acknowledgement);
    rounds++;
  }
  assertEquals(rounds, 11);
});

Deno.test("Acknowledgement gives in before a client that never resends what is missing gives up", () => {
  const acknowledgement = new Acknowledgement(1);
  // 0 is never sent; 32 shares its bit.
  const came = span(1, 45);
  let released: number[] = [];
  let rounds = 0;
  for (let nowMs = 0; released.length === 0; nowMs += 1000) {
    store(acknowledgement, nowMs === 0 ? came : [32], nowMs);
    released = expire(acknowledgement);
    rounds++;
  }
  assertEquals([released, rounds], [[34], 11]);
});

Deno.test("Acknowledgement takes a lone duplicate made by the network for no round of resends", () => {
  const acknowledgement = new Acknowledgement(1);
  store(acknowledgement, span(0, 31), 0);
  for (let nowMs = 1; nowMs <= 25; nowMs += 3) assertEquals(store(acknowledgement, [0], nowMs), []);
  assertEquals(acknowledgement.deadlineMs, undefined);
});

Deno.test("Acknowledgement ends the batch with a message of another type", () => {
  const acknowledgement = new Acknowledgement(1);
  const acks: number[] = [];
  acknowledgement.other(2, acks);
  acknowledgement.other(3, acks);
  assertEquals(acks, []);
  // The key was 2 and 3; data begins with 4.
  assertEquals(store(acknowledgement, span(0, 45), 0, 4), span(0, 45));
  acknowledgement.other(4 + PACKETS, acks);
  assertEquals([acks, acknowledgement.holding], [[], true]);
});

Deno.test("Acknowledgement lets go of what it holds when the client goes on without the acks", () => {
  const acknowledgement = new Acknowledgement(1);
  store(acknowledgement, [0, 1], 0);
  const acks: number[] = [];
  acknowledgement.other(100, acks);
  assertEquals([acks, acknowledgement.holding], [[2, 3], false]);
});

Deno.test("Acknowledgement has a state between batches only, and goes on from it", () => {
  const before = new Acknowledgement(1);
  const acks: number[] = [];
  for (let place = 0; place < 32; place++) before.stored(2 + place, 1408, 0, acks);
  assertEquals(before.state, undefined);
  // Two rounds of resends that bring the held ones and nothing beyond.
  for (const nowMs of [1000, 2000]) {
    for (let place = 0; place < 15; place++) before.stored(2 + place, 1408, nowMs, acks);
    acks.push(...expire(before));
  }
  const { state } = before;
  assertEquals(state, { holding: true, kernelSeen: false, base: 34, fullSize: 1408, provenEnds: [32] });
  const after = new Acknowledgement(1);
  store(after, [7], 0);
  after.restore(state!);
  assertEquals(after.state, state);
  assertEquals(after.held, 0);
});

Deno.test("Acknowledgement believes in no end of a batch that was cut short by a kill (P9)", () => {
  const acknowledgement = new Acknowledgement(1);
  acknowledgement.restore({ holding: true, kernelSeen: true, base: 2, fullSize: 1024, provenEnds: [4] });
  const acks: number[] = [];
  // Enough for the path to be a good one: a batch of 64 full packets shows its end.
  for (let batch = 0; batch < 4; batch++) {
    for (let place = 0; place < 64; place++) acknowledgement.stored(2 + 64 * batch + place, 1024, 0, acks);
  }
  acks.length = 0;
  for (let place = 0; place < 4; place++) acknowledgement.stored(258 + place, 1024, 0, acks);
  acknowledgement.noteInterruption();
  assertEquals([acks, expire(acknowledgement)], [[], []]);
});
