/** A report of a dump as crashinfo's readers take it. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { gzipSync } from "node:zlib";
import { examine } from "../../../lib/inspect/examine.ts";
import { formatCoreTextReport } from "../../../lib/inspect/tell/core_text_report.ts";
import { panicSignature } from "../../../lib/kerneldump/files/panic_signature.ts";
import { type CoreText, parseCoreText } from "../../../lib/kerneldump/files/core_text.ts";
import { toyBytes, toyDump, toyTest } from "../../kernel/toy.ts";
import {
  buildElfCore,
  buildMessageBuffer,
  buildMinidump,
  buildTextdump,
} from "../../kerneldump/synthetic.ts";
import { MESSAGES, minidumpWithMessages, receivedDump, withFiles } from "../dumps.ts";

const NOW = new Date("2025-11-21T10:08:00Z");

async function report(
  name: string,
  files: Readonly<Record<string, Uint8Array | string>>,
  kernel?: string,
): Promise<{ text: string; read: CoreText; signature: string | null }> {
  let made: { text: string; read: CoreText; signature: string | null } | undefined;
  await withFiles(files, async (_, path) => {
    const examination = await examine(path(name), {
      thoroughness: "messages",
      privateKey: null,
      kernel: {
        kernel: kernel === undefined ? undefined : path(kernel),
        threads: false,
        processes: true,
        variables: [],
      },
    });
    const findings = { ...examination.findings, file: `/var/crash/${name}` };
    const config = await examination.readMember?.("config.txt") ?? null;
    examination.close();
    const text = formatCoreTextReport(findings, { config }, NOW);
    made = { text, read: parseCoreText(text)!, signature: examination.findings.summary.signature };
  });
  return made!;
}

Deno.test("a minidump's report has its host, version, panic, backtrace and messages", async () => {
  const { text, read } = await report("vmcore.w1.0", receivedDump("w1.0", minidumpWithMessages()));
  assertEquals({ ...read, version: null }, {
    host: "w1.example",
    vmcore: "/var/crash/vmcore.w1.0",
    written: "Fri Nov 21 10:08:00 UTC 2025",
    version: null,
    machine: "amd64",
    panic: "sleeping thread",
    // KDB's own, for want of symbols.
    backtrace: [
      "#0 0xffffffff80b9002d at kdb_backtrace+0x5d",
      "#1 0xffffffff80b43132 at vpanic+0x132",
      "#2 0xffffffff80b42ff3 at panic+0x43",
    ],
    sections: ["dmesg", "ddb capture buffer"],
    whole: true,
  });
  assertMatch(read.version!, /^FreeBSD 14\.0-CURRENT #2 .* tj@displacementactivity:\/usr\/obj\/.*GENERIC$/);
  assertStringIncludes(text, "FreeBSD w1.example 14.0-CURRENT FreeBSD 14.0-CURRENT #2");
  assertStringIncludes(text, `\ndmesg\n\n${MESSAGES.replaceAll(/<\d+>/g, "")}\n`);
  assertMatch(text, /\(no backtrace\. There is no memory|\(no backtrace\. The dump holds no symbols/);
});

Deno.test("a dump alone tells what it can: uname by its messages, no host", async () => {
  for (
    const [architecture, machine] of [["arm64", "arm64"], ["i386", "i386"], ["powerpc64", "powerpc"]] as const
  ) {
    const messageBuffer = buildMessageBuffer({ text: MESSAGES, architecture });
    const { read } = await report("vmcore.0", { "vmcore.0": buildMinidump({ architecture, messageBuffer }) });
    assertEquals([read.host, read.machine, read.panic], ["unknown", machine, "sleeping thread"]);
    assertEquals(read.version, "FreeBSD 14.0-RELEASE GENERIC amd64");
  }
  const header = receivedDump("w1.0", buildElfCore());
  const { read, text } = await report("vmcore.w1.0", header);
  assertEquals([read.host, read.panic, read.whole], ["w1.example", "sleeping thread", true]);
  assertStringIncludes(text, "\ndmesg\n\n(not in the dump)\n");
});

Deno.test("a textdump's report has its configuration and what the debugger captured", async () => {
  const { text, read } = await report("textdump.tar.0", { "textdump.tar.0": buildTextdump() });
  assertEquals([read.panic, read.sections], ["boom", ["dmesg", "kernel config", "ddb capture buffer"]]);
  assertStringIncludes(text, "\nkernel config\n\nident GENERIC\n\n");
  assertStringIncludes(text, "\nddb capture buffer\n\ndb:0:kdb.enter.default>  bt\nTracing pid 0");
});

Deno.test("a large compressed dump that cannot be unpacked is reported without its backtrace, which is said", async () => {
  const pages = Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [0x100000 + 4096 * i, new Uint8Array(0)]),
  );
  const ranges = [[0x100000, 0x100000 + 4096 * 5000]] as const;
  const dump = buildMinidump({ messageBuffer: buildMessageBuffer({ text: MESSAGES }), pages, ranges });
  await withFiles({ "vmcore.0.gz": new Uint8Array(gzipSync(dump)) }, async (directory, path) => {
    const kernel = {
      threads: false,
      processes: true,
      variables: [],
      spool: `${directory}/absent`,
      spoolOptional: true,
    };
    const examination = await examine(path("vmcore.0.gz"), {
      thoroughness: "messages",
      privateKey: null,
      kernel,
    });
    examination.close();
    const text = formatCoreTextReport(examination.findings, { config: null }, NOW);
    assertMatch(
      text,
      /\(no backtrace\. The dump cannot be unpacked in ".*absent" to read its kernel: --spool names/,
    );
    assertEquals(parseCoreText(text)?.panic, "sleeping thread");
  });
});

Deno.test("nothing in a dump forges a line of its report, or drives a terminal (P8)", async () => {
  const rule = "-".repeat(72);
  const evil = `\x1b[31m\x9b2J\r\u202eevil\x07 x\n${rule}\nddb capture buffer`;
  const dump = minidumpWithMessages(`panic: ${evil}\ncpuid = 0\n${evil}\n`);
  const header = { hostname: evil, panicString: evil, versionString: `FreeBSD 1 ${evil}` };
  const { text, read } = await report("vmcore.w1.0", receivedDump("w1.0", dump, { header }));
  // deno-lint-ignore no-control-regex
  assert(!/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/.test(text));
  assertEquals(read.sections, ["dmesg", "ddb capture buffer"]);
  assertEquals(read.host?.startsWith("\\x1b[31m\\u{9b}2J\\r\\u{202e}evil\\x07\\x20x\\n"), true);
});

for (const machine of ["amd64-1", "arm64-1"]) {
  toyTest(`the report of ${machine} has the backtrace and the processes of its memory`, async () => {
    const files = {
      "vmcore.0": await toyDump(machine),
      kernel: await toyBytes(`${machine}/kernel`),
      "kernel.debug": await toyBytes(`${machine}/kernel.debug`),
    };
    const plain = await report("vmcore.0", files);
    const debug = await report("vmcore.0", files, "kernel");
    for (const { read, signature } of [plain, debug]) {
      assertEquals([read.panic, read.machine], ["page fault", machine.slice(0, -2)]);
      assertEquals(read.sections, ["ps -axlww", "dmesg", "ddb capture buffer"]);
      assertEquals(panicSignature(read.panic!, read.backtrace), signature);
      assertMatch(read.backtrace[0]!, /^#0 {2}0x[0-9a-f]{16} in doadump \(\)/);
      assertEquals(read.backtrace[7], "#7  <signal handler called>");
    }
    assertEquals(plain.read.backtrace.length + 1, debug.read.backtrace.length);
    // As debuggers have it: the address stands before the inlined function, and not before the one around it.
    assertMatch(debug.read.backtrace[11]!, /^#11 0x[0-9a-f]{16} in inlined_check \(\) at kern\.c:\d+$/);
    assertMatch(debug.read.backtrace[12]!, /^#12 sysctl_handle_crash \(\) at kern\.c:\d+$/);
    assertMatch(debug.text, /\n +- +28 +- +laundry +D +\[pagedaemon\]\n/);
    // Names out of the dump.
    assertStringIncludes(debug.text, "[e\\x1b[31mvil\\nx]");
  });
}

toyTest("the report says loudly that a kernel file is not that of the kernel that crashed", async () => {
  const kernel = await toyBytes("amd64-1/kernel");
  // The build-id's last byte.
  kernel[0x6314 + 0x23]! ^= 1;
  const { text } = await report("vmcore.0", { "vmcore.0": await toyDump("amd64-1"), kernel }, "kernel");
  assertStringIncludes(text, "\nwarning: the kernel file is not that of the kernel that crashed");
});
