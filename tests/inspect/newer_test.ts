/** What is newer than this program knows is not damaged: its messages are read, and nothing is said about the rest. */

import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { makeReport } from "../../lib/inspect/tell/report.ts";
import { formatFindings } from "../../lib/inspect/tell/text.ts";
import { makeHeader } from "../../lib/send/dump_header.ts";
import { parseDumpName } from "../../lib/kerneldump/files/dump_name.ts";
import { styleFor } from "../../lib/text/style.ts";
import { buildMessageBuffer, buildMinidump, MINIDUMP_KINDS } from "../kerneldump/synthetic.ts";
import { codes, headerOf, look, MESSAGES, minidumpWithMessages, receivedDump } from "./dumps.ts";

for (const { architecture, version, littleEndian, pageSize } of MINIDUMP_KINDS) {
  Deno.test(
    `inspect reads the messages of a minidump of ${architecture} newer than known, from version ${version}, \
${littleEndian ? "little" : "big"}-endian, pages of ${pageSize}`,
    async () => {
      const dump = buildMinidump({
        architecture,
        version,
        littleEndian,
        pageSize,
        messageBuffer: buildMessageBuffer({ text: MESSAGES, architecture, little: littleEndian }),
      });
      const at = architecture === "powerpc64" ? 64 : 24;
      new DataView(dump.buffer).setUint32(at, 9, littleEndian);
      const found = await look("vmcore", { vmcore: dump });
      assertEquals([found.kind, found.complete, codes(found)], ["minidump", null, ["version-newer"]]);
      assertEquals([found.messages, found.summary.panic], [MESSAGES, "sleeping thread"]);
      const report = makeReport(found, { messages: false, priorities: false }).minidump;
      assertEquals([report?.architecture, report?.version, report?.pages], [architecture, 9, null]);
      assertStringIncludes(formatFindings(found, styleFor(false, true)), "version 9, which is not known");
    },
  );
}

Deno.test("inspect reads the messages of a minidump of an architecture that is not known", async () => {
  const dump = minidumpWithMessages();
  dump.set(new TextEncoder().encode("loong\0\0"), 17);
  const found = await look("vmcore", { vmcore: dump });
  assertEquals([found.complete, codes(found), found.messages], [null, ["version-newer"], MESSAGES]);
});

Deno.test("inspect takes an absurd version, and a name that is none, for damage", async () => {
  const absurd = minidumpWithMessages();
  new DataView(absurd.buffer).setUint32(24, 0x1000, true);
  const nameless = minidumpWithMessages();
  nameless.set(new TextEncoder().encode("\x1b[2J"), 17);
  for (const vmcore of [absurd, nameless]) {
    const found = await look("vmcore", { vmcore });
    assertEquals([found.complete, codes(found)], [false, ["header-damaged"]]);
  }
});

Deno.test("inspect says nothing about messages of a newer minidump where there is no text", async () => {
  const dump = new Uint8Array(0x8000).map((_, i) => 128 + i * 7 % 128);
  dump.set(minidumpWithMessages().subarray(0, 144));
  dump[24] = 4;
  const found = await look("vmcore", { vmcore: dump });
  assertEquals([found.complete, found.messages], [null, null]);
  const cut = await look("vmcore", { vmcore: dump.subarray(0, 5000) });
  assertEquals([cut.complete, cut.messages], [null, null]);
});

/** A header as a later kernel may write it: what is behind the length has moved. */
function newerHeader(dump: Uint8Array, version = 5): Uint8Array<ArrayBuffer> {
  const { bytes } = headerOf(dump);
  new DataView(bytes.buffer).setUint32(32, version);
  return bytes;
}

Deno.test("inspect tells architecture and length of a kernel dump header newer than known", async () => {
  const dump = minidumpWithMessages();
  const found = await look("kdh.w1.0", { "kdh.w1.0": newerHeader(dump) });
  assertEquals([found.kind, found.complete, codes(found)], ["kernel-dump-header", null, [
    "header-version-newer",
  ]]);
  assertEquals(
    [found.header?.architecture, found.header?.version, found.header?.dumpLength, found.header?.hostname],
    ["amd64", 5, dump.byteLength, null],
  );
});

Deno.test("inspect judges a dump by the length in a newer header beside it", async () => {
  const dump = minidumpWithMessages();
  const files = receivedDump("w1.0", dump);
  const good = await look("vmcore.w1.0", { ...files, "kdh.w1.0": newerHeader(dump) });
  assertEquals([good.complete, codes(good)], [true, ["header-version-newer"]]);
  // What the header does not tell, the info file does.
  assertEquals([good.header?.version, good.summary.host], [5, "w1.example"]);
  const other = await look("vmcore.w1.0", { ...files, "kdh.w1.0": newerHeader(dump.subarray(4096)) });
  assertEquals(codes(other), ["header-version-newer", "header-mismatch"]);
});

Deno.test("makeHeader() sends a header of a newer version byte for byte, with a warning", () => {
  const dump = minidumpWithMessages();
  const bytes = newerHeader(dump);
  const facts = {
    name: parseDumpName("vmcore.w1.0"),
    fileSize: dump.byteLength,
    modifiedAt: 0,
    keySize: 0,
    beginning: { plain: dump.subarray(0, 4096), compression: "none" as const },
  };
  const none = {
    hostname: undefined,
    panicString: undefined,
    architecture: undefined,
    versionString: undefined,
  };
  const made = makeHeader({ kind: "header", bytes }, facts, none);
  assertEquals([made.bytes, made.dataSize], [bytes, dump.byteLength]);
  assertEquals(made.warnings, [
    "the kernel dump header is of version 5, which is not known: it is sent as it is",
  ]);
  const change = () => makeHeader({ kind: "header", bytes }, facts, { ...none, hostname: "w2" });
  assertThrows(change, SyntaxError, "version 5 is not known");
  const long = new Uint8Array(513);
  long.set(bytes);
  assertThrows(() => makeHeader({ kind: "header", bytes: long }, facts, none), SyntaxError, "513 bytes");
});

Deno.test("inspect puts the messages of a kernel with capabilities for pointers in order", async () => {
  const lines = Array.from({ length: 300 }, (_, i) => `line ${`${i}`.padStart(4, "0")} of the messages\n`);
  for (const architecture of ["arm64", "riscv"] as const) {
    const dump = buildMinidump({
      architecture,
      messageBuffer: buildMessageBuffer({ text: lines.join(""), size: 3984, capabilities: true }),
    });
    const found = await look("vmcore", { vmcore: dump });
    assertEquals(codes(found), [], architecture);
    assertEquals(found.messages?.endsWith(lines.at(-1)!), true, architecture);
    assertEquals(found.messages?.trimEnd().split("\n").length, Math.ceil(3984 / lines[0]!.length));
  }
});
