import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeKernelDumpHeader, encodeKernelDumpHeader } from "../../../lib/kerneldump/files/header.ts";
import { formatInfo, type InfoLines } from "../../../lib/kerneldump/files/info.ts";
import { looksLikeInfo, parseInfo } from "../../../lib/kerneldump/files/read_info.ts";
import { JOURNAL_HEADER } from "../journal_header.ts";

const CLIENT = { host: "w1", address: "192.0.2.7" };

function headerWith(fields: Partial<typeof JOURNAL_HEADER>) {
  return decodeKernelDumpHeader(encodeKernelDumpHeader({ ...JOURNAL_HEADER, ...fields }));
}

/** ctime(3) of the Journal header's dump time in this machine's zone. */
function localCtime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const [day, month, dayOfMonth, year] = date.toDateString().split(" ");
  return `${day} ${month} ${String(Number(dayOfMonth)).padStart(2)} ${
    date.toTimeString().slice(0, 8)
  } ${year}`;
}

Deno.test("formatInfo() writes netdumpd's template, extra lines and the verdict", () => {
  const text = formatInfo({
    client: CLIENT,
    header: headerWith({}),
    extra: [["Received", "970199040 bytes"], ["Missing", "0x1000-0x2000 (4096 bytes)"]],
    ending: "Dump incomplete: client timed out",
  });
  assertEquals(
    text,
    `Dump from w1 [192.0.2.7]
  Architecture: amd64
  Architecture Version: 2
  Dump Length: 970199040B (925 MB)
  Blocksize: 512
  Compression: none
  Dumptime: ${localCtime(1684328878)}
  Hostname: displacementactivity
  Version String: FreeBSD 14.0-CURRENT #2 main-n261806-d3a49f62a284: Mon Mar 27 16:15:25 UTC 2023
    tj@displacementactivity:/usr/obj/usr/src/amd64.amd64/sys/GENERIC
  Panic String: Duplicate free of 0xfffff80339ef3000 from zone 0xfffffe001ec2ea00(malloc-2048) slab ${""}0xfffff80325789168(0)
  Header Parity Check: Pass
  Dumptime UTC: 2023-05-17T13:07:58Z
  Received: 970199040 bytes
  Missing: 0x1000-0x2000 (4096 bytes)
Dump incomplete: client timed out
`,
  );
});

Deno.test("formatInfo() writes the first line alone before a header arrived", () => {
  const lines: InfoLines = { client: CLIENT, header: null, extra: [], ending: null };
  assertEquals(formatInfo(lines), "Dump from w1 [192.0.2.7]\n");
});

Deno.test("formatInfo() pads the day of ctime with a blank and keeps times no calendar reaches", () => {
  const line = (dumpTime: number) =>
    /Dumptime: (.*)/.exec(
      formatInfo({ client: CLIENT, header: headerWith({ dumpTime }), extra: [], ending: null }),
    )?.[1];
  assertEquals(line(new Date(2026, 4, 9, 1, 2, 3).getTime() / 1000), "Sat May  9 01:02:03 2026");
  assertEquals(line(2 ** 53 - 1), "@9007199254740991");
});

Deno.test("formatInfo() lets no string from the network forge a line (weakness 25)", () => {
  const hostile = {
    hostname: "h\n  Panic String: forged",
    versionString: "v\n  Hostname: forged\nDump complete\n    a b: forged\n    root@build:/usr/obj\n",
    panicString: "p\r\n  Dump Status: good\nDump complete\x1b[2J",
  };
  const text = formatInfo({
    client: { host: "w1\nDump complete", address: "192.0.2.7" },
    header: headerWith(hostile),
    extra: [["Client", "x\nDump complete"]],
    ending: "Dump incomplete: \nDump complete",
  });
  assertEquals(text.split("\n").filter((line) => /^Dump complete/.test(line)), []);
  const labels = text.split("\n").flatMap((line) => /^ +([A-Za-z ]*): /.exec(line)?.[1] ?? []);
  assertEquals(labels.join(), [...new Set(labels)].join());
  const info = parseInfo(text);
  assertEquals(info?.hostname, hostile.hostname);
  assertEquals(info?.versionString, hostile.versionString);
  assertEquals(info?.panicString, hostile.panicString);
  assertEquals(info?.dumpStatus, null);
  assertEquals(info?.ending, "Dump incomplete: \nDump complete");
});

Deno.test("parseInfo() reads back what formatInfo() wrote, whatever the strings", () => {
  const pieces = fc.constantFrom(
    "a",
    " ",
    "  ",
    "    ",
    "\n",
    "\r",
    "\\",
    "\\n",
    "\\x20",
    ": ",
    "Panic String: ",
    "  Panic String: ",
    "Dump Parity",
    "Dump complete",
    "Hostname",
    "é",
    "\u202e",
  );
  const text = fc.array(pieces, { maxLength: 9 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, text, text, text, (hostname, versionString, panicString, value) => {
      const header = headerWith({ hostname, versionString, panicString });
      const info = parseInfo(
        formatInfo({ client: CLIENT, header, extra: [["Extra", value]], ending: "Dump complete" }),
      );
      assertEquals(info?.hostname, header.hostname);
      assertEquals(info?.versionString?.replace(/\n$/, ""), header.versionString.replace(/\n$/, ""));
      assertEquals(info?.panicString, header.panicString);
      assertEquals(info?.others, [["Extra", value]]);
      assertEquals(info?.dumpTime, header.dumpTime);
      assertEquals(info?.parityOk, true);
      assertEquals(info?.ending, "Dump complete");
    }),
    { numRuns: 2000 },
  );
});

/** The info file published with the Journal header (reference 2.2). */
const SAVECORE_14 = `Dump header from device: /dev/ada0p3
  Architecture: amd64
  Architecture Version: 2
  Dump Length: 970199040
  Blocksize: 512
  Compression: none
  Dumptime: 2023-05-17 14:07:58 +0100
  Hostname: displacementactivity
  Magic: FreeBSD Kernel Dump
  Version String: ${JOURNAL_HEADER.versionString}  Panic String: ${JOURNAL_HEADER.panicString}
  Dump Parity: 3958266970
  Bounds: 3
  Dump Status: good
`;

Deno.test("parseInfo() reads the published info file of savecore 14", () => {
  assertEquals(parseInfo(SAVECORE_14), {
    client: null,
    device: "/dev/ada0p3",
    architecture: "amd64",
    architectureVersion: 2,
    dumpLength: 970199040,
    blockSize: 512,
    compression: "none",
    dumpTime: 1684328878,
    dumpTimeZoned: true,
    hostname: "displacementactivity",
    magic: "FreeBSD Kernel Dump",
    versionString: JOURNAL_HEADER.versionString,
    panicString: JOURNAL_HEADER.panicString,
    parityOk: true,
    dumpStatus: "good",
    others: [["Bounds", "3"]],
    ending: null,
  });
});

Deno.test("parseInfo() reads savecore 10's first line and length, and 11's missing compression", () => {
  const savecore11 = SAVECORE_14.replace("  Compression: none\n", "")
    .replace("2023-05-17 14:07:58 +0100", localCtime(1684328878));
  const savecore10 = savecore11.replace("device:", "device").replace("970199040", "970199040B (925 MB)");
  for (const text of [savecore10, savecore11, savecore10.replaceAll("\n", "\r\n")]) {
    const info = parseInfo(text);
    assertEquals(info?.device, "/dev/ada0p3");
    assertEquals(info?.dumpLength, 970199040);
    assertEquals(info?.compression, null);
    assertEquals([info?.dumpTime, info?.dumpTimeZoned], [1684328878, false]);
    assertEquals(info?.panicString, JOURNAL_HEADER.panicString);
  }
});

Deno.test("parseInfo() knows a time with its zone from one without, in every writer's words", () => {
  const read = (lines: string) => {
    const info = parseInfo(`Dump from w1 [192.0.2.7]\n  Hostname: w1\n${lines}Dump complete\n`);
    return [info?.dumpTime, info?.dumpTimeZoned];
  };
  const local = `  Dumptime: ${localCtime(1684328878)}\n`;
  assertEquals(read(local), [1684328878, false]);
  // Our line goes before netdumpd's, wherever it stands, unless it cannot be read.
  assertEquals(read(`${local}  Dumptime UTC: 2023-05-17T14:07:58Z\n`), [1684332478, true]);
  assertEquals(read(`  Dumptime UTC: 2023-05-17T14:07:58Z\n${local}`), [1684332478, true]);
  assertEquals(read(`${local}  Dumptime UTC: yesterday\n`), [1684328878, false]);
  assertEquals(read("  Dumptime: 2023-05-17 10:07:58 -0400\n"), [1684332478, true]);
  assertEquals(read("  Dumptime: 2023-05-17 10:07:58\n"), [null, false]);
  assertEquals(read("  Dumptime: @1684328878\n"), [1684328878, true]);
  assertEquals(read(""), [null, false]);
});

Deno.test("formatInfo() writes the time in UTC too, which reads back in any zone", () => {
  const text = formatInfo({ client: CLIENT, header: headerWith({}), extra: [], ending: null });
  const elsewhere = text.replace(/ {2}Dumptime: .*/, "  Dumptime: Wed May 17 05:07:58 2023");
  const info = parseInfo(elsewhere);
  assertEquals([info?.dumpTime, info?.dumpTimeZoned, info?.others], [JOURNAL_HEADER.dumpTime, true, []]);
});

Deno.test("parseInfo() finds the panic behind a version whose line feed was cut off", () => {
  const info = parseInfo(SAVECORE_14.replace("GENERIC\n", "GENE"));
  assertEquals(info?.versionString?.endsWith("/sys/GENE"), true);
  assertEquals(info?.panicString, JOURNAL_HEADER.panicString);
  assertEquals(info?.dumpStatus, "good");
});

Deno.test("parseInfo() takes key-like lines of an unescaped panic as panic text", () => {
  const panic = "first\n  Hostname: forged\nDump complete\nlast";
  const info = parseInfo(SAVECORE_14.replace(JOURNAL_HEADER.panicString, panic));
  assertEquals(info?.panicString, panic);
  assertEquals(info?.hostname, "displacementactivity");
  assertEquals(info?.ending, null);
});

Deno.test("parseInfo() accepts another order of the lines, and lines it does not know", () => {
  const info = parseInfo(
    "Dump header from device: /dev/da0\n  Panic String: boom\n  Hostname: h\n  Colour: red\n  Dump Parity: 1\n",
  );
  assertEquals([info?.panicString, info?.hostname, info?.others], ["boom", "h", [["Colour", "red"]]]);
});

Deno.test("parseInfo() takes netdumpd's block once although a resent header wrote it twice (weakness 9)", () => {
  const text = formatInfo({ client: CLIENT, header: headerWith({}), extra: [], ending: null });
  const [first, ...block] = text.split("\n");
  const info = parseInfo(
    [first, ...block.slice(0, -1), ...block.slice(0, -1), "Dump complete", ""].join("\n"),
  );
  assertEquals(info?.panicString, JOURNAL_HEADER.panicString);
  assertEquals(info?.parityOk, true);
  assertEquals(info?.ending, "Dump complete");
});

Deno.test("parseInfo() reads every verdict of netdumpd and leaves its backslashes alone", () => {
  for (
    const ending of [
      "Dump complete",
      "Dump incomplete: client timed out",
      "Dump unsuccessful: write error @ offset 0000001f: No space left on device",
      "Bad KDH: packet too small",
    ]
  ) {
    const info = parseInfo(`Dump from w1 [192.0.2.7]\n  Hostname: C:\\dir\n${ending}\n`);
    assertEquals(info?.ending, ending);
    assertEquals(info?.client, CLIENT);
    assertEquals(info?.hostname, "C:\\dir");
  }
});

Deno.test("parseInfo() answers null for numbers and times it cannot read", () => {
  const info = parseInfo(
    "Dump header from device: x\n  Dump Length: 99999999999999999999\n  Blocksize: -1\n  Dumptime: yesterday\n",
  );
  assertEquals([info?.dumpLength, info?.blockSize, info?.dumpTime], [null, null, null]);
});

Deno.test("parseInfo() and looksLikeInfo() refuse any other text", () => {
  for (
    const text of ["", "Dump", "minidump FreeBSD/amd64", "Dumping 1 out of 2 MB:", "\nDump from w1 [1.2.3.4]"]
  ) {
    assertEquals(parseInfo(text), undefined);
    assertEquals(looksLikeInfo(text), false);
  }
  assertEquals(looksLikeInfo(SAVECORE_14), true);
});
