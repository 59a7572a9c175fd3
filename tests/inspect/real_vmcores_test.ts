import { assertEquals } from "@std/assert";
import { examine } from "../../lib/inspect/examine.ts";
import { makeReport } from "../../lib/inspect/tell/report.ts";
import { realVmcore, testWithVmcores } from "../kerneldump/real_vmcores.ts";
import { withFiles } from "./dumps.ts";

/** The constants of reference kernel-dump-formats.md 3.8: header, and memory by virtual address. */
const VMCORES = [
  {
    architecture: "amd64",
    report: {
      architecture: "amd64",
      version: 3,
      messageBufferSize: 0x17fb8,
      bitmapSize: 0x1000,
      pageTableSize: 0x7ff000,
      kernelBase: "0xfffffe0000000000",
      directMapBase: "0xfffff80000000000",
      directMapEnd: "0xfffffc0000000000",
      dumpAvailSize: 4096,
      pageSize: 4096,
      pages: 24144,
    },
    values: [[0xffffffff81cd4c0cn, 100], [0xffffffff81ca69a8n, 100670], [0xffffffff815ca590n, 320]],
  },
  {
    architecture: "arm64",
    report: {
      architecture: "arm64",
      version: 2,
      messageBufferSize: 0x17fb8,
      bitmapSize: 0x2000,
      pageTableSize: 0x6ae000,
      kernelBase: "0xffff000000000000",
      directMapBase: "0xffffa00000000000",
      directMapEnd: "0xffffff0000000000",
      dumpAvailSize: 4096,
      pageSize: 4096,
      pages: 19296,
    },
    values: [[0xffff000000e2651cn, 1000], [0xffff000000df3cf0n, 100137], [0xffff00000096bc0cn, 1376]],
  },
] as const;

for (const { architecture, report, values } of VMCORES) {
  testWithVmcores(`examine() reads the real ${architecture} vmcore, its memory included`, async () => {
    await withFiles({ vmcore: await realVmcore(architecture) }, async (_, path) => {
      const { findings, memory, close } = await examine(path("vmcore"), {
        thoroughness: "look",
        privateKey: null,
      });
      const parts = { messages: false, priorities: false };
      assertEquals(makeReport(findings, parts).minidump, report);
      // These dumps are cut in their last pages.
      assertEquals([findings.complete, findings.problems[0]?.code], [false, "size-mismatch"]);
      for (const [address, value] of values) {
        for await (const { bytes } of memory!.readVirtual(address, 4)) {
          assertEquals(new DataView(bytes!.slice().buffer).getInt32(0, true), value);
        }
      }
      close();
    });
  });
}
