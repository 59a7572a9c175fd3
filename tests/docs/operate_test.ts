import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import denoJson from "../../deno.json" with { type: "json" };

const OPERATE = await Deno.readTextFile(fromFileUrl(new URL("../../docs/operate.md", import.meta.url)));

/** Where the unit has the executable; systemd-analyze wants one that exists. */
const EXECUTABLE = "/usr/local/bin/netdump";

/** Exposure, times ten, that `systemd-analyze security` may find: "OK" ends at 4. */
const MAX_EXPOSURE = 20;

/** The block of docs/operate.md that starts so. */
function block(language: string, start: string): string {
  for (
    const [, text = ""] of OPERATE.matchAll(new RegExp("^```" + language + "\\n(.*?)^```", "gms"))
  ) {
    if (text.startsWith(start)) return text;
  }
  throw new Error(`docs/operate.md has no ${language} block that starts with ${start}`);
}

const systemdAnalyze = hasSystemdAnalyze();

function hasSystemdAnalyze(): boolean {
  try {
    return new Deno.Command("systemd-analyze", { args: ["--version"] }).outputSync().success;
  } catch {
    return false;
  }
}

function testUnit(name: string, reason: string | undefined, fn: () => Promise<void> | void): void {
  Deno.test({
    name: reason === undefined ? name : `${name} [skipped: ${reason}]`,
    ignore: reason !== undefined,
    fn,
  });
}

async function analyze(...args: string[]): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    const path = join(directory, "netdump.service");
    await Deno.writeTextFile(path, block("ini", "[Unit]").replace(EXECUTABLE, Deno.execPath()));
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

const without = systemdAnalyze ? undefined : "systemd-analyze is not installed";

testUnit(
  "systemd-analyze verify finds nothing wrong with the documented unit",
  without,
  () => analyze("verify"),
);

testUnit(
  `systemd-analyze security rates the documented unit at most ${MAX_EXPOSURE / 10}`,
  without,
  () => analyze("security", "--offline=true", "--no-pager", `--threshold=${MAX_EXPOSURE}`),
);

testUnit("the documented unit lets V8 compile and restarts within a client's patience", undefined, () => {
  const unit = block("ini", "[Unit]");
  assert(!/^MemoryDenyWriteExecute=/m.test(unit));
  assertMatch(unit, /^Restart=always$/m);
  assertMatch(unit, /^RestartSec=\d{1,3}ms$/m);
});

testUnit(
  "the documented rc.d script is a shell script with the permissions of deno task serve",
  undefined,
  async () => {
    const script = block("sh", "#!/bin/sh");
    const { success, stderr } = await new Deno.Command("sh", { args: ["-n", "-c", script] }).output();
    assert(success, new TextDecoder().decode(stderr));
    const flags = (text: string) =>
      [...text.matchAll(/--(?:allow-\S+|no-prompt)/g)].map(([flag]) => flag).sort();
    const command = /"\$\{netdump_deno\}" run(.*?)main\.ts/s.exec(script)?.[1] ?? "";
    // FreeBSD has none of the libraries that native datagrams are for.
    const wanted = flags(denoJson.tasks.serve).filter((flag) => !flag.startsWith("--allow-ffi="));
    assertEquals(flags(command), wanted);
  },
);
