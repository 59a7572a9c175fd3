import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { madeMinidump } from "../../kernel/made_dump.ts";
import { madeTest } from "../../kernel/made.ts";
import { MACHINES } from "../../kernel/made_targets.ts";
import { netdump } from "../netdump_process.ts";

/** The crashes of `kernel/made/kern.c`: inside the module, and in the kernel that the module called. */
const IN_MODULE = 2;
const BELOW_MODULE = 11;

for (const target of MACHINES) {
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

for (const target of MACHINES.slice(0, 1)) {
  madeTest(
    "netdump inspect says that a debug file is another build's, and does not use it",
    { target },
    async (made) => {
      const { directory } = made;
      const dump = join(directory, "vmcore");
      await Deno.writeFile(dump, madeMinidump(await made.crash(IN_MODULE)));
      const inspect = async () => {
        const options = ["--kernel", join(directory, "kernel"), "--modules", directory];
        const outcome = await netdump(["inspect", ...options, dump], ["--allow-read"]);
        assertEquals([outcome.status, outcome.stderr], [0, ""]);
        return outcome.stdout;
      };
      const right = await inspect();
      assertStringIncludes(right, "module.c:6\n");
      assertEquals(right.includes("debug-file-differs"), false);
      // The module has no build-id: its link has the debug file's checksum.
      const debug = join(directory, "crashme.ko.debug");
      await Deno.writeFile(debug, new Uint8Array(1), { append: true });
      const wrong = await inspect();
      assertMatch(wrong, /crash_inside\+0x[0-9a-f]+ \[crashme\.ko\]\n/);
      assertMatch(
        wrong,
        /crashme\.ko\.debug" is the debug file of another build: it is not used \[debug-file-differs\]/,
      );
      // The kernel has one: a debug file of the same build counts whatever its checksum, another's does not.
      await Deno.writeFile(join(directory, "kernel.debug"), new Uint8Array(1), { append: true });
      assertStringIncludes(await inspect(), "start_crash+0x");
      assertMatch(await inspect(), /start_crash\+0x[0-9a-f]+ at .*kern\.c:/);
      const other = await Deno.readFile(join(directory, "kernel.debug"));
      const id = await made.run("objcopy", [
        "-O",
        "binary",
        "--only-section=.note.gnu.build-id",
        "kernel",
        "note",
      ])
        .then(() => Deno.readFile(join(directory, "note")));
      const at = other.findIndex((_, i) => id.every((byte, k) => other[i + k] === byte));
      other[at + id.byteLength - 1]! ^= 1;
      await Deno.writeFile(join(directory, "kernel.debug"), other);
      const none = await inspect();
      assertMatch(none, /start_crash\+0x[0-9a-f]+\n/);
      assertMatch(none, /kernel\.debug" is the debug file of another build/);
    },
  );
}
