import { assertEquals } from "@std/assert";
import {
  type CoreTextParts,
  formatCoreText,
  looksLikeCoreText,
  parseCoreText,
} from "../../../lib/kerneldump/files/core_text.ts";

const PARTS: CoreTextParts = {
  host: "w1.example.org",
  vmcore: "/var/crash/vmcore.0",
  writtenAt: new Date("2025-11-01T10:08:00Z"),
  uname: {
    osrelease: "14.2-RELEASE",
    version: "FreeBSD 14.2-RELEASE releng/14.2 GENERIC\n",
    machine: "amd64",
  },
  panic: "page fault",
  debugger: ["Unread portion of the kernel message buffer:", "panic: page fault", "", "#0  f () at f.c:1"],
  sections: [["dmesg", "hello\nworld\n"], ["ddb capture buffer", ""]],
};

Deno.test("formatCoreText() writes what crashinfo does", () => {
  const rule = "-".repeat(72);
  assertEquals(
    formatCoreText(PARTS),
    `w1.example.org dumped core - see /var/crash/vmcore.0

Sat Nov  1 10:08:00 UTC 2025

FreeBSD w1.example.org 14.2-RELEASE FreeBSD 14.2-RELEASE releng/14.2 GENERIC  amd64

panic: page fault

Unread portion of the kernel message buffer:
panic: page fault

#0  f () at f.c:1


${rule}
dmesg

hello
world

${rule}
ddb capture buffer


`,
  );
});

Deno.test("formatCoreText() and parseCoreText() agree", () => {
  const rows: [change: Partial<CoreTextParts>, read: Record<string, unknown>][] = [
    [{}, {}],
    [{ panic: "first\nsecond" }, { panic: "first\nsecond" }],
    [{ panic: "" }, { panic: null }],
    [{ panic: "", debugger: [] }, { panic: null, backtrace: [] }],
    [{ uname: null }, { version: null, machine: null }],
    [{ writtenAt: new Date("2025-12-31T23:59:59Z") }, { written: "Wed Dec 31 23:59:59 UTC 2025" }],
    [
      { uname: { ...PARTS.uname!, version: "FreeBSD 15.0\n    root@build:/usr/obj\n" } },
      { version: "FreeBSD 15.0     root@build:/usr/obj" },
    ],
    [{ sections: [["dmesg", "x"]] }, { sections: ["dmesg"], whole: false }],
  ];
  for (const [change, read] of rows) {
    const text = formatCoreText({ ...PARTS, ...change });
    assertEquals(looksLikeCoreText(text), true);
    assertEquals(parseCoreText(text), {
      host: "w1.example.org",
      vmcore: "/var/crash/vmcore.0",
      written: "Sat Nov  1 10:08:00 UTC 2025",
      version: "FreeBSD 14.2-RELEASE releng/14.2 GENERIC",
      machine: "amd64",
      panic: "page fault",
      backtrace: ["#0  f () at f.c:1"],
      sections: ["dmesg", "ddb capture buffer"],
      whole: true,
      ...read,
    });
  }
});
