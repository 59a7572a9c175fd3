/** What lies in /var/crash beside dumps: each is called what it is, and none is measured against a dump. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Findings } from "../../lib/inspect/findings.ts";
import { makeReport } from "../../lib/inspect/tell/report.ts";
import { formatFindings } from "../../lib/inspect/tell/text.ts";
import { styleFor } from "../../lib/text/style.ts";
import { compress } from "../bytes/compressed_data.ts";
import { codes, look, minidumpWithMessages, receivedDump } from "./dumps.ts";

const text = (findings: Findings) => formatFindings(findings, styleFor(false, true));

const RULE = "-".repeat(72);
const CORE_TEXT = `w1.example.org dumped core - see /var/crash/vmcore.0

Fri Nov 21 10:08:00 UTC 2025

FreeBSD w1.example.org 14.2-RELEASE FreeBSD 14.2-RELEASE releng/14.2-n269506 GENERIC  amd64

panic: vm_fault: fault on nofault entry
second line

GNU gdb (GDB) 14.1 [GDB v14.1 for FreeBSD]

Unread portion of the kernel message buffer:
panic: vm_fault: fault on nofault entry
KDB: stack backtrace:
#0 0xffffffff80b9002d at kdb_backtrace+0x5d
#1 0xffffffff80b43132 at vpanic+0x132
Uptime: 1h2m3s

__curthread () at /usr/src/sys/amd64/include/pcpu_aux.h:57
57\t\t__asm("movq %%gs:%P1,%0" : "=r" (td) : "n" (offsetof(struct pcpu,
(kgdb) #0  __curthread () at /usr/src/sys/amd64/include/pcpu_aux.h:57
#1  doadump (textdump=<optimized out>)
    at /usr/src/sys/kern/kern_shutdown.c:399
#2  0xffffffff80c7a4b1 in ip_output (m=0x0)
    at ip_output.c:12
(kgdb)

${RULE}
ps -axlww

 UID PID
${RULE}
dmesg

${RULE}
ddb capture buffer

`;
const INFO = `Dump header from device: /dev/ada0p3
  Architecture: amd64
  Architecture Version: 2
  Dump Length: 24576
  Hostname: other.example.org
  Version String: FreeBSD 13.1
  Panic String: another
  Dump Parity: 1
  Bounds: 0
  Dump Status: good
`;

Deno.test("inspect reads crashinfo's report, and measures it against no info file", async () => {
  const found = await look("core.txt.0", { "core.txt.0": CORE_TEXT, "info.0": INFO });
  assertEquals([found.kind, found.complete, codes(found), found.header], ["core-txt", null, [], null]);
  assertEquals(found.summary, {
    host: "w1.example.org",
    time: null,
    timeZoned: false,
    signature: "vm_fault: fault on nofault entry second line in ip_output",
    panic: "vm_fault: fault on nofault entry\nsecond line",
    version: "FreeBSD 14.2-RELEASE releng/14.2-n269506 GENERIC",
    uptime: null,
  });
  assertEquals(found.coreText?.backtrace, [
    "#0  __curthread () at /usr/src/sys/amd64/include/pcpu_aux.h:57",
    "#1  doadump (textdump=<optimized out>) at /usr/src/sys/kern/kern_shutdown.c:399",
    "#2  0xffffffff80c7a4b1 in ip_output (m=0x0) at ip_output.c:12",
  ]);
  assertEquals([found.coreText?.sections, found.coreText?.whole], [
    ["ps -axlww", "dmesg", "ddb capture buffer"],
    true,
  ]);
  const report = makeReport(found, { messages: false, priorities: false });
  assertStringIncludes(report.summary.signature ?? "", " in ip_output");
  assertEquals(report.coreText?.machine, "amd64");
  assertStringIncludes(text(found), "whole: its last section is there");
});

Deno.test("inspect tells that crashinfo's report is cut, wherever it is", async () => {
  for (let length = 60; length < CORE_TEXT.length - 25; length += 97) {
    const found = await look("core.txt.0", { "core.txt.0": CORE_TEXT.slice(0, length) });
    assertEquals([found.kind, codes(found), found.coreText?.whole], ["core-txt", [], false], `${length}`);
    assertStringIncludes(text(found), "cut, or not written to its end");
  }
});

Deno.test("inspect escapes what a report says", async () => {
  const hostile = CORE_TEXT.replaceAll("ip_output (", "ip\x1b[2J (").replace("vm_fault", "vm\x07fault");
  const shown = text(await look("core.txt.0", { "core.txt.0": hostile }));
  assert(!shown.includes("\x07") && !shown.includes("\x1b"));
});

for (const format of ["gzip", "zstd"] as const) {
  Deno.test(`inspect reads a report and an info file below ${format}, and measures them against no dump`, async () => {
    const bytes = (text: string) => compress(format, new TextEncoder().encode(text), 3);
    const files = {
      ...receivedDump("0", minidumpWithMessages()),
      "core.txt.0.gz": await bytes(CORE_TEXT),
      "info.0.gz": await bytes(OLD_INFO + "  Bounds: 1\n"),
      "info.1.gz": (await bytes(OLD_INFO + "  Bounds: 1\n")).slice(0, -9),
    };
    const report = await look("core.txt.0.gz", files);
    assertEquals([report.kind, report.layers, report.complete, codes(report)], [
      "core-txt",
      [format],
      null,
      [],
    ]);
    assertEquals(report.summary.host, "w1.example.org");
    assertStringIncludes(text(report), `crashinfo's report of a dump`);
    assertStringIncludes(text(report), `below ${format}; plain `);
    const info = await look("info.0.gz", files);
    assertEquals([info.kind, info.complete, codes(info)], ["info", true, []]);
    assertEquals(info.header?.hostname, "old.example.org");
    const cut = await look("info.1.gz", files);
    assertEquals([cut.complete, codes(cut).includes("compressed-truncated")], [false, true]);
  });
}

Deno.test("inspect calls bounds and minfree what they are", async () => {
  const files = { bounds: "3\n", "bounds.w1": "12\n", minfree: "2048\n" };
  for (const [name, kind] of [["bounds", "bounds"], ["bounds.w1", "bounds"], ["minfree", "minfree"]]) {
    const found = await look(name!, files);
    assertEquals([found.kind, found.complete, codes(found)], [kind, null, []], name);
  }
  const other = await look("bounds", { bounds: "not a number\n" });
  assertEquals([other.kind, codes(other)], ["unknown", ["unrecognized"]]);
});

const OLD_INFO = `Good dump found on device /dev/ad0s1b
  Architecture: i386
  Architecture version: 1
  Dump length: 536870912B (512 MB)
  Blocksize: 512
  Dumptime: Thu Jan  8 13:31:56 2004
  Hostname: old.example.org
  Versionstring: FreeBSD 5.2-RELEASE #0: Sun Jan 11 04:21:45 GMT 2004
    root@build.example.org:/usr/obj/usr/src/sys/GENERIC
  Panicstring: page fault
`;
const JSON_INFO = `{"crashdump": {"dump_device":"/dev/ada0p3","architecture":"i386","architecture_version":1,\
"dump_length_bytes":536870912,"blocksize":512,"hostname":"old.example.org","version_string":"FreeBSD 5.2\\n",\
"panic_string":"page fault","dump_parity":3958266970,"bounds":1,"dump_status":"good"}}\n`;
const XML_INFO = `<crashdump><dump_device>/dev/ada0p3</dump_device><architecture>i386</architecture>\
<dump_length_bytes>536870912</dump_length_bytes><hostname>old.example.org</hostname>\
<panic_string>page fault</panic_string><dump_status>good</dump_status></crashdump>\n`;
const HTML_INFO = `<div class="line"><div class="text">Dump header from device: </div>\
<div class="data" data-tag="dump_device">/dev/ada0p3</div></div><div class="line">\
<div class="data" data-tag="architecture">i386</div><div class="data" data-tag="dump_length_bytes">536870912</div>\
<div class="data" data-tag="hostname">old.example.org</div><div class="data" data-tag="panic_string">page fault</div>\
<div class="data" data-tag="dump_status">good</div></div>\n`;

for (
  const [what, info] of Object.entries({
    "FreeBSD 5, with MD5": OLD_INFO + "  MD5: 0123456789abcdef0123456789abcdef\n",
    "FreeBSD 6, with Bounds": OLD_INFO + "  Bounds: 1\n",
    "savecore --libxo json": JSON_INFO,
    "savecore --libxo json,pretty": JSON.stringify(JSON.parse(JSON_INFO), null, 2),
    "savecore --libxo xml": XML_INFO,
    "savecore --libxo html": HTML_INFO,
    "a byte order mark and CR LF": "\ufeff" + (OLD_INFO + "  Bounds: 1\n").replaceAll("\n", "\r\n"),
  })
) {
  Deno.test(`inspect reads the info file of ${what}`, async () => {
    const found = await look("info.0", { "info.0": info });
    const { header } = found;
    assertEquals([found.kind, found.complete, codes(found)], ["info", true, []]);
    assertEquals(
      [header?.architecture, header?.dumpLength, header?.hostname, header?.panicString],
      ["i386", 536870912, "old.example.org", "page fault"],
    );
  });

  Deno.test(`inspect cannot tell whether the dump is whole by the cut info file of ${what}`, async () => {
    for (const part of [0.3, 0.5, 0.7, 0.85]) {
      const cut = await look("info.0", { "info.0": info.slice(0, Math.floor(info.length * part)) });
      assertEquals([cut.kind, cut.complete, codes(cut)], ["info", null, ["savecore-no-verdict"]], `${part}`);
    }
  });
}

Deno.test("inspect marks a time that an info file tells without its zone, unless the dump tells it better", async () => {
  const of = (info: string) => look("info.0", { "info.0": info + "  Bounds: 1\n" });
  const local = await of(OLD_INFO);
  assertEquals(local.summary.timeZoned, false);
  assertMatch(text(local), /When +2004-01-0\d \d\d:\d\d:56 UTC \*, .* ago\n +\* the info file tells no zone/);
  assertEquals(makeReport(local, { messages: false, priorities: false }).summary.timeZoned, false);
  const zoned = await of(OLD_INFO.replace("Thu Jan  8 13:31:56 2004", "2004-01-08 13:31:56 +0000"));
  assertEquals(zoned.summary.timeZoned, true);
  assertMatch(text(zoned), /When +2004-01-08 13:31:56 UTC, /);
  const none = await of(OLD_INFO.replace(/ {2}Dumptime.*\n/, ""));
  assertEquals(makeReport(none, { messages: false, priorities: false }).summary.timeZoned, null);
  // The kernel wrote `time = 1684328870` behind its panic.
  const dump = minidumpWithMessages();
  const both = await look("vmcore.0", { "vmcore.0": dump, "info.0": OLD_INFO + "  Bounds: 1\n" });
  assertEquals([both.summary.time, both.summary.timeZoned], [1684328870, true]);
});

Deno.test("inspect takes a report or an info file that was cut in its first line, or is empty, for what it is", async () => {
  for (const length of [0, 1, 10, 30, 52]) {
    const cut = CORE_TEXT.slice(0, length);
    const report = await look("core.txt.0", {
      "core.txt.0": cut,
      ...receivedDump("0", minidumpWithMessages()),
    });
    assertEquals([report.kind, report.complete, codes(report)], ["core-txt", null, []], `${length}`);
    assertStringIncludes(text(report), "crashinfo's report of a dump");
  }
  for (
    const info of [
      OLD_INFO,
      JSON_INFO,
      XML_INFO,
      "Dump from w1 [192.0.2.7]\n",
      "Dump header from device: /dev/x\n",
    ]
  ) {
    for (const length of [0, 1, 9]) {
      const found = await look("info.0", { "info.0": info.slice(0, length) });
      assertEquals([found.kind, found.complete, codes(found)], ["info", null, ["savecore-no-verdict"]]);
    }
  }
  for (const [name, content] of [["info.0", "hello"], ["core.txt.0", "\0\x01\x02"], ["notes", ""]] as const) {
    assertEquals((await look(name, { [name]: content })).kind, "unknown", name);
  }
});

Deno.test("inspect believes a bad verdict in every style", async () => {
  for (const info of [OLD_INFO.replace("Good", "Bad") + "  Bounds: 1\n", JSON_INFO.replace("good", "bad")]) {
    const found = await look("info.0", { "info.0": info });
    assertEquals([found.complete, codes(found)], [false, ["savecore-bad"]]);
  }
});

Deno.test("inspect judges a dump beside an info file in JSON by it", async () => {
  const dump = minidumpWithMessages();
  const info = JSON_INFO.replace("536870912", `${dump.byteLength}`).replace("i386", "amd64");
  const found = await look("vmcore.0", { "vmcore.0": dump, "info.0": info });
  assertEquals([found.complete, codes(found), found.summary.host], [true, [], "old.example.org"]);
});
