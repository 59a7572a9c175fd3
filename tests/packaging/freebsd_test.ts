import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import denoJson from "../../deno.json" with { type: "json" };
import { VERSION } from "../../lib/version.ts";
import { TempDir } from "../temp_dir.ts";
import { output, PACKAGING, portFile, ROOT } from "./packaging.ts";

const windows = Deno.build.os === "windows";

for (const name of ["netdump.in", "netdump.sh.in"]) {
  Deno.test({
    name: `the FreeBSD port's ${name} is a shell script`,
    ignore: windows,
    fn: async () => {
      const script = portFile(name, "/usr/local");
      assert(!script.includes("%%"), script);
      await output("sh", ["-n", "-c", script]);
    },
  });
}

Deno.test("the FreeBSD port's command has the permissions of deno task serve, which has those of all commands", () => {
  const flags = (text: string) =>
    [...text.matchAll(/--(?:allow-\S+|no-prompt)/g)].map(([flag]) => flag).sort();
  // FreeBSD has none of the libraries that native datagrams are for.
  const wanted = flags(denoJson.tasks.serve).filter((flag) => !flag.startsWith("--allow-ffi="));
  assertEquals(flags(portFile("netdump.sh.in", "/usr/local")), wanted);
});

Deno.test({
  name: "the FreeBSD port's command runs the program where the port puts it",
  ignore: windows,
  fn: async () => {
    using temp = new TempDir("disk");
    const share = join(temp.path, "share/netdump");
    Deno.mkdirSync(share, { recursive: true });
    Deno.mkdirSync(join(temp.path, "bin"));
    for (const name of ["deno.json", "deno.lock", "main.ts", "lib"]) {
      Deno.symlinkSync(join(ROOT, name), join(share, name));
    }
    Deno.symlinkSync(Deno.execPath(), join(temp.path, "bin/deno"));
    const { denoDir } = JSON.parse(await output(Deno.execPath(), ["info", "--json"]));
    Deno.symlinkSync(denoDir, join(share, ".deno"));
    const command = join(temp.path, "bin/netdump");
    Deno.writeTextFileSync(command, portFile("netdump.sh.in", temp.path), { mode: 0o755 });
    assertMatch(
      await output(command, ["--version"]),
      new RegExp(`^netdump ${VERSION.replaceAll(".", "\\.")}`),
    );
  },
});

Deno.test("the FreeBSD port lists every manual page and completion, and fetches packages for every worker, as docs/operate.md does", () => {
  const list = Deno.readTextFileSync(join(PACKAGING, "freebsd/pkg-plist"));
  for (const { name } of Deno.readDirSync(join(ROOT, "docs/man"))) {
    assert(list.includes(`share/man/man${name.at(-1)}/${name}.gz\n`), name);
  }
  const makefile = Deno.readTextFileSync(join(PACKAGING, "freebsd/Makefile"));
  for (const { name } of Deno.readDirSync(join(ROOT, "completions"))) {
    assert(makefile.includes(`completions/${name}`), name);
  }
  const workers = workersOf("lib");
  assert(workers.length >= 3, workers.join());
  const operate = Deno.readTextFileSync(join(ROOT, "docs/operate.md"));
  for (const worker of workers) {
    for (const text of [portFile("pkg-message.in", "/usr/local"), operate]) {
      assert(text.includes(worker), worker);
    }
  }
});

/** Workers are reached by URL, which the module graph does not follow. */
function workersOf(directory: string): string[] {
  return Array.from(Deno.readDirSync(join(ROOT, directory))).flatMap(({ name, isDirectory }) => {
    const path = `${directory}/${name}`;
    if (isDirectory) return workersOf(path);
    return name.endsWith("_worker.ts") ? [path] : [];
  });
}
