import { assertEquals } from "@std/assert";
import { styleFor } from "../../lib/text/style.ts";
import { displayWidth, formatTable, truncate, truncateFront } from "../../lib/text/table.ts";

Deno.test("formatTable() lines columns up, numbers to the right, and leaves no blanks at the ends", () => {
  assertEquals(formatTable([["a", "1", "x"], ["bcd", "200", ""], ["日本", "3"]], ["left", "right"]), [
    "a       1  x",
    "bcd   200",
    "日本    3",
  ]);
  assertEquals(formatTable([]), []);
});

Deno.test("formatTable() colours cells after they are padded", () => {
  const style = styleFor(true, false);
  assertEquals(
    formatTable([["a", "b"], ["cc", "d"]], [], (cell, row) => row === 0 ? style.bold(cell) : cell),
    ["\x1b[1ma \x1b[0m  \x1b[1mb\x1b[0m", "cc  d"],
  );
});

Deno.test("truncateFront() keeps the end", () => {
  assertEquals(truncateFront("fleet/lab/w1", 12), "fleet/lab/w1");
  assertEquals(truncateFront("fleet/lab/w1", 7), "…lab/w1");
  assertEquals(truncateFront("日本語", 5), "…本語");
});

Deno.test("truncate() cuts to a width, wide characters counted double and accents not at all", () => {
  assertEquals(truncate("panic: boom", 11), "panic: boom");
  assertEquals(truncate("panic: boom", 10), "panic: bo…");
  assertEquals(truncate("日本語", 5), "日本…");
  assertEquals(displayWidth("e\u0301日"), 3);
});

Deno.test("styleFor() colours on a terminal only, and never against NO_COLOR", () => {
  assertEquals(styleFor(true, false).red("x"), "\x1b[31mx\x1b[0m");
  assertEquals(styleFor(true, true).red("x"), "x");
  assertEquals(styleFor(false, false).red("x"), "x");
});
