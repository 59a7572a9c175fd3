import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { escapeLine, escapeLines, quote } from "../../lib/text/escape.ts";

const UNSAFE_ROWS: [name: string, text: string, escaped: string][] = [
  ["ESC, which starts a terminal's commands", "a\x1b[31mb", "a\\x1b[31mb"],
  ["CSI in one character", "\x9b2J", "\\u{9b}2J"],
  ["OSC with BEL", "\x1b]0;title\x07", "\\x1b]0;title\\x07"],
  ["a forged line", "host\nDump complete", "host\\nDump complete"],
  ["a carriage return that hides what stands before", "evil\rgood", "evil\\rgood"],
  ["a tab", "a\tb", "a\\tb"],
  ["NUL and DEL", "\0\x7f", "\\x00\\x7f"],
  ["a backslash, so that escapes cannot be forged", "\\x1b", "\\\\x1b"],
  ["line and paragraph separators", "\u2028\u2029", "\\u{2028}\\u{2029}"],
  ["a right-to-left override", "txt.\u202egpj", "txt.\\u{202e}gpj"],
  ["directional isolates and marks", "\u2066\u200f", "\\u{2066}\\u{200f}"],
  ["a byte order mark", "\ufeff", "\\u{feff}"],
  ["half a surrogate pair", "a\ud83d", "a\\u{d83d}"],
  ["the other half", "\ude00a", "\\u{de00}a"],
];

for (const [name, text, escaped] of UNSAFE_ROWS) {
  Deno.test(`escapeLine() escapes ${name}`, () => assertEquals(escapeLine(text), escaped));
}

Deno.test("escapeLine() keeps letters of any script, quotes and emoji", () => {
  for (const text of ["panic: ffs_blkfree", "Größe", "日本語", "עברית", "\"quoted\" 'too'", "😀"]) {
    assertEquals(escapeLine(text), text);
  }
});

Deno.test("escapeLines() keeps line feeds and tabs and nothing else that is unsafe", () => {
  assertEquals(escapeLines("a\n\tb\r\x1b\\"), "a\n\tb\\r\\x1b\\\\");
});

Deno.test("escapeLine() leaves no control character whatever comes in", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert(!/\p{Cc}|\p{Zl}|\p{Zp}|\p{Cs}/u.test(escapeLine(text)));
  }));
});

Deno.test("escapeLine() never gives the same output for different inputs", () => {
  const pieces = fc.array(fc.constantFrom("\\", "x1b", "\x1b", "u{", "}", "n", "\n", "2028", "\u2028", "a"));
  fc.assert(fc.property(pieces, pieces, (a, b) => {
    assertEquals(escapeLine(a.join("")) === escapeLine(b.join("")), a.join("") === b.join(""));
  }));
});

Deno.test("quote() escapes the quotes within and cuts what is long", () => {
  assertEquals(quote('a"b\n'), '"a\\"b\\n"');
  assertEquals(quote("abcdef", 3), '"abc…"');
});

Deno.test("quote() does not cut a character of two units in half", () => {
  assertEquals(quote("ab😀cd", 3), '"ab…"');
  assertEquals(quote("ab😀cd", 4), '"ab😀…"');
});
