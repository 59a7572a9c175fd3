/** The signature of a dump: by whichever backtrace there is, the same. */

import { assertEquals } from "@std/assert";
import { examine } from "../../lib/inspect/examine.ts";
import type { Thoroughness } from "../../lib/inspect/examination.ts";
import type { KernelOptions } from "../../lib/inspect/kernel_findings.ts";
import { toyBytes, toyDump, toyTest } from "../kernel/toy.ts";
import { listDirectory, look, minidumpWithMessages, withFiles } from "./dumps.ts";

const SIGNATURE = "page fault in helper < helper_two < helper";

async function summaryOf(path: string, thoroughness: Thoroughness, kernel?: KernelOptions) {
  const examination = await examine(path, { thoroughness, privateKey: null, kernel });
  examination.close();
  return examination.findings.summary;
}

for (const machine of ["amd64-1", "arm64-1"]) {
  toyTest(
    `the stack in memory gives the signature where the messages of ${machine} hold no backtrace`,
    async () => {
      const files = {
        "vmcore.0": await toyDump(machine),
        kernel: await toyBytes(`${machine}/kernel`),
        "kernel.debug": await toyBytes(`${machine}/kernel.debug`),
      };
      await withFiles(files, async (directory, path) => {
        const kernel = { kernel: path("kernel"), threads: true, processes: false, variables: [] };
        for (const thoroughness of ["glance", "look", "verify"] as const) {
          assertEquals((await summaryOf(path("vmcore.0"), thoroughness)).signature, SIGNATURE);
          // Lines and inline functions are known now, and other threads' stacks; the bug is the same.
          assertEquals((await summaryOf(path("vmcore.0"), thoroughness, kernel)).signature, SIGNATURE);
        }
        const listed = await listDirectory(directory);
        assertEquals(listed.map(({ signature }) => signature), [SIGNATURE]);
      });
    },
  );
}

toyTest("the kernel's own memory tells the panic where neither messages nor a header do", async () => {
  const dump = await toyDump("amd64-1");
  dump.fill(0, 0x1000, 0x3000);
  await withFiles({ "vmcore.0": dump }, async (_, path) => {
    const { panic, signature } = await summaryOf(path("vmcore.0"), "look");
    assertEquals([panic, signature], ["page fault", SIGNATURE]);
  });
});

Deno.test("the backtrace in the messages gives the signature at a look and at a glance", async () => {
  const frames = ["kdb_backtrace", "vpanic", "panic", "sleepq_add", "_sleep"].map((name, i) =>
    `#${i} 0xffffffff80b9002d at ${name}+0x5d\n`
  );
  const dump = minidumpWithMessages(
    `panic: sleeping thread\ncpuid = 3\nKDB: stack backtrace:\n${frames.join("")}Uptime: 3s\n`,
  );
  const signature = "sleeping thread in sleepq_add < _sleep";
  assertEquals((await look("vmcore.0", { "vmcore.0": dump })).summary.signature, signature);
  await withFiles({ "vmcore.0": dump }, async (directory) => {
    const listed = await listDirectory(directory);
    assertEquals(listed.map((entry) => entry.signature), [signature]);
  });
});
