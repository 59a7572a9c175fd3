import { assertEquals, assertThrows } from "@std/assert";
import {
  decodeKernelDumpHeader,
  encodeKernelDumpHeader,
  type KernelDumpHeaderFields,
} from "../../lib/kerneldump/header.ts";
import { hex } from "../helpers.ts";

/** The published header of reference kernel-dump-formats.md 1.6. */
export const JOURNAL_HEADER: KernelDumpHeaderFields = {
  magic: "FreeBSD Kernel Dump",
  architecture: "amd64",
  version: 4,
  architectureVersion: 2,
  dumpLength: 970199040,
  dumpExtent: 970199040,
  dumpTime: 1684328878,
  dumpKeySize: 0,
  blockSize: 512,
  compression: "none",
  hostname: "displacementactivity",
  versionString: "FreeBSD 14.0-CURRENT #2 main-n261806-d3a49f62a284: Mon Mar 27 16:15:25 UTC 2023\n" +
    "    tj@displacementactivity:/usr/obj/usr/src/amd64.amd64/sys/GENERIC\n",
  panicString: "Duplicate free of 0xfffff80339ef3000 from zone 0xfffffe001ec2ea00(malloc-2048) " +
    "slab 0xfffff80325789168(0)",
};

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
