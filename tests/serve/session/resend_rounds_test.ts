import { assertEquals } from "@std/assert";
import { ResendRounds } from "../../../lib/serve/session/resend_rounds.ts";

/** Rounds of a batch of which places 0, 1 and 2 came at first. */
function rounds(): ResendRounds {
  const made = new ResendRounds(64);
  for (const place of [0, 1, 2]) made.noteFresh(place, 0);
  return made;
}

Deno.test("ResendRounds counts a round when what came in the one before comes again", () => {
  const made = rounds();
  assertEquals([made.number, made.barren, made.quietMs], [1, 0, undefined]);
  for (const place of [0, 1, 2]) made.noteRepeated(place, 1000);
  assertEquals([made.number, made.barren], [2, 0]);
  for (const place of [1, 2]) made.noteRepeated(place, 2000);
  assertEquals([made.number, made.barren], [3, 1]);
});

Deno.test("ResendRounds knows after a silence that a round is over, and counts it once", () => {
  const made = rounds();
  made.noteRepeated(0, 1000);
  assertEquals(made.quietMs, 200);
  made.judge();
  made.judge();
  assertEquals([made.barren, made.quietMs], [1, undefined]);
  made.noteRepeated(0, 2000);
  assertEquals(made.barren, 1);
});

Deno.test("ResendRounds calls no round barren that brought something new, and begins to count again", () => {
  const made = rounds();
  made.noteRepeated(0, 1000);
  made.noteRepeated(0, 2000);
  assertEquals(made.barren, 1);
  made.noteFresh(3, 2001);
  made.judge();
  assertEquals(made.barren, 0);
  made.noteRepeated(0, 3000);
  made.judge();
  assertEquals(made.barren, 1);
});

Deno.test("ResendRounds takes packets that trickle in on a slow line for one round", () => {
  const made = rounds();
  for (const place of [0, 1, 2]) made.noteRepeated(place, 1000 + 150 * place);
  assertEquals([made.number, made.barren], [2, 0]);
});

Deno.test("ResendRounds takes duplicates made by the network for no round", () => {
  const made = rounds();
  for (const nowMs of [1, 10, 29]) made.noteRepeated(1, nowMs);
  assertEquals(made.number, 1);
  made.noteRepeated(1, 1000);
  made.noteRepeated(1, 1029);
  assertEquals([made.number, made.barren], [2, 0]);
});

Deno.test("ResendRounds begins with the first transmission again in the next batch", () => {
  const made = rounds();
  made.noteRepeated(0, 1000);
  made.judge();
  made.clear(3);
  assertEquals([made.number, made.barren, made.quietMs], [1, 0, undefined]);
  made.noteFresh(0, 5000);
  made.noteRepeated(0, 5010);
  assertEquals(made.number, 1);
});
