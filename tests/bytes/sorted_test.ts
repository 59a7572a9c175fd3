import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { countUpTo } from "../../lib/bytes/sorted.ts";

Deno.test("countUpTo() counts what a walk from the front does", () => {
  fc.assert(fc.property(fc.array(fc.integer({ max: 50 })), fc.integer({ max: 60 }), (values, place) => {
    const sorted = values.toSorted((a, b) => a - b);
    assertEquals(
      countUpTo(sorted.length, (i) => sorted[i]! <= place),
      sorted.filter((value) => value <= place).length,
    );
  }));
});
