import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { VERSION } from "../../lib/version.ts";
import { TempDir } from "../temp_dir.ts";
import { isInstalled } from "../programs.ts";
import { output, PACKAGING, ROOT, skippable } from "./packaging.ts";

const BUILD = join(PACKAGING, "deb/build");
const missing = ["dpkg-deb", "dpkg", "systemd-analyze"].find((program) => !isInstalled(program));
const without = Deno.build.os !== "linux" || missing !== undefined
  ? `${missing ?? "dpkg"} is not installed`
  : Deno.uid() !== 0
  ? "only root installs packages"
  : undefined;

/** What stands in for the executable: the program by Deno. */
function standIn(directory: string): string {
  const path = join(directory, "executable");
  const main = join(ROOT, "main.ts");
  Deno.writeTextFileSync(path, `#!/bin/sh\nexec ${Deno.execPath()} run --no-prompt ${main} "$@"\n`, {
    mode: 0o755,
  });
  return path;
}

/** All files below a directory but the package manager's own. */
async function filesOf(root: string): Promise<string[]> {
  const found = await output("find", [
    root,
    "-path",
    `${root}/var/lib/dpkg`,
    "-prune",
    "-o",
    "!",
    "-type",
    "d",
    "-print",
  ]);
  return found.split("\n").filter((path) => path !== "").map((path) => path.slice(root.length)).sort();
}

skippable(
  "the Debian package installs, its unit verifies, its program runs, and it leaves the dumps when it goes",
  without,
  async () => {
    using temp = new TempDir("disk");
    const built = (await output(BUILD, [standIn(temp.path), "amd64", temp.path])).trim();
    assertEquals(built, join(temp.path, `netdump_${VERSION}_amd64.deb`));
    const root = join(temp.path, "root");
    Deno.mkdirSync(join(root, "var/lib/dpkg/info"), { recursive: true });
    Deno.mkdirSync(join(root, "var/lib/dpkg/updates"));
    Deno.writeTextFileSync(join(root, "var/lib/dpkg/status"), "");
    Deno.mkdirSync(join(root, "etc"));
    const dpkg = (...args: string[]) =>
      output("dpkg", [`--root=${root}`, "--force-script-chrootless", "--force-depends", ...args], {
        stdin: "null",
      });
    await dpkg("--install", built);

    assertMatch(Deno.readTextFileSync(join(root, "etc/passwd")), /^netdump:.*:\/usr\/sbin\/nologin$/m);
    assertEquals(Deno.statSync(join(root, "etc/default/netdump")).mode! & 0o777, 0o600);
    assertMatch(await output(join(root, "usr/bin/netdump"), ["--version"]), /^netdump /);
    const installed = await filesOf(root);
    for (const { name } of Deno.readDirSync(join(ROOT, "docs/man"))) {
      assert(installed.includes(`/usr/share/man/man${name.at(-1)}/${name}.gz`), name);
    }
    // The unit among systemd's own targets, which a root of its own lacks.
    const units = join(root, "usr/lib/systemd/system");
    await output("sh", ["-c", `cp /usr/lib/systemd/system/*.target ${units}`]);
    const verify = ["verify", `--root=${root}`, "--man=no", "netdump.service"];
    const { success, stderr } = await new Deno.Command("systemd-analyze", { args: verify }).output();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
    await output("sh", ["-c", `rm ${units}/*.target`]);

    // What the operator has set and enabled outlives an upgrade.
    await output("systemctl", [`--root=${root}`, "enable", "netdump.service"]);
    const settings = join(root, "etc/default/netdump");
    Deno.writeTextFileSync(settings, 'NETDUMP_FLAGS="--no-dns"\n');
    await dpkg("--install", built);
    assertEquals(Deno.readTextFileSync(settings), 'NETDUMP_FLAGS="--no-dns"\n');
    Deno.lstatSync(join(root, "etc/systemd/system/multi-user.target.wants/netdump.service"));

    Deno.mkdirSync(join(root, "var/lib/netdump"), { recursive: true });
    Deno.writeTextFileSync(join(root, "var/lib/netdump/vmcore.w1.0"), "a dump");
    await dpkg("--remove", "netdump");
    assertEquals(
      (await filesOf(root)).filter((path) => !/^\/etc\/(passwd|group|g?shadow|\.pwd\.lock)-?$/.test(path)),
      [
        "/etc/default/netdump",
        "/var/lib/netdump/vmcore.w1.0",
      ],
    );
    assertMatch(await dpkg("--purge", "netdump"), /The dumps in \/var\/lib\/netdump stay/);
    assertEquals((await filesOf(root)).filter((path) => /netdump/.test(path)), [
      "/var/lib/netdump/vmcore.w1.0",
    ]);
  },
);

skippable("the same sources make the same Debian package", without, async () => {
  using temp = new TempDir("disk");
  const digests: string[] = [];
  for (const directory of ["a", "b"]) {
    const path = join(temp.path, directory);
    Deno.mkdirSync(path);
    const built = (await output(BUILD, [standIn(temp.path), "arm64", path])).trim();
    digests.push((await output("sha256sum", [built])).split(" ")[0]!);
  }
  assertEquals(digests[0], digests[1]);
});
