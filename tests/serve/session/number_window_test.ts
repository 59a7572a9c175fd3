import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { MOST_AHEAD, NumberWindow } from "../../../lib/serve/session/number_window.ts";

Deno.test("NumberWindow takes the numbers behind the HERALD's, a batch ahead at most", () => {
  const window = new NumberWindow(1);
  const kinds = (...seqnos: number[]) => seqnos.map((seqno) => window.judge(seqno));
  assertEquals(kinds(0, 1, 2, 1 + MOST_AHEAD, 2 + MOST_AHEAD), [
    "impossible",
    "impossible",
    "new",
    "new",
    "impossible",
  ]);
  window.take(4);
  assertEquals(kinds(1, 2, 3, 4, 5, 4 + MOST_AHEAD, 5 + MOST_AHEAD), [
    "impossible",
    "new",
    "new",
    "repeated",
    "new",
    "new",
    "impossible",
  ]);
  window.take(2);
  assertEquals(kinds(2, 3), ["repeated", "new"]);
});

Deno.test("NumberWindow takes a number that was refused again", () => {
  const window = new NumberWindow(1);
  window.take(2);
  window.refuse(2);
  assertEquals(window.judge(2), "new");
});

Deno.test("NumberWindow takes what is too old to be remembered for repeated", () => {
  const window = new NumberWindow(1);
  for (let seqno = 3; seqno <= 20_000; seqno++) window.take(seqno);
  assertEquals([2, 1, 19_999].map((seqno) => window.judge(seqno)), ["repeated", "impossible", "repeated"]);
});

Deno.test("NumberWindow counts on past 2^32", () => {
  const window = new NumberWindow(0xfffffffe);
  assertEquals([window.judge(0xffffffff), window.judge(0), window.judge(0xfffffffe)], [
    "new",
    "new",
    "impossible",
  ]);
  window.take(0xffffffff);
  window.take(1);
  assertEquals([window.judge(0), window.judge(1), window.judge(0xfffffffe)], [
    "new",
    "repeated",
    "impossible",
  ]);
});

Deno.test("NumberWindow says of each number what a list of all of them says, also behind a restart", () => {
  fc.assert(fc.property(
    fc.constantFrom(0, 1, 1000, 0xfffffff0),
    fc.array(fc.record({ step: fc.integer({ min: -200, max: 100 }), restart: fc.boolean() }), {
      maxLength: 300,
    }),
    (herald, messages) => {
      let window = new NumberWindow(herald);
      const came = new Set<number>();
      // Numbers from the HERALD's on, not modulo 2^32.
      let high = 0;
      for (const { step, restart } of messages) {
        const place = high + step;
        const expected = place <= 0 || step > MOST_AHEAD
          ? "impossible"
          : came.has(place)
          ? "repeated"
          : "new";
        const seqno = (herald + place) >>> 0;
        assertEquals(window.judge(seqno), expected, `place ${place}`);
        if (expected === "new") {
          window.take(seqno);
          came.add(place);
          high = Math.max(high, place);
        }
        if (restart) {
          const { state } = window;
          window = new NumberWindow(herald);
          window.restore(state);
        }
      }
    },
  ));
});
