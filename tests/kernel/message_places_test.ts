import { assert, assertEquals } from "@std/assert";
import { placeOfMessage } from "../../lib/kernel/message_places.ts";
import { codeFile, NO_FILES, openDumpedKernel } from "./dumps.ts";
import { toyBytes, toyDump, toyTest } from "./toy.ts";

toyTest(
  "placeOfMessage() finds the lines of KDB's backtrace, and none where a line names no function",
  async () => {
    const open = async (debug: boolean) =>
      await openDumpedKernel(await toyDump("amd64-1"), {
        ...NO_FILES,
        kernel: await codeFile(
          "kernel",
          await toyBytes("amd64-1/kernel"),
          debug ? await toyBytes("amd64-1/kernel.debug") : undefined,
        ),
      });
    const kernel = await open(true);
    assert(kernel !== null);
    const rows: [string, string | null][] = [
      ["vpanic() at vpanic+0x38/frame 0xfffffe0000439d00", "kern.c:77"],
      ["#2 0xffffffff80204c07 at panic+0x9", "kern.c:78"],
      ["sysctl_handle_crash() at sysctl_handle_crash+0x4e/frame 0xfffffe0000439e30", "kern.c:91"],
      ["panic: page fault at 0x9", null],
      ["vpanic() at vpanic+0xfffff/frame 0", null],
      ["nobody() at nobody+0x1/frame 0", null],
      ["--- trap 0xc, rip = 0xffffffff80205389, rsp = 0, rbp = 0 ---", null],
    ];
    for (const [line, place] of rows) {
      const found = await placeOfMessage(line, kernel.code);
      assertEquals([line, found?.split("/").at(-1) ?? null], [line, place]);
    }
    const plain = await open(false);
    assertEquals(await placeOfMessage(rows[0]![0], plain!.code), null);
  },
);
