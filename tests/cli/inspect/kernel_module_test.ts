import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { madeMinidump } from "../../kernel/made_dump.ts";
import { madeTest, TARGETS } from "../../kernel/made_kernel.ts";
import { netdump } from "../netdump_process.ts";

/** The crashes of `kernel/made/kern.c`: inside the module, and in the kernel that the module called. */
const IN_MODULE = 2;
const BELOW_MODULE = 11;

for (const target of TARGETS) {
  madeTest(
    "netdump inspect names a module whose file is missing, and its functions and lines where it is there",
    { target },
    async (made) => {
      const { directory } = made;
      const boot = join(directory, "boot");
      const modules = join(directory, "modules");
      for (const path of [boot, modules]) await Deno.mkdir(path);
      for (const name of ["kernel", "kernel.debug"]) {
        await Deno.copyFile(join(directory, name), join(boot, name));
      }
      for (const name of ["crashme.ko", "crashme.ko.debug"]) {
        await Deno.copyFile(join(directory, name), join(modules, name));
      }
      const dump = join(directory, "vmcore");
      const inspect = async (...options: string[]) => {
        const outcome = await netdump(["inspect", ...options, dump], ["--allow-read"]);
        assertEquals([outcome.status, outcome.stderr], [0, ""]);
        return outcome.stdout;
      };

      await Deno.writeFile(dump, madeMinidump(await made.crash(IN_MODULE)));
      assertMatch(await inspect(), /#\d+ +0x[0-9a-f]+ crashme\.ko\+0x[0-9a-f]+\n/);
      const without = await inspect("--kernel", join(boot, "kernel"));
      assertMatch(without, /#\d+ +0x[0-9a-f]+ crashme\.ko\+0x[0-9a-f]+\n/);
      assertStringIncludes(without, " start_crash+0x");
      const told = await inspect("--kernel", join(boot, "kernel"), "--modules", modules);
      assertMatch(told, /#\d+ +0x[0-9a-f]+ crash_inside\+0x[0-9a-f]+ \[crashme\.ko\] at .*module\.c:6\n/);
      assertMatch(told, /#\d+ +0x[0-9a-f]+ crashme_event\+0x[0-9a-f]+ \[crashme\.ko\] at .*module\.c:11\n/);

      await Deno.writeFile(dump, madeMinidump(await made.crash(BELOW_MODULE)));
      const below = await inspect("--kernel", join(boot, "kernel"));
      assertMatch(below, / helper_two\+.*\n.* crashme\.ko\+0x[0-9a-f]+\n.* module_entry\+/);
      // Beside the kernel modules are found unasked.
      for (const name of ["crashme.ko", "crashme.ko.debug"]) {
        await Deno.copyFile(join(directory, name), join(boot, name));
      }
      const beside = await inspect("--kernel", join(boot, "kernel"));
      assertMatch(
        beside,
        / helper_two\+.*\n.* crashme_event\+0x[0-9a-f]+ \[crashme\.ko\] at .*module\.c:10\n.* module_entry\+/,
      );
    },
  );
}
