import { assertEquals, assertThrows } from "@std/assert";
import { decodeKernelDumpHeader, encodeKernelDumpHeader } from "../../../lib/kerneldump/files/header.ts";
import { hex } from "../../helpers.ts";
import { JOURNAL_HEADER } from "../journal_header.ts";

Deno.test("encodeKernelDumpHeader() gives the published header's parity and SHA-256", async () => {
  const bytes = encodeKernelDumpHeader(JOURNAL_HEADER);
  assertEquals(hex(bytes.subarray(508)), "5a5ceeeb");
  assertEquals(
    hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))),
    "7dbe024da8ff1139157bc957dea13d5455f2e6a2fd7046dd1b298c222e2057d0",
  );
});

for (const version of [1, 2, 3, 4]) {
  Deno.test(`decodeKernelDumpHeader() reads back a version ${version} header`, () => {
    const absent = {
      ...(version < 3 ? { dumpExtent: null, compression: null } : {}),
      ...(version < 2 ? { dumpKeySize: null } : {}),
    };
    const header = { ...JOURNAL_HEADER, version, ...absent };
    const { parity: _, parityOk, ...decoded } = decodeKernelDumpHeader(encodeKernelDumpHeader(header));
    assertEquals(decoded, header);
    assertEquals(parityOk, true);
  });
}

Deno.test("encodeKernelDumpHeader() cuts strings that do not fit and leaves a NUL", () => {
  const bytes = encodeKernelDumpHeader({
    ...JOURNAL_HEADER,
    hostname: "h".repeat(100),
    panicString: "p".repeat(300),
  });
  const decoded = decodeKernelDumpHeader(bytes);
  assertEquals(decoded.hostname, "h".repeat(63));
  assertEquals(decoded.panicString, "p".repeat(174));
  assertEquals(decoded.compression, "none");
});

Deno.test("decodeKernelDumpHeader() reports a flipped bit as bad parity", () => {
  const bytes = encodeKernelDumpHeader(JOURNAL_HEADER);
  bytes[100]! ^= 4;
  assertEquals(decodeKernelDumpHeader(bytes).parityOk, false);
});

Deno.test("decodeKernelDumpHeader() refuses short, foreign and unknown headers", () => {
  const bytes = encodeKernelDumpHeader(JOURNAL_HEADER);
  assertThrows(() => decodeKernelDumpHeader(bytes.subarray(0, 511)), SyntaxError, "511 bytes");
  assertThrows(() => decodeKernelDumpHeader(new Uint8Array(512)), SyntaxError, "magic");
  const version5 = bytes.slice();
  new DataView(version5.buffer).setUint32(32, 5);
  assertThrows(() => decodeKernelDumpHeader(version5), SyntaxError, "version 5");
  const absurd = bytes.slice();
  absurd.fill(0xff, 40, 48);
  assertThrows(() => decodeKernelDumpHeader(absurd), SyntaxError, "absurd");
});
