import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { examine } from "../../../lib/inspect/examine.ts";
import { makeReport, type Report } from "../../../lib/inspect/tell/report.ts";
import { toJsonLine } from "../../../lib/text/json.ts";
import { formatFindings } from "../../../lib/inspect/tell/text.ts";
import { styleFor } from "../../../lib/text/style.ts";
import { decodeUtf8, encodeUtf8 } from "../../../lib/text/utf8.ts";
import {
  buildElfCore,
  buildMessageBuffer,
  buildMinidump,
  buildTextdump,
  concatenate,
} from "../../kerneldump/synthetic.ts";
import { minidumpWithMessages, receivedDump, withFiles } from "../dumps.ts";

const MINIDUMP = minidumpWithMessages("<6>hello\npanic: boom\ncpuid = 0\n");

interface Shown {
  readonly report: Report;
  readonly json: string;
  readonly text: string;
}

async function show(
  name: string,
  files: Record<string, Uint8Array | string>,
  messages = false,
): Promise<Shown> {
  let shown: Shown | undefined;
  await withFiles(files, async (_, path) => {
    const examination = await examine(path(name), { thoroughness: "look", privateKey: null });
    examination.close();
    const findings = { ...examination.findings, file: name };
    const report = makeReport(findings, { messages, priorities: false });
    shown = {
      report,
      json: toJsonLine(report) + "\n",
      text: formatFindings(findings, styleFor(false, true)),
    };
  });
  return shown!;
}

Deno.test("makeReport() gives every key of a received minidump, in order, as documented", async () => {
  const { json } = await show("vmcore.w1.0", receivedDump("w1.0", MINIDUMP), true);
  const expected = {
    file: "vmcore.w1.0",
    size: 36864,
    layers: [],
    kind: "minidump",
    kernelDumpHeader: {
      source: "kdh.w1.0",
      magic: "FreeBSD Kernel Dump",
      architecture: "amd64",
      version: 4,
      architectureVersion: 2,
      dumpLength: 36864,
      dumpExtent: 36864,
      dumpTime: "2023-05-17T13:07:58Z",
      dumpKeySize: 0,
      blockSize: 4096,
      compression: "none",
      hostname: "w1.example",
      versionString: "FreeBSD 14.0-CURRENT #2 main-n261806-d3a49f62a284: Mon Mar 27 16:15:25 UTC 2023\n" +
        "    tj@displacementactivity:/usr/obj/usr/src/amd64.amd64/sys/GENERIC\n",
      panicString: "sleeping thread",
      parity: "ok",
    },
    minidump: {
      architecture: "amd64",
      version: 3,
      messageBufferSize: 8120,
      bitmapSize: 4096,
      pageTableSize: 4096,
      kernelBase: "0xfffffe0000000000",
      directMapBase: "0xfffff80000000000",
      directMapEnd: "0xfffffc0000000000",
      dumpAvailSize: 4096,
      pageSize: 4096,
      pages: 3,
    },
    elf: null,
    messageBuffer: "hello\npanic: boom\ncpuid = 0\n",
    kernel: null,
    complete: true,
    problems: [],
    summary: {
      host: "w1.example",
      time: "2023-05-17T13:07:58Z",
      panic: "sleeping thread",
      uptimeSeconds: null,
      version: "FreeBSD 14.0-CURRENT #2 main-n261806-d3a49f62a284: Mon Mar 27 16:15:25 UTC 2023\n" +
        "    tj@displacementactivity:/usr/obj/usr/src/amd64.amd64/sys/GENERIC\n",
      signature: "sleeping thread",
      timeZoned: true,
    },
    coreText: null,
  };
  assertEquals(json, JSON.stringify(expected) + "\n");
});

Deno.test("makeReport() gives the segments of a full dump with addresses of its machine's width", async () => {
  const core = buildElfCore({
    bits: 32,
    littleEndian: false,
    machine: 20,
    segments: [{ address: 0x100000n, contents: new Uint8Array(4096) }],
  });
  const { report } = await show("vmcore.0", { "vmcore.0": core });
  assertEquals([report.kernelDumpHeader, report.minidump, report.messageBuffer], [null, null, null]);
  assertEquals(report.elf, {
    class: 32,
    byteOrder: "big",
    machine: "powerpc",
    segments: [{ offset: 4096, physicalAddress: "0x00100000", fileSize: 4096, memorySize: 4096 }],
  });
});

Deno.test("makeReport() leaves null what an architecture lacks", async () => {
  const { report } = await show("v", { v: buildMinidump({ architecture: "i386", version: 1 }) });
  assertEquals(report.minidump?.kernelBase?.length, 10);
  assertEquals(
    [report.minidump?.directMapBase, report.minidump?.directMapEnd, report.minidump?.dumpAvailSize],
    [null, null, null],
  );
});

Deno.test("makeReport() has the same keys for every file, null where something is absent", async () => {
  const files = { ...receivedDump("w1.0", MINIDUMP), text: "hello", empty: "" };
  const keys = [
    "file,size,layers,kind,kernelDumpHeader,minidump,elf,messageBuffer,kernel,complete,problems,summary,coreText",
  ];
  for (const name of Object.keys(files)) {
    const { report, json } = await show(name, files, true);
    assertEquals([Object.keys(report).join()], keys);
    assertEquals(json.includes("undefined"), false);
  }
  const { report } = await show("info.w1.0", files);
  assertEquals(
    [report.kernelDumpHeader?.version, report.kernelDumpHeader?.dumpExtent, report.kernelDumpHeader?.magic],
    [null, null, null],
  );
});

/** What a terminal obeys, or what turns text around. */
// deno-lint-ignore no-control-regex
const RAW = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

Deno.test("nothing from a dump reaches the terminal raw, as text or as JSON (P8)", async () => {
  const evil = "\x1b[31m\x9b2J\r\u202eevil\x07\n  Whole     yes";
  const dump = buildMinidump({
    messageBuffer: buildMessageBuffer({
      text: `<6>${evil}\npanic: ${evil}\ncpuid = 0\nKDB: stack backtrace:\n${evil}`,
    }),
  });
  const header = { hostname: evil, panicString: evil, versionString: evil, architecture: "\x1b[2J" };
  const files = receivedDump("w1.0", dump, {
    header,
    extra: [["Client", evil]],
    ending: `Dump incomplete: ${evil}`,
  });
  for (const name of Object.keys(files)) {
    const { text, json } = await show(name, files, true);
    assertEquals(RAW.test(text), false, name);
    assertEquals(RAW.test(json.trimEnd()), false, name);
    // A panic of several lines is indented below its label: it cannot forge one.
    assertEquals(text.split("\n").filter((line) => /^ {2}Whole {5}yes/.test(line)).length <= 1, true);
  }
  const { report } = await show("vmcore.w1.0", files);
  assertEquals(report.kernelDumpHeader?.panicString, evil);
});

Deno.test("what is not UTF-8 keeps its bytes in JSON, wherever it comes from, and is shown as bytes", async () => {
  // Latin-1, and a character of UTF-8 that the field's end cut.
  const bytes = [0x63, 0x61, 0x66, 0xe9, 0x20, 0xc3, 0xa9, 0x20, 0xe2, 0x82];
  const text = decodeUtf8(Uint8Array.from(bytes));
  const dump = buildMinidump({ messageBuffer: buildMessageBuffer({ text: `panic: ${text}\ncpuid = 0\n` }) });
  const files = receivedDump("w1.0", dump, { header: { hostname: text, panicString: text } });
  const bare = { "vmcore.9": dump };
  const { "kdh.w1.0": _, ...byInfo } = files;
  // netdumpd writes them as they come.
  const raw = concatenate([
    new TextEncoder().encode("Dump from w1 [192.0.2.7]\n  Architecture: amd64\n  Hostname: "),
    Uint8Array.from(bytes),
    new TextEncoder().encode("\n  Panic String: "),
    Uint8Array.from(bytes),
    new TextEncoder().encode("\n  Header Parity Check: Pass\nDump complete\n"),
  ]);
  for (
    const [name, lying] of [
      ["vmcore.w1.0", files],
      ["kdh.w1.0", files],
      ["info.w1.0", files],
      ["vmcore.w1.0", byInfo],
      ["info.w1.0", { "info.w1.0": raw }],
      ["vmcore.9", bare],
    ] as const
  ) {
    const { json, text: shown } = await show(name, lying, true);
    const { summary, messageBuffer } = JSON.parse(json);
    assertEquals([...encodeUtf8(summary.panic)], bytes, name);
    if (name !== "vmcore.9") assertEquals([...encodeUtf8(summary.host)], bytes, name);
    if (messageBuffer !== null) assertStringIncludes(messageBuffer, text);
    assertMatch(json, /caf\\udce9 é \\udce2\\udc82/);
    assertMatch(shown, /Panic {5}caf\\xe9 é \\xe2\\x82\n/);
  }
});

Deno.test("a line of a megabyte is cut, and a thousand lines are, wherever they stand; both are said", async () => {
  const long = "x".repeat(2 ** 20);
  const lines = Array.from({ length: 1000 }, (_, i) => `line ${i}`).join("\n");
  const info = (host: string, panic: string) =>
    `Dump from w1 [192.0.2.7]\n  Architecture: amd64\n  Hostname: ${host}\n  Version String: FreeBSD 14\n` +
    `  Panic String: ${panic}\n  Header Parity Check: Pass\n  Client: ${host}\nDump complete\n`;
  const report = `w1 dumped core - see ${long}\n\n\n\npanic: ${long}\n\n#0  ${long}\n`;
  const textdump = buildTextdump({
    "ddb.txt": `db> bt\n${long}\n`,
    "msgbuf.txt": `${long}\npanic: ${long}\ncpuid = 0\n`,
    "panic.txt": "boom",
    "version.txt": lines,
  });
  for (
    const [name, content] of [
      ["info.0", info(long.slice(0, 2 ** 18), "boom")],
      ["info.0", info("w1", long.slice(0, 2 ** 18))],
      ["info.0", info("w1", lines)],
      ["core.txt.0", report],
      ["textdump.tar.0", textdump],
    ] as const
  ) {
    const { text } = await show(name, { [name]: content });
    assertMatch(text, /\[\d+ more (?:characters|lines)\]/, name);
    assertEquals(text.split("\n").filter((line) => line.length > 2100).length, 0, name);
    assertEquals(text.split("\n").length < 200, true, name);
  }
});

Deno.test("formatFindings() begins with host, time, panic, version and whether the dump is whole", async () => {
  const { text } = await show("vmcore.w1.0", receivedDump("w1.0", MINIDUMP));
  const labels = text.split("\n").slice(2, 9).map((line) => line.trim().split(/\s+/)[0]);
  assertEquals(labels.filter((label) => /^[A-Z]/.test(label ?? "")), [
    "Host",
    "When",
    "Panic",
    "Version",
    "Whole",
  ]);
  assertMatch(text, /^vmcore\.w1\.0: minidump of amd64, version 3, 36\.0 KiB \(36864 bytes\)\n/);
  assertMatch(text, /\n {2}Whole {5}yes\n/);
  assertMatch(text, /\n {2}pages {12}0x6000 {2}12\.0 KiB {2}12288\n/);
});
