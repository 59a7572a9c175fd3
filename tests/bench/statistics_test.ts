import { assertEquals } from "@std/assert";
import { digits, median, medians, table } from "./statistics.ts";

Deno.test("median() is the middle, whatever the order", () => {
  assertEquals(median([9, 1, 5]), 5);
  assertEquals(median([4, 1, 3, 2]), 2.5);
  assertEquals(median([]), NaN);
});

Deno.test("medians() takes each field by itself", () => {
  assertEquals(medians([{ a: 1, b: 30 }, { a: 3, b: 10 }, { a: 2, b: 20 }]), { a: 2, b: 20 });
});

Deno.test("digits() gives three digits, and a dash for what was not measured", () => {
  assertEquals([0.0512, 9.994, 9.996, 99.94, 99.96, 1234.5].map(digits), [
    ..."0.05|9.99|10.0|99.9|100|1235".split("|"),
  ]);
  assertEquals(digits(NaN), "-");
});

Deno.test("table() aligns numbers to the right, and text to the left", () => {
  assertEquals(
    table([["server", "MB/s"], ["refserver", "100"], ["netdump", "9.50"], ["x", "-"]]),
    [
      "| server    | MB/s |",
      "| --------- | ---: |",
      "| refserver |  100 |",
      "| netdump   | 9.50 |",
      "| x         |    - |",
      "",
    ].join("\n"),
  );
});
