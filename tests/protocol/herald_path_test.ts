import { assertEquals } from "@std/assert";
import { decodeHeraldPath } from "../../lib/protocol/herald_path.ts";

const encode = (text: string) => new TextEncoder().encode(text);

const ROWS: [name: string, payload: Uint8Array, expected: unknown][] = [
  ["no payload", encode(""), { kind: "none" }],
  ["an empty string", encode("\0"), { kind: "none" }],
  ["one component", encode("foo\0"), { kind: "path", text: "foo", components: ["foo"] }],
  ["dots and double slashes", encode("./a//b/\0"), { kind: "path", text: "./a//b/", components: ["a", "b"] }],
  ["no NUL", encode("foo"), { kind: "refused", text: "foo", reason: "not terminated by NUL" }],
  ["a NUL inside", encode("a\0b\0"), { kind: "refused", text: "a", reason: "contains NUL" }],
  ["an absolute path", encode("/etc\0"), { kind: "refused", text: "/etc", reason: "absolute" }],
  ["dotdot", encode("a/../b\0"), { kind: "refused", text: "a/../b", reason: 'contains ".."' }],
  ["a control character", encode("a\nb\0"), {
    kind: "refused",
    text: "a\nb",
    reason: "contains control characters",
  }],
  ["a backslash", encode("a\\b\0"), {
    kind: "refused",
    text: "a\\b",
    reason: "contains a backslash or a colon",
  }],
  ["bytes that are not UTF-8", new Uint8Array([0xff, 0]), {
    kind: "refused",
    text: "\ufffd",
    reason: "not UTF-8",
  }],
  [
    "a component of 256 bytes",
    encode("x".repeat(256) + "\0"),
    { kind: "refused", text: "x".repeat(256), reason: "a component is too long" },
  ],
];

for (const [name, payload, expected] of ROWS) {
  Deno.test(`decodeHeraldPath() judges ${name}`, () => assertEquals(decodeHeraldPath(payload), expected));
}

Deno.test("decodeHeraldPath() refuses 1025 bytes and takes 1024", () => {
  const path = "a/".repeat(511) + "a";
  assertEquals(decodeHeraldPath(encode(path + "\0")).kind, "path");
  assertEquals(decodeHeraldPath(encode(path + "/\0\0")).kind, "refused");
  assertEquals(decodeHeraldPath(new Uint8Array(60000).fill(0x61)).kind, "refused");
});
