import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { compareNames } from "../../lib/text/natural_order.ts";

Deno.test("compareNames() takes numbers in names as numbers", () => {
  const sorted = [
    "",
    "1",
    "02",
    "2",
    "10",
    "info.w1.0",
    "vmcore.w1.9",
    "vmcore.w1.10",
    "vmcore.w1.10.gz",
    "vmcore.w2.1",
    "vmcore.w10.1",
  ];
  assertEquals(sorted.toReversed().sort(compareNames), sorted);
});

Deno.test("compareNames() is an order", () => {
  const name = fc.stringMatching(/^[01a.]{0,6}$/);
  fc.assert(
    fc.property(name, name, name, (a, b, c) => {
      assertEquals(Math.sign(compareNames(a, b)), -Math.sign(compareNames(b, a)));
      assertEquals(compareNames(a, b) === 0, a === b);
      if (compareNames(a, b) < 0 && compareNames(b, c) < 0) assertEquals(compareNames(a, c) < 0, true);
    }),
    { numRuns: 3000 },
  );
});
