/** A kernel for a test, made while it runs. */

import { isInstalled } from "../programs.ts";
import { type MadeKernel, makeKernel } from "./made_kernel.ts";
import type { Target } from "./made_targets.ts";

/** A test of a kernel that is made for it: skipped, and says so, where a tool is missing. */
export function madeTest(
  name: string,
  { target, flags }: { target: Target; flags?: readonly string[] },
  test: (made: MadeKernel) => Promise<void>,
): void {
  const { compiler, assembler = compiler, linker, gdb, emulator } = target;
  const missing = [compiler[0]!, assembler[0]!, linker[0]!, gdb, ...emulator].find((tool) =>
    !isInstalled(tool)
  );
  const why = Deno.build.os !== "linux" || Deno.build.arch !== "x86_64"
    ? "the machine is no Linux on amd64"
    : missing === undefined
    ? ""
    : `no ${missing} here`;
  Deno.test({
    name: `${target.name}${target.title}: ${name}${why === "" ? "" : ` (skipped: ${why})`}`,
    ignore: why !== "",
    fn: async () => {
      const directory = await Deno.makeTempDir({ prefix: "netdump-test-" });
      try {
        await test(await makeKernel(target, directory, flags));
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    },
  });
}
