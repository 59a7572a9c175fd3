import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { findPanic, lastBoot, stripPriorities } from "../../../lib/kerneldump/messages/message_text.ts";

/** The end of a panic's messages, in the form in which the kernel prints them. */
const PAGE_FAULT = `da0: <VBOX HARDDISK 1.0> Fixed Direct Access SPC-3 SCSI device
ugen0.2: <VirtualBox USB Tablet> at usbus0


Fatal trap 12: page fault while in kernel mode
cpuid = 3; apic id = 03
fault virtual address	= 0x18
fault code		= supervisor read data, page not present
instruction pointer	= 0x20:0xffffffff80c1b1b0
stack pointer	        = 0x28:0xfffffe00e1d4c9c0
frame pointer	        = 0x28:0xfffffe00e1d4c9f0
code segment		= base 0x0, limit 0xfffff, type 0x1b
			= DPL 0, pres 1, long 1, def32 0, gran 1
processor eflags	= interrupt enabled, resume, IOPL = 0
current process		= 1234 (sh)
trap number		= 12
panic: page fault
cpuid = 3
time = 1684328878
KDB: stack backtrace:
#0 0xffffffff80c694a5 at kdb_backtrace+0x65
#1 0xffffffff80c1bb5f at vpanic+0x17f
--- trap 0xc, rip = 0xffffffff80c1b1b0, rsp = 0xfffffe00e1d4c9c0, rbp = 0xfffffe00e1d4c9f0 ---
db_trace_self_wrapper() at db_trace_self_wrapper+0x2b/frame 0xfffffe00e1d4c7a0
Uptime: 1d2h3m4s
Dumping 512 out of 8160 MB:..4%..`;

Deno.test("findPanic() shows a fatal trap from its first line, the panic, its processor, frames and uptime", () => {
  const excerpt = findPanic(PAGE_FAULT)!;
  assertEquals(excerpt.panic, "page fault");
  assertEquals(excerpt.cpu, 3);
  assertEquals(excerpt.uptime, "1d2h3m4s");
  assertEquals(excerpt.before[0], "Fatal trap 12: page fault while in kernel mode");
  assertEquals(excerpt.before.length, 12);
  assertEquals(excerpt.backtrace, [
    "#0 0xffffffff80c694a5 at kdb_backtrace+0x65",
    "#1 0xffffffff80c1bb5f at vpanic+0x17f",
    "--- trap 0xc, rip = 0xffffffff80c1b1b0, rsp = 0xfffffe00e1d4c9c0, rbp = 0xfffffe00e1d4c9f0 ---",
    "db_trace_self_wrapper() at db_trace_self_wrapper+0x2b/frame 0xfffffe00e1d4c7a0",
  ]);
  assertEquals(excerpt.lines[0], "panic: page fault");
  assertEquals(excerpt.lines.at(-1), "Uptime: 1d2h3m4s");
});

Deno.test("findPanic() shows ten lines before a panic, without priorities and time stamps", () => {
  const before = Array.from({ length: 30 }, (_, i) => `<6>[${i}.000001] line ${i}\n`).join("");
  const text = before + "[30] panic: first line\nsecond line\n[30] cpuid = 0\n[30] Uptime: 30s\n";
  const excerpt = findPanic(text)!;
  assertEquals(excerpt.before, Array.from({ length: 10 }, (_, i) => `line ${i + 20}`));
  assertEquals(excerpt.panic, "first line\nsecond line");
  assertEquals(excerpt.lines, ["panic: first line", "second line", "cpuid = 0", "Uptime: 30s"]);
  assertEquals(excerpt.backtrace, []);
});

Deno.test("findPanic() takes the first of two panics, and no program's message for one", () => {
  const text = "panic: said by a program\nother\n".repeat(20) +
    "panic: the cause\ncpuid = 1\ntime = 5\npanic: the consequence\ncpuid = 1\nUptime: 5s\n";
  assertEquals(findPanic(text)?.panic, "the cause");
  assertEquals(findPanic("panic: one processor, no debugger\n")?.panic, "one processor, no debugger");
  assertEquals(
    findPanic("panic: one processor\nKDB: stack backtrace:\nkdb_backtrace() at x+0x1\nKDB: enter: panic\n"),
    {
      before: [],
      lines: [
        "panic: one processor",
        "KDB: stack backtrace:",
        "kdb_backtrace() at x+0x1",
        "KDB: enter: panic",
      ],
      panic: "one processor",
      cpu: null,
      time: null,
      backtrace: ["kdb_backtrace() at x+0x1"],
      uptime: null,
    },
  );
  assertEquals(findPanic("nothing bad\nhappened\n"), undefined);
  assertEquals(findPanic(""), undefined);
});

Deno.test("findPanic() keeps the registers that arm prints between frames", () => {
  const frames = [
    "db_trace_self() at db_trace_self",
    "\t pc = 0xc05f6d80  lr = 0xc02a9e60",
    "vpanic() at vpanic+0x1a8",
  ];
  const text = `panic: x\ncpuid = 0\nKDB: stack backtrace:\n${frames.join("\n")}\nKDB: enter: panic\n`;
  assertEquals(findPanic(text)?.backtrace, frames);
});

Deno.test("findPanic() leaves the panics of earlier boots alone", () => {
  const old = "panic: long ago\ncpuid = 0\nUptime: 1s\n";
  assertEquals(findPanic(old + "---<<BOOT>>---\nall is well\n"), undefined);
  const again = old + "---<<BOOT>>---\nCopyright (c) 1992-2023 The FreeBSD Project.\npanic: now\ncpuid = 0\n";
  assertEquals(findPanic(again)?.panic, "now");
});

Deno.test("lastBoot() finds the boot tag, with decoration, or the first line of older kernels", () => {
  assertEquals(lastBoot("a\n---<<BOOT>>---\nb\n<2>[1] ---<<BOOT>>---\nc\n"), "---<<BOOT>>---\nc\n");
  const old = "Copyright (c) 1992-2012 The FreeBSD Project.\nc\n";
  assertEquals(lastBoot(old.repeat(2)), old);
  assertEquals(lastBoot("say ---<<BOOT>>--- x\n"), "say ---<<BOOT>>--- x\n");
});

Deno.test("stripPriorities() removes them from all lines, and nothing else", () => {
  assertEquals(stripPriorities("<6>a<6>\nb\n<118>c\n <5>d\n<x>e"), "a<6>\nb\nc\n <5>d\n<x>e");
});

Deno.test("findPanic() survives any text", () => {
  const line = fc.constantFrom(...PAGE_FAULT.split("\n"), "---<<BOOT>>---", "panic: x", "\0", "<6>", "[1] ");
  fc.assert(fc.property(fc.array(line, { maxLength: 400 }), (lines) => {
    const excerpt = findPanic(lines.join("\n"));
    if (excerpt !== undefined) assertEquals(excerpt.lines[0]?.startsWith("panic: "), true);
  }));
});

const UNFINISHED = [
  "mountroot> ",
  "Waiting (max 60 seconds) for system process `vnlru' to stop... ",
  "Syncing disks, vnodes remaining... 3 3 0 0 ",
  "Release APs...",
  "<6>em0: link state ",
  "[12.5] Trying to mount root from ",
];

for (const line of UNFINISHED) {
  Deno.test(`findPanic() finds a panic behind an unfinished line, ${JSON.stringify(line)}`, () => {
    const excerpt = findPanic(
      `<118>panic: runtime error\n<118>goroutine 1\n${line}panic: the kernel's own\ncpuid = 1\nUptime: 9s\n`,
    );
    assertEquals([excerpt?.panic, excerpt?.uptime], ["the kernel's own", "9s"]);
    assertEquals(excerpt?.lines[0], "panic: the kernel's own");
    assertEquals(excerpt?.before.at(-1), line.replace(/^<6>|^\[12\.5\] /, ""));
  });

  Deno.test(`lastBoot() finds a boot behind an unfinished line, ${JSON.stringify(line)}: no panic of the boot before`, () => {
    const old = `panic: older, of the boot before\ncpuid = 0\n`;
    for (const tag of ["---<<BOOT>>---", "Copyright (c) 1992-2012 The FreeBSD Project."]) {
      assertEquals(findPanic(`${old}${line}${tag}\nall is well\n`), undefined);
      assertEquals(findPanic(`${old}${line}${tag}\npanic: newer\ncpuid = 0\n`)?.panic, "newer");
    }
  });
}

Deno.test("findPanic() takes no word of a program or in the middle of a line for a panic without what a kernel prints behind", () => {
  for (const line of ["<118>panic: runtime error: index out of range [3]", "the log says: panic: maybe"]) {
    assertEquals(findPanic(`${line}\nand goes on\n`), undefined);
  }
});

Deno.test("findPanic() tells when it was, where the kernel says so", () => {
  assertEquals(findPanic("panic: x\ncpuid = 0\ntime = 1763719622\n")?.time, 1763719622);
});

const REPORTS: readonly (readonly [name: string, lines: readonly string[]])[] = [
  ["powerpc", [
    "fatal kernel trap:",
    "",
    "   exception       = 0x300 (data storage interrupt)",
    ...Array(12).fill("   x = 0x1"),
  ]],
  ["a sleeping thread", [
    "Sleeping thread (tid 100117, pid 0) owns a non-sleepable lock",
    "KDB: stack backtrace of thread 100117:",
    ...Array.from({ length: 16 }, (_, i) => `#${i} 0xffffffff80b9002d at frame+0x5d`),
  ]],
  ["riscv", Array.from({ length: 33 }, (_, i) => `t[${i}]: 0x000000000000000${i % 10}`)],
];

for (const [name, report] of REPORTS) {
  Deno.test(`findPanic() shows the report of ${name} from its beginning`, () => {
    const text = [...Array(30).fill("em0: link state changed"), ...report, "panic: x", "cpuid = 0", ""].join(
      "\n",
    );
    assertEquals(findPanic(text)?.before, report);
  });
}

Deno.test("findPanic() cuts a line that no kernel prints, and says so", () => {
  const excerpt = findPanic(`panic: x\ncpuid = 0\nKDB: stack backtrace:\n${"(".repeat(5000)}\n`);
  assertEquals(excerpt?.lines.at(-1), `${"(".repeat(2000)} [3000 more characters]`);
});

Deno.test("findPanic() takes a carriage return before a line feed for no part of the text", () => {
  const text = "---<<BOOT>>---\nlogin\npanic: first\nsecond\ncpuid = 1\ntime = 7\nKDB: stack backtrace:\n" +
    "#0 0xffffffff80b9002d at kdb_backtrace+0x5d\nUptime: 9s\n";
  const excerpt = findPanic(text);
  assertEquals([excerpt?.panic, excerpt?.time, excerpt?.uptime], ["first\nsecond", 7, "9s"]);
  assertEquals(findPanic(text.replaceAll("\n", "\r\n")), excerpt);
  assertEquals(findPanic(`panic: older\r\ncpuid = 0\r\n..11%---<<BOOT>>---\r\nlogin\r\n`), undefined);
});

Deno.test("findPanic() takes the frames of powerpc for a backtrace, the interrupted one's registers among them", () => {
  const frames = [
    "0xc0080000dd0b3a10: at kdb_backtrace+0x60",
    "0xc0080000dd0b3da0: kernel DSI read trap @ 0x28 by 0xc000000000a0b0c0: srr1=0x9000000000009032",
    "            r1=0xc0080000dd0b4050 cr=0x24000240 xer=0x0 ctr=0xc000000000a0b0c0",
    "0xc0080000dd0b4050: at ip_output+0x10",
  ];
  const text = `panic: data storage interrupt trap\ncpuid = 0\nKDB: stack backtrace:\n${
    frames.join("\n")
  }\nUptime: 9s\n`;
  assertEquals(findPanic(text)?.backtrace, frames);
});
