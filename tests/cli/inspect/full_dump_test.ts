import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { readElfSymbols } from "../../../lib/kernel/elf_symbols.ts";
import { fullDumpKinds, madeFullDump } from "../../kernel/made_full_dump.ts";
import { madeTest } from "../../kernel/made.ts";
import { MACHINES } from "../../kernel/made_targets.ts";
import { netdump } from "../netdump_process.ts";

/** The crash of `kernel/made/kern.c` by a fault in a static function. */
const FAULT = 1;

for (const target of MACHINES) {
  for (const kind of fullDumpKinds(target)) {
    madeTest(`netdump inspect reads the kernel of a full dump of ${kind}`, { target }, async (made) => {
      const { directory, elf } = made;
      const dump = join(directory, "vmcore");
      const core = await madeFullDump(await made.crash(FAULT), kind);
      await Deno.writeFile(dump, core);
      const inspect = async (...options: string[]) =>
        await netdump(["inspect", ...options, dump], ["--allow-read"]);

      const plain = await inspect();
      assertEquals([plain.status, plain.stderr], [0, ""]);
      assertMatch(
        plain.stdout,
        /Backtrace of thread 100110 .* which took the dump\n +#0 +0x[0-9a-f]+ doadump\+/,
      );
      assertMatch(plain.stdout, / start_crash\+0x[0-9a-f]+\n/);
      const told = await inspect("--kernel", join(directory, "kernel"));
      assertStringIncludes(told.stdout, "it is the one that crashed\n");
      assertMatch(told.stdout, / start_crash\+0x[0-9a-f]+ at .*kern\.c:/);

      const symbols = await readElfSymbols(elf, elf.section(".symtab")!);
      const release = symbols.find(({ name }) => name === "osrelease")!;
      const address = `0x${release.value.toString(16)}`;
      for (const more of [[], ["--kernel", join(directory, "kernel")], ["--kernel", directory]]) {
        const memory = await inspect("--virtual", address, "--length", "16", "--raw", ...more);
        assertEquals(memory, { status: 0, stdout: "15.0-STABLE\0\0\0\0\0", stderr: "" });
      }
      const nowhere = await inspect("--virtual", `0x${(release.value + 0x40000000n).toString(16)}`);
      assertEquals(nowhere.status, 1);
      assertStringIncludes(nowhere.stdout, "the page tables of the full dump map nothing here");

      // Without the image of its kernel it has no virtual addresses.
      await Deno.writeFile(dump, core.subarray().fill(0, 0x100000));
      assertEquals((await inspect()).stdout.includes("Backtrace"), false);
      const blank = await inspect("--virtual", address);
      assertStringIncludes(
        blank.stdout,
        "a full dump tells virtual addresses only with the kernel's symbols",
      );
    });
  }
}
