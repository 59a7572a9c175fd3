import { assertEquals } from "@std/assert";
import { Batch } from "../../../lib/serve/session/batch.ts";

/** Adds places of one size; returns what was let go. */
function add(batch: Batch, places: readonly number[], size: number): number[] {
  const acks: number[] = [];
  for (const place of places) assertEquals(batch.add(place, size, acks), true, `place ${place}`);
  return acks.sort((a, b) => a - b);
}

const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

Deno.test("Batch sees its end by a packet shorter than the others", () => {
  const batch = new Batch();
  assertEquals(add(batch, [0, 1], 1448), []);
  assertEquals(batch.end, undefined);
  assertEquals(add(batch, [2], 1200), [0, 1, 2]);
  assertEquals([batch.end, batch.received, batch.held, batch.sizeBytes], [3, 3, 0, 4096]);
});

Deno.test("Batch sees its end by being as large as a batch can be", () => {
  const batch = new Batch();
  add(batch, span(0, 62), 1024);
  assertEquals(batch.end, undefined);
  add(batch, [63], 1024);
  assertEquals([batch.end, batch.held], [64, 0]);
});

Deno.test("Batch lets a packet go when all that can share its bit are there", () => {
  const batch = new Batch();
  // 126 packets of 524 bytes at MTU 576: four share a bit, from 30 on three.
  assertEquals(add(batch, [0, 32, 64], 524), []);
  assertEquals(add(batch, [96], 524), [0, 32, 64, 96]);
  assertEquals(add(batch, [30, 62], 524), []);
  assertEquals(add(batch, [94], 524), [30, 62, 94]);
  assertEquals([batch.held, batch.gaps], [0, 97 - 7]);
});

Deno.test("Batch keeps what is held until the size of a full packet is known", () => {
  const batch = new Batch();
  assertEquals(add(batch, [45], 376), []);
  assertEquals([batch.end, batch.firstHeld], [undefined, 45]);
  // Now 45 is seen to be the last one, and 0 to share its bit with 32.
  assertEquals(add(batch, [0], 1448), []);
  assertEquals(batch.end, 46);
  assertEquals(add(batch, [13], 1448), [13, 45]);
});

const CONTRADICTIONS: readonly (readonly [name: string, before: readonly (readonly [number, number])[]])[] = [
  ["a packet behind a short one", [[0, 1448], [1, 1200], [2, 1200]]],
  ["a short packet before one that came", [[0, 1448], [5, 1448], [3, 1200]]],
  ["more than 65,536 bytes", [[0, 1448], [45, 1448]]],
  ["a place beyond 65,536 bytes", [[0, 1448], [46, 1448]]],
  ["an empty packet", [[0, 0]]],
];

for (const [name, packets] of CONTRADICTIONS) {
  Deno.test(`Batch sees that ${name} is not a kernel's`, () => {
    const batch = new Batch();
    const taken = packets.map(([place, size]) => batch.add(place, size, []));
    assertEquals(taken, packets.map((_, i) => i < packets.length - 1));
  });
}

Deno.test("Batch begins anew and keeps the size of a full packet", () => {
  const batch = new Batch();
  add(batch, [0, 1], 1448);
  batch.clear();
  assertEquals([batch.received, batch.held, batch.high, batch.end, batch.sizeBytes], [
    0,
    0,
    -1,
    undefined,
    0,
  ]);
  assertEquals([batch.has(0), batch.isAcked(0), batch.fullSize], [false, false, 1448]);
  assertEquals(add(batch, [0], 1200), [0]);
});
