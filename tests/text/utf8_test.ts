import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeUtf8, encodeUtf8 } from "../../lib/text/utf8.ts";
import { hex } from "../helpers.ts";
import { cpuMs } from "../cpu_time.ts";

const ROWS: [name: string, bytes: number[], text: string][] = [
  ["nothing", [], ""],
  ["ASCII", [0x70, 0x00, 0x7f], "p\0\x7f"],
  ["characters of 2, 3 and 4 bytes", [0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80], "é€😀"],
  ["a byte order mark, which is text here", [0xef, 0xbb, 0xbf, 0x61], "\ufeffa"],
  ["a replacement character that was there", [0xef, 0xbf, 0xbd], "\ufffd"],
  ["Latin-1", [0x63, 0x61, 0x66, 0xe9], "caf\udce9"],
  ["a character that is cut", [0xe2, 0x82], "\udce2\udc82"],
  ["a character that is cut by another", [0xe2, 0x82, 0x61], "\udce2\udc82a"],
  ["a continuation alone", [0x80, 0xbf], "\udc80\udcbf"],
  ["overlong forms", [0xc0, 0x80, 0xe0, 0x9f, 0xbf], "\udcc0\udc80\udce0\udc9f\udcbf"],
  ["an overlong form of 4 bytes", [0xf0, 0x8f, 0xbf, 0xbf], "\udcf0\udc8f\udcbf\udcbf"],
  ["a surrogate in UTF-8", [0xed, 0xb2, 0x80], "\udced\udcb2\udc80"],
  ["more than U+10FFFF", [0xf4, 0x90, 0x80, 0x80, 0xf5], "\udcf4\udc90\udc80\udc80\udcf5"],
  ["what stands beside it", [0xf0, 0x9f, 0x98, 0x80, 0xff, 0xc3, 0xa9], "😀\udcffé"],
];

for (const [name, bytes, text] of ROWS) {
  Deno.test(`decodeUtf8() and encodeUtf8() agree on ${name}`, () => {
    assertEquals(decodeUtf8(Uint8Array.from(bytes)), text);
    assertEquals(hex(encodeUtf8(text)), hex(Uint8Array.from(bytes)));
  });
}

Deno.test("decodeUtf8() loses no byte, whatever they are, and is UTF-8 where they are that", () => {
  const mixed = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 6 }), fc.string({ unit: "binary" }).map((text) => encodeUtf8(text))),
  );
  fc.assert(fc.property(mixed, (pieces) => {
    const bytes = Uint8Array.from(pieces.flatMap((piece) => [...piece]));
    const text = decodeUtf8(bytes);
    assertEquals(hex(encodeUtf8(text)), hex(bytes));
    assertEquals(JSON.parse(JSON.stringify(text)), text, "JSON keeps it");
    const lossy = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    assertEquals(/[\udc80-\udcff]/.test(text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, "")), lossy !== text);
  }));
});

Deno.test("encodeUtf8() stops before what does not fit", () => {
  assertEquals(hex(encodeUtf8("aé", 2)), "61");
  assertEquals(hex(encodeUtf8("aé", 3)), "61c3a9");
  assertEquals(hex(encodeUtf8("a\udcffb", 2)), "61ff");
  assertEquals(hex(encodeUtf8("a\udcffb", 1)), "61");
});

Deno.test("decodeUtf8() takes megabytes of noise in a moment", () => {
  const noise = new Uint8Array(8 * 2 ** 20).map((_, at) => Math.imul(at, 2654435761) >>> 24);
  const started = cpuMs();
  const text = decodeUtf8(noise);
  assert(cpuMs() - started < 5000);
  assert(text.length > noise.byteLength / 2);
});
