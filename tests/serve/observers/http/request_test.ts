import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { encodeAnswer, parseRequest, plainAnswer } from "../../../../lib/serve/observers/http/request.ts";

const head = (...lines: string[]) => lines.join("\r\n");

Deno.test("parseRequest() reads method, decoded path without query, and the host without port", () => {
  assertEquals(parseRequest(head("GET /a%20b?c=%ff HTTP/1.1", "Host: Dumps.example:9123", "X:")), {
    method: "GET",
    path: "/a b",
    host: "dumps.example",
  });
  assertEquals(parseRequest(head("HEAD / HTTP/1.0")), { method: "HEAD", path: "/", host: "" });
  assertEquals(parseRequest(head("GET / HTTP/1.1", "host:[::1]:80")), {
    method: "GET",
    path: "/",
    host: "[::1]",
  });
});

const MALFORMED: readonly (readonly [what: string, head: string])[] = [
  ["nothing", ""],
  ["another protocol", "\x16\x03\x01\x02"],
  ["HTTP/2", "PRI * HTTP/2.0"],
  ["a proxy's request", "GET http://x/ HTTP/1.1"],
  ["a space in the path", "GET /a b HTTP/1.1"],
  ["a path too long", `GET /${"a".repeat(3000)} HTTP/1.1`],
  ["a field without a colon", head("GET / HTTP/1.1", "Host")],
  ["a folded field", head("GET / HTTP/1.1", "Host: a", " b")],
  ["a space before the colon", head("GET / HTTP/1.1", "Host : a")],
  ["a bare line feed in a field", head("GET / HTTP/1.1", "X: a\nHost: b")],
  ["two hosts", head("GET / HTTP/1.1", "Host: a", "Host: b")],
  ["a path that is no UTF-8", "GET /%ff HTTP/1.1"],
  ["a path with half an escape", "GET /%4 HTTP/1.1"],
];

for (const [what, text] of MALFORMED) {
  Deno.test(`parseRequest() refuses ${what}`, () => {
    const answer = parseRequest(text);
    assertEquals("status" in answer && answer.status, 400);
  });
}

Deno.test("parseRequest() makes a request or an answer of anything", () => {
  fc.assert(fc.property(fc.string(), (text) => {
    const result = parseRequest(`GET /${text}`);
    return "status" in result || result.path.startsWith("/");
  }));
});

Deno.test("encodeAnswer() forbids everything that a page could fetch or be framed by, and counts bytes, not characters", () => {
  const text = new TextDecoder().decode(encodeAnswer(plainAnswer(200, "ä", { Allow: "GET" }), true));
  assert(text.startsWith("HTTP/1.1 200 OK\r\n"));
  assert(text.endsWith("\r\n\r\nä\n"));
  for (
    const field of [
      "Content-Length: 3",
      "Content-Security-Policy: default-src 'none'; ",
      "X-Content-Type-Options: nosniff",
      "X-Frame-Options: DENY",
      "Cache-Control: no-store",
      "Allow: GET",
    ]
  ) assert(text.includes(`\r\n${field}`), field);
  const without = new TextDecoder().decode(encodeAnswer(plainAnswer(200, "ä"), false));
  assert(without.includes("Content-Length: 3") && without.endsWith("\r\n\r\n"));
});
