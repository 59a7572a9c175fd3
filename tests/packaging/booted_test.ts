/** The Debian package under a systemd that booted for it, in a container of its own. */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import denoJson from "../../deno.json" with { type: "json" };
import { TempDir } from "../temp_dir.ts";
import { output, PACKAGING, ROOT, runs, skippable } from "./packaging.ts";
import { PATIENCE_MS } from "../patience.ts";
import { isInstalled } from "../programs.ts";

/** `run` and its flags, as in the task. */
const RUN = denoJson.tasks.serve.split(" ").slice(1, -2).join(" ");
const HOME = "/opt/netdump";

/** What runs in the container; each line that it prints is a fact. */
const TRY = `#!/bin/bash
exec > /opt/facts 2>&1
show() { systemctl show netdump --property "$1"; }
id -nu netdump
systemctl start netdump
show SubState
show StatusText
show Result
echo "ready: $(bash -c 'exec 3<>/dev/tcp/127.0.0.1/9123; printf "GET /readyz HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n" >&3; tail -n 1 <&3')"
head -c 2097152 /dev/urandom > /opt/vmcore.w1.0
netdump send -s 127.0.0.1 --rate 1M --panic boom --arch amd64 -q /opt/vmcore.w1.0 &
sending=$!
core=/var/lib/netdump/vmcore.127.0.0.1.0
until [ "$(stat -c %s $core.incomplete 2>/dev/null || echo 0)" -gt 500000 ]; do sleep 0.1; done
kill -9 "$(systemctl show netdump --property MainPID --value)"
wait $sending
echo "sent: $?"
cmp /opt/vmcore.w1.0 $core && stat -c '%U %a' $core
show NRestarts
until [ -e /var/lib/netdump/hooked ]; do sleep 0.1; done
cat /var/lib/netdump/hooked
sign=$(show WatchdogTimestampMonotonic)
until [ "$(show WatchdogTimestampMonotonic)" != "$sign" ]; do sleep 0.1; done
systemctl stop netdump
show ActiveState
show ExecMainStatus
journalctl --no-pager --output cat --unit netdump > /opt/journal
# Whether it is answered is the shutdown's own race.
systemctl poweroff 2> /dev/null
`;

const HOOK = `#!/bin/sh
touch /etc/escaped 2> /dev/null || echo "$1, and cannot write to /etc" > hooked
`;

const TRY_UNIT = `[Unit]
After=basic.target
[Service]
Type=oneshot
ExecStart=/opt/try
`;

/** A root that has all but /usr. */
function makeSkeleton(root: string): void {
  for (const name of ["etc", "proc", "sys", "dev", "run", "tmp", "usr"]) {
    Deno.mkdirSync(join(root, name), { recursive: true });
  }
  for (const name of ["bin", "sbin", "lib", "lib64"]) Deno.symlinkSync(`usr/${name}`, join(root, name));
}

/** A root with a /usr that is the machine's and the package's in layers; what the package brings, and Deno for its stand-in. */
async function makeRoot(directory: string): Promise<{ root: string; nspawn: string[] }> {
  const root = join(directory, "root");
  const unpacked = join(directory, "package");
  makeSkeleton(root);
  const wants = "etc/systemd/system/multi-user.target.wants";
  for (const name of ["var/lib", "var/log", "var/tmp", `.${HOME}`, "etc/default", wants]) {
    Deno.mkdirSync(join(root, name), { recursive: true });
  }
  Deno.copyFileSync("/usr/lib/os-release", join(root, "etc/os-release"));
  // With one it is no first boot, at which all units would be enabled.
  Deno.writeTextFileSync(join(root, "etc/machine-id"), `${crypto.randomUUID().replaceAll("-", "")}\n`);
  Deno.mkdirSync(unpacked);
  const executable = join(directory, "executable");
  const program = `#!/bin/sh\nexport DENO_DIR=${HOME}/.deno\nexec ${HOME}/deno ${RUN} ${HOME}/main.ts "$@"\n`;
  Deno.writeTextFileSync(executable, program, { mode: 0o755 });
  const built = await output(join(PACKAGING, "deb/build"), [executable, "amd64", directory]);
  await output("dpkg-deb", ["-x", built.trim(), unpacked]);
  Deno.writeTextFileSync(
    join(root, "etc/default/netdump"),
    'NETDUMP_FLAGS="--no-dns --http 127.0.0.1:9123 --exec /opt/hook"\n',
    { mode: 0o600 },
  );

  const { denoDir } = JSON.parse(await output(Deno.execPath(), ["info", "--json"]));
  Deno.mkdirSync(join(root, HOME, ".deno"));
  const copies = [[Deno.execPath(), "deno"], [join(denoDir, "npm"), ".deno/npm"]];
  for (const name of ["main.ts", "deno.json", "deno.lock", "lib"]) copies.push([join(ROOT, name), name]);
  for (const [from = "", to = ""] of copies) await output("cp", ["-RL", from, join(root, HOME, to)]);
  await output("chmod", ["-R", "go+rX", join(root, "opt"), unpacked, directory]);

  const system = join(root, "etc/systemd/system");
  // A sign of life every few seconds, not every minute.
  Deno.mkdirSync(join(system, "netdump.service.d"));
  Deno.writeTextFileSync(join(system, "netdump.service.d/watchdog.conf"), "[Service]\nWatchdogSec=10s\n");
  Deno.writeTextFileSync(join(system, "try.service"), TRY_UNIT);
  Deno.symlinkSync("../try.service", join(system, "multi-user.target.wants/try.service"));
  Deno.symlinkSync("/usr/lib/systemd/system/multi-user.target", join(system, "default.target"));
  Deno.writeTextFileSync(join(root, "opt/try"), TRY, { mode: 0o755 });
  Deno.writeTextFileSync(join(root, "opt/hook"), HOOK, { mode: 0o755 });
  return { root, nspawn: [...NSPAWN, `--overlay=/usr:${join(unpacked, "usr")}:/usr`, "-D", root] };
}

const NSPAWN = ["--quiet", "--register=no", "--keep-unit", "--private-network"];

/** Why no container can be made here. */
function obstacle(): string | undefined {
  if (!isInstalled("systemd-nspawn")) return "systemd-nspawn is not installed";
  if (Deno.uid() !== 0) return "only root makes containers";
  using temp = new TempDir("disk");
  makeSkeleton(temp.path);
  const tried = runs("systemd-nspawn", ...NSPAWN, "--bind-ro=/usr", "-D", temp.path, "/usr/bin/true");
  return tried ? undefined : "no container can be made here";
}

skippable(
  "the Debian package's service starts under systemd, gives signs of life, goes on with a dump behind a kill, and is held to its walls",
  obstacle(),
  async () => {
    using temp = new TempDir("disk");
    const { root, nspawn } = await makeRoot(temp.path);
    const container = new Deno.Command("systemd-nspawn", {
      args: [...nspawn, "--boot"],
      ...{ stdin: "null", stdout: "null", stderr: "null" },
    }).spawn();
    const late = setTimeout(() => container.kill("SIGKILL"), PATIENCE_MS);
    await container.status;
    clearTimeout(late);
    const facts = Deno.readTextFileSync(join(root, "opt/facts")).trimEnd().split("\n");
    const journal = Deno.readTextFileSync(join(root, "opt/journal"));
    assertEquals(facts, [
      "netdump",
      "SubState=running",
      "StatusText=Waiting for clients",
      "Result=success",
      "ready: ok",
      "sent: 0",
      "netdump 600",
      "NRestarts=1",
      "success, and cannot write to /etc",
      "ActiveState=inactive",
      "ExecMainStatus=0",
    ], journal);
    assertMatch(journal, /Resumed dump from client 127\.0\.0\.1/);
  },
);
