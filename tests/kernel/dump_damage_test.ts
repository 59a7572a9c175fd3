import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../helpers.ts";
import { allStacks, codeFile, NO_FILES, openDumpedKernel } from "./dumps.ts";
import { toyBytes, toyDump, toyTest } from "./toy.ts";
import { cpuMs } from "../cpu_time.ts";

/** Far above what a busy machine needs: what loops takes for ever. */
const LIMIT_MS = 20_000;

for (const name of ["amd64-1", "arm64-1"]) {
  toyTest(`bytes of ${name}'s dump flipped at random throw nothing and end`, async () => {
    const core = await toyDump(name);
    const random = seededRandom(13);
    // Behind the page tables lies the memory.
    const pages = core.byteLength - 256 * 1024;
    const started = cpuMs();
    for (let round = 0; round < 40; round++) {
      const damaged = core.slice();
      for (let i = 0; i < 400; i++) {
        damaged[pages + Math.floor(random() * (256 * 1024))] = Math.floor(random() * 256);
      }
      const kernel = await openDumpedKernel(damaged);
      if (kernel !== null) await allStacks(kernel);
    }
    assert(cpuMs() - started < LIMIT_MS);
  });

  toyTest(`a kernel file of ${name} with bytes flipped at random throws nothing and ends`, async () => {
    const core = await toyDump(name);
    const [file, debug] = [await toyBytes(`${name}/kernel`), await toyBytes(`${name}/kernel.debug`)];
    const random = seededRandom(14);
    for (let round = 0; round < 25; round++) {
      const [damaged, damagedDebug] = [file.slice(), debug.slice()];
      for (const bytes of [damaged, damagedDebug]) {
        for (let i = 0; i < 100; i++) {
          bytes[64 + Math.floor(random() * (bytes.byteLength - 64))] = random() * 256;
        }
      }
      const kernel = await openDumpedKernel(core, {
        ...NO_FILES,
        kernel: await codeFile("kernel", damaged, damagedDebug),
      });
      if (kernel !== null) {
        await allStacks(kernel);
        await kernel.variable("test_pair");
        for (const process of kernel.processes) await kernel.details(process);
      }
    }
  });
}

toyTest("lists that loop end where they close", async () => {
  const core = (await toyDump("amd64-1")).slice();
  const kernel = await openDumpedKernel(core);
  assert(kernel !== null);
  const view = new DataView(core.buffer);
  const [first, second] = kernel.processes;
  // The second process's next pointer leads back to the first.
  const at = findNext(view, kernel.processes[2]!.address, first!.address);
  view.setBigUint64(at, first!.address, true);
  const looped = await openDumpedKernel(core);
  assert(looped !== null);
  assertEquals(looped.crashedThread, kernel.crashedThread);
  // Those behind it are on no list but the one by pid, as zombies are.
  assertEquals(looped.processes.slice(0, 2).map(({ pid }) => pid), [first!.pid, second!.pid]);
  assert(looped.processes.slice(2).every(({ zombie }) => zombie));
});

/** Where the list's second entry is in the file: a pointer to the next, behind it one to the one before. */
function findNext(view: DataView, next: bigint, before: bigint): number {
  for (let at = view.byteLength - 16; at > 0; at -= 8) {
    if (view.getBigUint64(at, true) === next && view.getBigUint64(at + 8, true) === before) return at;
  }
  throw new Error("The dump has no such list");
}
