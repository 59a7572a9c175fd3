import { assertEquals } from "@std/assert";
import { piecesOf } from "../../lib/text/lines.ts";

Deno.test("piecesOf() cuts a text into pieces, never within a character", () => {
  assertEquals([...piecesOf("", 3)], []);
  assertEquals([...piecesOf("abcdefg", 3)], ["abc", "def", "g"]);
  assertEquals([...piecesOf("ab😀cd", 3)], ["ab", "😀c", "d"]);
  // What is half a character stays what it is, and no piece is empty.
  assertEquals([...piecesOf("😀", 1)].join(""), "😀");
  assertEquals([...piecesOf("\udc80\udc81\udc82", 2)], ["\udc80\udc81", "\udc82"]);
});
