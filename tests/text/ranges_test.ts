import { assertEquals } from "@std/assert";
import { formatRanges } from "../../lib/text/ranges.ts";

Deno.test("formatRanges() tells where and how much", () => {
  assertEquals(
    formatRanges([{ start: 0x5a8, end: 0xb50 }, { start: 2 ** 40, end: 2 ** 40 + 1 }]),
    "0x5a8-0xb50 (1448 bytes), 0x10000000000-0x10000000001 (1 bytes)",
  );
  assertEquals(formatRanges([]), "");
});
