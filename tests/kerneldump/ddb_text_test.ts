import { assertEquals } from "@std/assert";
import { findDebuggerStack } from "../../lib/kerneldump/ddb_text.ts";

const FRAMES = [
  "kdb_enter() at kdb_enter+0x37/frame 0xfffffe008373b8f0",
  "vpanic() at vpanic+0x182/frame 0xfffffe008373b940",
  "rt_of_the_culprit() at rt_of_the_culprit+0x1b/frame 0xfffffe008373bb90",
];
const ANSWER = [
  "Tracing pid 12 tid 100046 td 0xfffffe0083861020",
  ...FRAMES.slice(0, 2),
  "--- trap 0xc, rip = 0xffffffff80dc8a3b, rsp = 0xfffffe008373bb30, rbp = 0xfffffe008373bb90 ---",
  FRAMES[2]!,
];

Deno.test("findDebuggerStack() finds what a script's bt answered, behind whatever was asked before it", () => {
  const before = [
    "db:0:kdb.enter.default>  run lockinfo",
    ...Array(70).fill("vnode 0xfffff80000000000: type VREG"),
  ];
  const after = ["db:0:kdb.enter.default>  ps", "  pid ppid", "db:0:kdb.enter.default>  bt", "another"];
  const command = "db:0:kdb.enter.default>  bt";
  const text = [...before, command, ...ANSWER, ...after, ""].join("\n");
  assertEquals(findDebuggerStack(text), { lines: [command, ...ANSWER], frames: FRAMES });
  assertEquals(findDebuggerStack(text.replaceAll("\n", "\r\n"))?.frames, FRAMES);
});

Deno.test("findDebuggerStack() finds what was typed, in other words, and cut at the end", () => {
  for (const command of ["db> bt", "db> trace", "db> where", "db:1:lockinfo> bt/u"]) {
    assertEquals(findDebuggerStack([command, ...ANSWER].join("\n"))?.lines, [command, ...ANSWER]);
  }
  const cut = findDebuggerStack(["db> bt", ANSWER[0], FRAMES[0], "vpan"].join("\n"));
  assertEquals(cut?.frames, FRAMES.slice(0, 1));
});

Deno.test("findDebuggerStack() takes no other thread's stack, and no text, for the crash's", () => {
  for (
    const text of ["", "db> ps\n", "db> bt 100\nx", "db> btx\n", "alltrace\n", "db:0:x>  alltrace\nTracing\n"]
  ) {
    assertEquals(findDebuggerStack(text), undefined);
  }
});

Deno.test("findDebuggerStack() knows the frames of powerpc", () => {
  const frames = ["0xc0080000dd0b3a10: at kdb_enter+0x60", "0xc0080000dd0b4050: at ip_output+0x10"];
  const between = ["0xc0080000dd0b3da0: kernel DSI read trap @ 0x28", "            r1=0xc0080000dd0b4050"];
  assertEquals(
    findDebuggerStack(["db> bt", frames[0], ...between, frames[1], "db> ps"].join("\n"))?.frames,
    frames,
  );
});
