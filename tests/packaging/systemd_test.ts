import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { PACKAGING, skippable } from "./packaging.ts";
import { isInstalled } from "../programs.ts";

const UNIT = Deno.readTextFileSync(join(PACKAGING, "systemd/netdump.service"));

/** Where the unit has the executable; systemd-analyze wants one that exists. */
const EXECUTABLE = "/usr/local/bin/netdump";

/** Exposure, times ten, that `systemd-analyze security` may find: "OK" ends at 4. */
const MAX_EXPOSURE = 20;

const without = isInstalled("systemd-analyze") ? undefined : "systemd-analyze is not installed";

async function analyze(...args: string[]): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = join(directory, "netdump.service");
    await Deno.writeTextFile(path, UNIT.replace(EXECUTABLE, Deno.execPath()));
    const { success, stdout, stderr } = await new Deno.Command("systemd-analyze", {
      args: [...args, path],
      env: { SYSTEMD_PAGER: "cat", SYSTEMD_COLORS: "0" },
    }).output();
    const said = new TextDecoder().decode(stderr) + (success ? "" : new TextDecoder().decode(stdout));
    assertEquals([success, said.includes("netdump.service")], [true, false], said);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

skippable(
  "systemd-analyze verify finds nothing wrong with the unit",
  without,
  () => analyze("verify", "--man=no"),
);

skippable(
  `systemd-analyze security rates the unit at most ${MAX_EXPOSURE / 10}`,
  without,
  () => analyze("security", "--offline=true", "--no-pager", `--threshold=${MAX_EXPOSURE}`),
);

Deno.test("the unit lets V8 compile and restarts within a client's patience", () => {
  assert(!/^MemoryDenyWriteExecute=/m.test(UNIT));
  assertMatch(UNIT, /^Restart=always$/m);
  assertMatch(UNIT, /^RestartSec=\d{1,3}ms$/m);
});

Deno.test("the unit's user is the one that sysusers.d makes", () => {
  const [, user] = /^u\s+(\S+)/m.exec(Deno.readTextFileSync(join(PACKAGING, "systemd/netdump.sysusers"))) ??
    [];
  assertEquals([/^User=(.*)$/m.exec(UNIT)?.[1], /^Group=(.*)$/m.exec(UNIT)?.[1]], [user, user]);
});
