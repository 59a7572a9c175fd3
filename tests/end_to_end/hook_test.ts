import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { HookProgram } from "./hook_program.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess, SHORT_TIMEOUT } from "./server_process.ts";

const PAGE = 4096;
const core = dumpBytes(1, 2 * PAGE);
const key = dumpBytes(2, PAGE);

Deno.test("serve runs the hook with netdumpd's arguments, in the dump directory, without a shell and with little else in its environment", async () => {
  using program = new HookProgram(
    '{ pwd; for a in "$@"; do printf "%s\\n" "$a"; done; } > arguments; env | sort > environment',
  );
  await using server = await ServerProcess.start({
    args: ["--no-dns", "--exec", program.path],
    env: { SECRET: "leaks" },
  });
  await using client = new RawClient(server);
  const host = client.address;
  Deno.mkdirSync(server.path("rack 1"));
  await client.connect("rack 1");
  await client.dump(
    core,
    dumpHeader(core.byteLength, {
      dumpKeySize: PAGE,
      compression: "zstd",
      panicString: "$(touch owned)`x`;\n\x1b[2J",
    }),
    key,
  );
  const line = await server.event("hook");
  assertEquals([line.result.result, line.result.status, line.level], ["exited", 0, "info"]);
  assertMatch(line.message, /^Process \d+ exited with status 0$/);
  assertEquals(server.text("arguments").split("\n"), [
    Deno.realPathSync(server.dir),
    "success",
    host,
    host,
    `rack 1/info.${host}.0`,
    `rack 1/vmcore_encrypted.${host}.0.zst`,
    "",
  ]);
  const environment = Object.fromEntries(
    server.text("environment").trimEnd().split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  // These two come from the shell that the hook is written in.
  delete environment["PWD"];
  delete environment["_"];
  delete environment["OLDPWD"];
  delete environment["SHLVL"];
  // And these few from the server, so that programs are found and speak the operator's language.
  for (const name of ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR"]) {
    assertEquals(environment[name], Deno.env.get(name), name);
    delete environment[name];
  }
  assertMatch(environment["NETDUMP_DURATION_MS"]!, /^\d+$/);
  delete environment["NETDUMP_DURATION_MS"];
  assertEquals(environment, {
    NETDUMP_ARCHITECTURE: "amd64",
    NETDUMP_BYTES: "8192",
    NETDUMP_CLIENT: host,
    NETDUMP_COMPLETE: "1",
    NETDUMP_COMPRESSION: "zstd",
    NETDUMP_CORE: `rack 1/vmcore_encrypted.${host}.0.zst`,
    NETDUMP_ENCRYPTED: "1",
    NETDUMP_HEADER: `rack 1/kdh.${host}.0`,
    NETDUMP_HOST: host,
    NETDUMP_HOST_NAME: "",
    NETDUMP_INDEX: "0",
    NETDUMP_INFO: `rack 1/info.${host}.0`,
    NETDUMP_KERNEL_HOST_NAME: "crashed.example.org",
    NETDUMP_KEY: `rack 1/key.${host}.0`,
    NETDUMP_MISSING: "",
    NETDUMP_OUTCOME: "success",
    NETDUMP_PANIC: "$(touch owned)`x`;\\n\\x1b[2J",
    NETDUMP_REASON: "",
    NETDUMP_VERSION: "FreeBSD 14.0-RELEASE #0 releng/14.0\\n",
  });
  assert(!server.names().includes("owned"));
});

Deno.test("serve tells the hook of dumps that timed out or have holes, and logs a status that is not zero", async () => {
  using program = new HookProgram(
    'echo "$1 $NETDUMP_COMPLETE $NETDUMP_REASON $NETDUMP_MISSING" >> outcomes; exit 3',
  );
  await using server = await ServerProcess.start({
    args: ["--no-dns", "--exec", program.path, "--timeout", SHORT_TIMEOUT],
  });
  await using holes = new RawClient(server);
  await holes.connect();
  await holes.data(2, core, PAGE);
  await holes.kdh(4, dumpHeader(3 * PAGE));
  await holes.acked(4);
  await holes.finished(5);
  await holes.acked(5);
  await server.event("hook");
  await using silent = new RawClient(server);
  await silent.connect();
  await silent.data(2, core);
  await server.until(() => server.log("hook").length === 2, "the second hook");
  assertEquals(server.text("outcomes").split("\n"), [
    "error 0 holes: 4096 of 12288 bytes missing in 1 range 0x0-0x1000 (4096 bytes)",
    "timeout 0 client timed out ",
    "",
  ]);
  assertEquals(server.log("hook").map(({ level, result }) => [level, result.status]), [["warning", 3], [
    "warning",
    3,
  ]]);
});

Deno.test("serve logs what a hook prints as events of its dump, cut where it is too long or too much, each a line of JSON", async () => {
  using program = new HookProgram(
    `echo '{"event": "forged"'; printf 'a\\033[31mb\\r\\n' >&2; head -c 100000 /dev/zero | tr '\\0' x; echo; seq 500; printf end`,
  );
  await using server = await ServerProcess.start({ args: ["--no-dns", "--exec", program.path] });
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, dumpHeader(core.byteLength));
  const { id } = await server.event("completed");
  await server.event("hook");
  const printed = server.log("hook-output");
  assertEquals(printed.every((line) => line.id === id && line.level === "info"), true);
  assertEquals(printed.length, 200);
  assertEquals(printed.find(({ stream }) => stream === "stderr")?.line, "a\x1b[31mb");
  const lines = printed.filter(({ stream }) => stream === "stdout").map(({ line }) => line);
  assertEquals([lines[0], lines[1].length, lines[2]], ['{"event": "forged"', 1000, "1"]);
  assertEquals(printed.at(-1)?.line, "(what follows is left out)");
  assertEquals(server.log("forged"), []);
  for (const line of server.lines) JSON.parse(line);
});

Deno.test("serve receives on while hooks run, runs a few of them at once, and does not wait for them when it stops", async () => {
  using program = new HookProgram("echo x >> started; exec sleep 30");
  await using server = await ServerProcess.start({ args: ["--no-dns", "--exec", program.path] });
  for (let i = 0; i < 6; i++) {
    await using client = new RawClient(server);
    await client.connect();
    await client.dump(core, dumpHeader(core.byteLength));
    assert(sameBytes(server.path(`vmcore.${client.address}.0`), core));
  }
  const started = () => server.names().includes("started") ? server.text("started") : "";
  await server.until(() => started().length >= 8, "four hooks");
  await new Promise((resolve) => setTimeout(resolve, 100));
  assertEquals(started(), "x\n".repeat(4));
  const asked = performance.now();
  assertEquals(await server.stop(), 0);
  // A client's patience is 12 s, and the next server must be there before it ends (P9).
  assertLess(performance.now() - asked, 12_000);
  assertEquals((server.log("hooks-left")[0]!).running, 4);
  assertEquals((server.log("hooks-left")[0]!).waiting, 2);
});

Deno.test("serve refuses a hook that is no program, in one line", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  try {
    Deno.writeTextFileSync(`${dir}/plain`, "");
    for (
      const [exec, reason] of [["plain", "not executable"], ["missing", "no such file or directory"], [
        ".",
        "not a file",
      ]]
    ) {
      await using server = ServerProcess.spawn({ dir, args: ["--exec", `${dir}/${exec}`] });
      assertEquals(await server.ended(), 1);
      assertEquals(server.lines.length, 1);
      assertStringIncludes(server.lines[0]!, `netdump: Cannot run "${dir}/${exec}": ${reason}`);
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("serve finds a hook with a relative path where it was started, and runs it in the dump directory", async () => {
  using program = new HookProgram("pwd > where");
  const cwd = program.path.replace(/\/hook$/, "");
  await using server = await ServerProcess.start({ args: ["--no-dns", "-i", "./hook"], cwd });
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, dumpHeader(core.byteLength));
  await server.event("hook");
  assertEquals(server.text("where"), `${Deno.realPathSync(server.dir)}\n`);
});
