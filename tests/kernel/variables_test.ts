import { assert, assertEquals } from "@std/assert";
import { valueToJson } from "../../lib/kernel/value_text.ts";
import { codeFile, NO_FILES, openDumpedKernel } from "./dumps.ts";
import { toyBytes, toyDump, toyTest } from "./toy.ts";

for (const debug of [false, true]) {
  const how = debug ? "DWARF" : "CTF";
  toyTest(`Kernel.variable() reads variables by their types out of ${how}`, async () => {
    const file = await toyBytes("amd64-1/kernel");
    const kernel = await openDumpedKernel(await toyDump("amd64-1"), {
      ...NO_FILES,
      kernel: await codeFile("kernel", file, debug ? await toyBytes("amd64-1/kernel.debug") : undefined),
    });
    assert(kernel !== null);
    const pair = await kernel.variable("test_pair");
    assert(pair.value !== null);
    assertEquals(pair.address, 0xffffffff80220020n);
    assertEquals(valueToJson(pair.value), {
      first: 42,
      second: "0xffffffff8020596c",
      next: "0xffffffff80220020",
    });
    const missing = await kernel.variable("no_such_variable");
    assertEquals([missing.address, missing.value], [null, null]);
  });

  toyTest(`Kernel.details() tells states and wait messages by ${how}`, async () => {
    const file = await toyBytes("amd64-1/kernel");
    const kernel = await openDumpedKernel(await toyDump("amd64-1"), {
      ...NO_FILES,
      kernel: await codeFile("kernel", file, debug ? await toyBytes("amd64-1/kernel.debug") : undefined),
    });
    assert(kernel !== null);
    const told: Record<string, unknown> = {};
    for (const process of kernel.processes) {
      const details = await kernel.details(process);
      told[process.pid] = [details?.state, details?.waitMessage];
    }
    assertEquals([told[806], told[28], told[777]], [["R", null], ["D", "laundry"], ["Z", null]]);
  });
}

toyTest("without a kernel file a variable has its address, and why its value is not told", async () => {
  const kernel = await openDumpedKernel(await toyDump("amd64-1"));
  assert(kernel !== null);
  const pair = await kernel.variable("test_pair");
  assertEquals([pair.address, pair.value], [0xffffffff80220020n, null]);
  assertEquals(await kernel.details(kernel.processes[0]!), null);
});
