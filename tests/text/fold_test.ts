import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { foldLines } from "../../lib/text/fold.ts";
import { styleFor } from "../../lib/text/style.ts";

for (
  const [text, width, folded] of [
    ["short", 10, "short"],
    ["", 10, ""],
    ["one two three four", null, "one two three four"],
    ["one two three four", 9, "one two\n  three\n  four"],
    [
      "  Panic     not known: the buffer is empty",
      30,
      "  Panic     not known: the\n            buffer is empty",
    ],
    [
      "  a label that is long      value and more",
      20,
      "  a label that is\n    long      value\n    and more",
    ],
    [
      "  #0  0xffffffff doadump+0x2d at kern.c:75",
      28,
      "  #0  0xffffffff\n      doadump+0x2d at\n      kern.c:75",
    ],
    ["averylongwordthatfitsnowhere and more", 10, "averylongwordthatfitsnowhere\n  and more"],
    ["first\n  second line of it", 12, "first\n  second\n    line of\n    it"],
    ["漢字 漢字 漢字", 9, "漢字 漢字\n  漢字"],
  ] as const
) {
  Deno.test(`foldLines() of ${JSON.stringify(text)} at ${width}`, () => {
    assertEquals(foldLines(text, width), folded);
  });
}

Deno.test("foldLines() counts no colour, and keeps it", () => {
  const style = styleFor(true, false);
  const line = `  ${style.red("BAD")}   ${style.bold("one two three")} four`;
  assertEquals(foldLines(line, 18), `  ${style.red("BAD")}   ${style.bold("one two\n        three")} four`);
});

Deno.test("foldLines() breaks between words only, and makes no line too wide that has two of them", () => {
  const words = fc.array(fc.stringMatching(/^[a-z:]{1,12}$/), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(words, fc.integer({ min: 8, max: 60 }), (list, width) => {
    const folded = foldLines(`  ${list.join(" ")}`, width);
    assertEquals(folded.trim().split(/\s+/), list);
    for (const line of folded.split("\n")) {
      assert(line.length <= width || line.trim().split(" ").length === 1);
    }
  }));
});
