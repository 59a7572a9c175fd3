import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { maskPanic, panicSignature, signatureTag } from "../../../lib/kerneldump/files/panic_signature.ts";

Deno.test("maskPanic() masks what differs between two panics of one bug, and nothing that tells bugs apart", () => {
  const rows: [panic: string, masked: string][] = [
    ["Duplicate free of 0xfffff80339ef3000 from zone", "Duplicate free of 0x* from zone"],
    [
      "vm_fault: fault on nofault entry, addr: fffffe0011223344",
      "vm_fault: fault on nofault entry, addr: 0x*",
    ],
    [
      "vm_fault_lookup: fault on nofault entry, addr: 0x28",
      "vm_fault_lookup: fault on nofault entry, addr: 0x*",
    ],
    ["page fault in foo+0x1234567", "page fault in foo+0x1234567"],
    ["general  protection\nfault", "general protection fault"],
    [
      "kmem_malloc(4096): kmem_map too small: 536870912 total",
      "kmem_malloc(4096): kmem_map too small: * total",
    ],
    ["spin lock held too long (tid 100117, pid 12)", "spin lock held too long (tid *, pid *)"],
    ["sleepq: td=100659 cpu 3", "sleepq: td=* cpu *"],
    ["ffs_clusteralloc: map mismatch on ada0p3", "ffs_clusteralloc: map mismatch on ada*p3"],
    ["em1: watchdog", "em*: watchdog"],
    ["mydriver12: firmware died", "mydriver*: firmware died"],
    ["lock wg3 not owned", "lock wg* not owned"],
    ["mlx5_core0: health", "mlx5_core*: health"],
    ["ip6_output: bad header", "ip6_output: bad header"],
    ["ffs_blkfree_cg: freeing free frag, bsize = 32768", "ffs_blkfree_cg: freeing free frag, bsize = 32768"],
    [
      "mutex foo owned at /usr/src/sys/kern/kern_mutex.c:283",
      "mutex foo owned at /usr/src/sys/kern/kern_mutex.c:283",
    ],
    ["deadbeef is a word", "deadbeef is a word"],
    [
      "spin lock 0xffffffff81c7a4b1 (sched lock 11) held by 0xfffff80003c5e000 (tid 100059) too long",
      "spin lock 0x* (sched lock *) held by 0x* (tid *) too long",
    ],
    [
      "Memory modified after free 0xfffff80003c5e000(248) val=0 @ 0xfffff80003c5e010",
      "Memory modified after free 0x*(248) val=* @ 0x*",
    ],
    ["recursed on non-recursive mutex ix3:rx(2):call", "recursed on non-recursive mutex ix*:rx(*):call"],
    ["thread 100117 (swi1: netisr 2)", "thread * (swi*: netisr *)"],
    [
      "freeing free block, dev = ada1p2, bno = 77, fs = /",
      "freeing free block, dev = ada*p2, bno = *, fs = /",
    ],
    ["allocated segment(offset=999 size=4096)", "allocated segment(offset=* size=4096)"],
    ["in_pcblookup_local: wild addr 192.0.2.4", "in_pcblookup_local: wild addr *"],
    ["bridge0: duplicate 00:53:00:aa:bb:01", "bridge*: duplicate *"],
    ["write error = 5", "write error = 5"],
    ["Assertion x == 1 failed at /usr/src/a.c:11", "Assertion x == 1 failed at /usr/src/a.c:11"],
  ];
  for (const [panic, masked] of rows) assertEquals(maskPanic(panic), masked);
});

const trap = (inner: string[]) => [
  "#0 0xffffffff80b9002d at kdb_backtrace+0x5d",
  "#1 0xffffffff80b43132 at vpanic+0x132",
  "#2 0xffffffff80b42ff3 at panic+0x43",
  "#3 0xffffffff8100c85c at trap_fatal+0x40c",
  "#4 0xffffffff8100c8af at trap_pfault+0x4f",
  "#5 0xffffffff80fe3a98 at calltrap+0x8",
  ...inner,
];

Deno.test("panicSignature() tells page faults apart by the frames below panic and trap handling", () => {
  const a = panicSignature(
    "page fault",
    trap([
      "#6 0xffffffff80c7a4b1 at ip_output+0xe1",
      "#7 0xffffffff80c90f23 at tcp_output+0x1ab3",
      "#8 0xffffffff80c8d91d at tcp_do_segment+0x2d",
      "#9 0xffffffff80c8b1aa at tcp_input+0x11a",
    ]),
  );
  assertEquals(a, "page fault in ip_output < tcp_output < tcp_do_segment");
  const b = panicSignature("page fault", trap(["#6 0xffffffff80c7a4b1 at zfs_read+0xe1"]));
  assertEquals(b, "page fault in zfs_read");
  assertNotEquals(signatureTag(a), signatureTag(b));
});

Deno.test("panicSignature() is the same of the kernel's frames, a debugger's and bare names, at any address", () => {
  const kernel = trap([
    "#6 0xffffffff80c7a4b1 at ip_output+0xe1",
    "#7 0xffffffff80c90f23 at tcp_output+0x1ab3",
  ]);
  const other = kernel.map((line) =>
    line.replace(/0xffffffff8/, "0xffffffff9").replace(/\+0x[0-9a-f]+$/, "+0x1")
  );
  const gdb = [
    "#0  __curthread () at /usr/src/sys/amd64/include/pcpu_aux.h:57",
    "#1  doadump (textdump=<optimized out>) at /usr/src/sys/kern/kern_shutdown.c:399",
    "#2  0xffffffff80b43132 in vpanic (fmt=0xffffffff8113a5a9) at kern_shutdown.c:920",
    "#3  0xffffffff8100c85c in trap_fatal (frame=0xfffffe00e8) at trap.c:940",
    "#4  <signal handler called>",
    "#5  0xffffffff80c7a4b1 in ip_output (m=0x0) at ip_output.c:12",
    "#6  0xffffffff80c90aaa in mtx_lock_inline (m=0x0) at mutex.h:200",
    "#7  tcp_output (tp=0x0) at tcp_output.c:9",
  ];
  const names = ["kdb_backtrace", "vpanic", "ip_output", "tcp_output"];
  for (const frames of [kernel, other, gdb, names]) {
    assertEquals(panicSignature("page fault", frames), "page fault in ip_output < tcp_output");
  }
});

Deno.test("panicSignature() finds the frames that tell in the words of every machine", () => {
  const rows: Record<string, string[]> = {
    arm64: [
      "db_trace_self() at db_trace_self",
      "db_trace_self_wrapper() at db_trace_self_wrapper+0x38",
      "vpanic() at vpanic+0x1a4",
      "panic() at panic+0x48",
      "data_abort() at data_abort+0x2fc",
      "handle_el1h_sync() at handle_el1h_sync+0x14",
      "--- exception, esr 0x96000004",
    ],
    riscv: [
      "kdb_backtrace() at kdb_backtrace+0x2c",
      "panic() at panic+0x26",
      "page_fault_handler() at page_fault_handler+0x22a",
      "cpu_exception_handler_supervisor() at cpu_exception_handler_supervisor+0x74",
      "--- exception 13, tval = 0x28",
    ],
    powerpc64: [
      "0xc0080000dd0b3a10: at kdb_backtrace+0x60",
      "0xc0080000dd0b3b20: at vpanic+0x1e0",
      "0xc0080000dd0b3bf0: at trap+0x2a4",
      "0xc0080000dd0b3d10: at powerpc_interrupt+0x1bc",
      "0xc0080000dd0b3da0: kernel DSI read trap @ 0x28 by ip_output+0x10: srr1=0x9000000000009032",
      "            r1=0xc0080000dd0b4050 cr=0x24000240 xer=0x0 ctr=0xc000000000a0b0c0",
    ],
    armv7: [
      "db_trace_self() at db_trace_self",
      "\t pc = 0xc05f8a64  lr = 0xc0073b94 (db_trace_self_wrapper+0x30)",
      "vpanic() at vpanic+0x140",
      "abort_handler() at abort_handler+0x1",
      "exception_exit() at exception_exit",
      "\t pc = 0xc05f8a64  lr = 0xc0073b94 (ip_output+0x30)",
      "\t sp = 0xd6b2fd48  fp = 0xd6b2fe60",
    ],
    i386: [
      "#0 0xc0b9002d at kdb_backtrace+0x4f",
      "#1 0xc0b43132 at trap+0x7",
      "#2 0xffc03169 at PTDpde+0x4169",
    ],
    "a double fault": [
      "#0 0xffffffff80b9002d at vpanic+0x132",
      "#1 0xffffffff8100c85c at dblfault_handler+0x1",
      "#2 0xffffffff80fe3a98 at Xdblfault+0xd7",
    ],
    "an assertion": ["#0 0xffffffff80b9002d at vpanic+0x132", "#1 0xffffffff8100c85c at kassert_panic+0x1"],
    "an assertion of ZFS": ["vpanic() at vpanic+0x132", "spl_panic() at spl_panic+0x3a"],
  };
  for (const [machine, handling] of Object.entries(rows)) {
    const [first, second] = machine === "powerpc64"
      ? ["0xc0080000dd0b4050: at ip_output+0x10", "0xc0080000dd0b4150: at tcp_output+0x1"]
      : ["ip_output() at ip_output+0xe1", "tcp_output() at tcp_output+0x1ab3"];
    const frames = [...handling, first, "\t sp = 0xd6b2fd48  fp = 0xd6b2fe60", second];
    assertEquals(panicSignature("page fault", frames), "page fault in ip_output < tcp_output", machine);
  }
});

Deno.test("panicSignature() is the masked text where no frame is known", () => {
  assertEquals(panicSignature("page fault"), "page fault");
  assertEquals(panicSignature("page fault", ["", "???", "#4 0x28"]), "page fault");
  assertEquals(panicSignature("page fault", trap([])), "page fault");
  assertEquals(panicSignature("x".repeat(5000)).length, 1024);
});

Deno.test("signatureTag() is six hex digits", () => {
  assertMatch(signatureTag("x"), /^[0-9a-f]{6}$/);
  assertEquals(signatureTag("page fault"), signatureTag("page fault"));
});
