import { assert, assertEquals, assertLess } from "@std/assert";
import { progressLine } from "../../lib/cli/progress.ts";

const HALF = { doneBytes: 512 * 1024 * 1024, totalBytes: 1024 ** 3, elapsedMs: 4000, note: "3 resends" };

Deno.test("progressLine() shows name, bar, share, bytes, rate, time left and note", () => {
  assertEquals(
    progressLine("vmcore.w1.0", HALF, 120, false),
    "vmcore.w1.0 [===============>              ]  50%  512 MiB  128 MiB/s  4.0 s left  3 resends",
  );
});

Deno.test("progressLine() is full at the end, and knows no time left", () => {
  assertEquals(
    progressLine("x", { ...HALF, doneBytes: 1024 ** 3, note: "" }, 120, false),
    `x [${"=".repeat(30)}] 100%  1.00 GiB  256 MiB/s`,
  );
  assertEquals(
    progressLine("x", { doneBytes: 0, totalBytes: 10, elapsedMs: 0, note: "" }, 60, false).slice(0, 4),
    "x [>",
  );
});

Deno.test("progressLine() never exceeds the terminal's width, whatever the name", () => {
  for (const label of ["x", "a".repeat(100), "漢字".repeat(20), "\x1b[31m"]) {
    for (let columns = 1; columns < 140; columns++) {
      const line = progressLine(label, HALF, columns, false);
      let width = 0;
      for (const character of line) width += character.codePointAt(0)! < 0x1100 ? 1 : 2;
      assertLess(width, Math.max(columns, 4), line);
      assert(!line.includes("\x1b"), "a name cannot drive the terminal");
    }
  }
});

Deno.test("progressLine() colours the bar alone, and only if asked", () => {
  const plain = progressLine("x", HALF, 100, false);
  // deno-lint-ignore no-control-regex
  assertEquals(progressLine("x", HALF, 100, true).replace(/\x1b\[\d+m/g, ""), plain);
});
