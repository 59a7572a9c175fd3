import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { freshAddress, freshPort } from "./addresses.ts";
import { assertOneCompleteDump } from "./complete_dump.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess, SHORT_TIMEOUT } from "./server_process.ts";

const PAGE = 4096;
const core = dumpBytes(1, 2 * PAGE);
const header = dumpHeader(core.byteLength);
const isRoot = Deno.build.os !== "windows" && Deno.uid() === 0;

/** Asserts that a server ends with one line on stderr and an exit status. */
async function assertRefuses(
  args: readonly string[],
  line: RegExp,
  options: { dir?: string; address?: string; port?: number } = {},
) {
  await using server = ServerProcess.spawn({ ...options, args });
  assertEquals(await server.ended(), 1);
  assertEquals(server.lines.length, 1, server.lines.join("\n"));
  assertMatch(server.lines[0]!, line);
}

Deno.test("serve says what it listens on, where it writes and what a client needs, and ends on a signal with 0", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using server = await ServerProcess.start({ args: ["--log-format", "text"] });
    assertEquals(await server.stop(signal), 0);
    const lines = server.lines.map((line) => line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} /, ""))
      // Comes when it has been tried, perhaps behind the others.
      .filter((line) => !line.startsWith("Datagrams are moved "));
    assertEquals(lines[0], `Listening on ${server.address}:${server.port}`);
    assertMatch(
      lines[1]!,
      new RegExp(`^Dumps go to ${Deno.realPathSync(server.dir)}: .*B are free, at least .*B are kept free$`),
    );
    assertMatch(lines[2]!, /^There is room for \d+ dumps at once/);
    assertStringIncludes(
      lines[3]!,
      `dumpon -v -s ${server.address} -c CLIENT_ADDRESS [-g GATEWAY] INTERFACE`,
    );
    assertEquals(lines.slice(4), ["Waiting for clients.", "Shutting down..."]);
  }
});

Deno.test("serve tells a dump in a few lines of text or JSON, less with -q and more with -D", async () => {
  const runs: readonly [args: string[], least: number, most: number, warned: boolean][] = [
    [["--log-format", "text"], 9, 11, true],
    [["--log-format", "text", "-q"], 1, 1, true],
    [["--log-format", "text", "-D"], 10, 14, true],
    [["--log-format", "json"], 9, 11, true],
  ];
  for (const [args, least, most] of runs) {
    await using server = await serveQuietly(args);
    await using client = new RawClient(server);
    await client.resending(1, () => client.herald("missing"));
    const seqno = await client.dump(core, header);
    await client.datagram(new Uint8Array(3));
    client.forgetAcks();
    // Acked again, when what came before it has been looked at.
    await client.finished(seqno);
    await client.acked(seqno);
    await server.stop();
    assert(server.lines.length >= least && server.lines.length <= most, server.lines.join("\n"));
    if (args.includes("json")) {
      for (const line of server.lines) assertMatch(JSON.parse(line).time, /^\d{4}-.*Z$/);
      const { complete, receivedBytes, missing, outcome, core: name } = server.log("completed")[0]!;
      assertEquals([complete, receivedBytes, missing, outcome, name], [
        true,
        8192,
        [],
        "success",
        `vmcore.${client.address}.0`,
      ]);
      continue;
    }
    const host = `${client.address} [${client.address}]`;
    const texts = server.lines.map((line) => line.replace(/^\S+ \S+ \S+ /, ""));
    const refused =
      `warning: Path "missing" of client ${client.address} cannot be used (no such file or directory); its dump goes to the default path`;
    assert(texts.includes(refused), texts.join("\n"));
    assertEquals(
      texts.includes(`Client ${client.address}: a datagram of 3 bytes was ignored: runt`),
      args.includes("-D"),
    );
    if (args.includes("-q")) continue;
    assert(texts.includes(`New dump from client ${host} (to ./vmcore.${client.address}.0.incomplete)`));
    assert(texts.includes(`KDH from ${host}: amd64, 8.00 KiB, panic "page fault"`));
    assert(
      texts.some((text) =>
        text.startsWith(`Completed dump from client ${host} (./vmcore.${client.address}.0): 8.00 KiB in `)
      ),
    );
  }
});

/** With -q there is no line to wait for: the clients' resends do. */
async function serveQuietly(args: readonly string[]): Promise<ServerProcess> {
  const all = ["--no-dns", ...args];
  return args.includes("-q") ? ServerProcess.spawn({ args: all }) : await ServerProcess.start({ args: all });
}

Deno.test("serve refuses a dump directory or port that another one uses, and names the process", async () => {
  await using server = await ServerProcess.start();
  await assertRefuses([], new RegExp(`^netdump: netdump is already running: process ${server.pid} serves `), {
    dir: server.dir,
  });
  const { address, port } = server;
  const command = new RegExp(`^netdump: UDP port ${port} is in use; "\\S+ .*${port}`);
  await assertRefuses([], command, { address, port });
});

Deno.test("serve writes its process id to the pid file, locks it, and removes it when it ends", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  const pidfile = `${dir}/netdump.pid`;
  try {
    {
      await using server = await ServerProcess.start({ args: ["--pidfile", pidfile] });
      assertEquals(Deno.readTextFileSync(pidfile), `${server.pid}\n`);
      assertEquals(Deno.statSync(pidfile).mode! & 0o777, 0o600);
      await assertRefuses(
        ["-P", pidfile],
        new RegExp(`^netdump: netdump is already running: process ${server.pid} holds "${pidfile}"$`),
      );
      assertEquals(await server.stop(), 0);
    }
    assertEquals(Array.from(Deno.readDirSync(dir)), []);
    // What a killed server left is taken over; what is no pid file is not.
    Deno.writeTextFileSync(pidfile, "12345\n");
    {
      await using server = await ServerProcess.start({ args: ["-P", pidfile] });
      assertEquals(Deno.readTextFileSync(pidfile), `${server.pid}\n`);
      await server.stop();
    }
    Deno.writeTextFileSync(pidfile, "important notes");
    await assertRefuses(
      ["-P", pidfile],
      /^netdump: Cannot write pid file ".*": the file exists and is not a pid file$/,
    );
    assertEquals(Deno.readTextFileSync(pidfile), "important notes");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("serve refuses what is no dump directory in one line that says why", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  try {
    Deno.writeTextFileSync(`${dir}/file`, "");
    const refused = (path: string, why: string) =>
      assertRefuses([], new RegExp(`^netdump: .*"${path}".*${why}$`), { dir: path });
    await refused(`${dir}/missing`, "no such file or directory");
    await refused(`${dir}/file`, "is not a directory");
    Deno.mkdirSync(`${dir}/taken`);
    Deno.writeTextFileSync(`${dir}/taken/.netdump`, "");
    await assertRefuses([], /^netdump: Cannot start: .*taken\/\.netdump is not a directory: remove it/, {
      dir: `${dir}/taken`,
    });
    await refused("/dev/shm", "Deno keeps /dev, /proc and /sys from the receivers; take another directory");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("serve refuses addresses that are not this machine's", async () => {
  await assertRefuses([], /^netdump: Cannot listen on 192\.0\.2\.1: not an address of this machine$/, {
    address: "192.0.2.1",
  });
});

Deno.test({
  name: "serve refuses a directory that it may not write to" + (isRoot ? "" : " (skipped: not root)"),
  ignore: !isRoot,
  fn: async () => {
    const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
    try {
      const flags = ["--reuid", "65534", "--clear-groups", "--"];
      Deno.chmodSync(dir, 0o555);
      await using server = ServerProcess.spawn({
        dir,
        wrap: (command) => ["setpriv", ...flags, ...command],
        env: { DENO_DIR: "/tmp" },
      });
      assertEquals(await server.ended(), 1);
      assertMatch(
        server.lines.join("\n"),
        /netdump: Cannot write to dump directory ".*": permission denied$/,
      );
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
});

Deno.test("the task serve of deno.json receives a dump", async () => {
  const root = fromFileUrl(new URL("../../", import.meta.url));
  await using server = await ServerProcess.start({
    cwd: root,
    args: ["--no-dns"],
    wrap: ([deno, ...args]) => [deno!, "task", "--quiet", "serve", ...args.slice(args.indexOf("serve") + 1)],
  });
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, header);
  await assertOneCompleteDump(server, client.address, core);
  // The process started is the task's; the server is its child.
  Deno.kill(Number(server.text(".netdump", "lock")), "SIGTERM");
  assertEquals(await server.ended(), 0);
});

Deno.test("serve ends a silent dump after --timeout and a finished one after --linger", async () => {
  await using server = await ServerProcess.start({
    args: ["--no-dns", "--timeout", SHORT_TIMEOUT, "--linger", SHORT_TIMEOUT],
  });
  await using silent = new RawClient(server);
  await using finished = new RawClient(server);
  await finished.connect();
  const seqno = await finished.dump(core, header);
  await silent.connect();
  await silent.data(2, core);
  const line = await server.event("incomplete");
  assertEquals([line.client, line.reason, line.outcome], [silent.address, "client timed out", "timeout"]);
  const state = () => Array.from(Deno.readDirSync(server.path(".netdump")), ({ name }) => name).join();
  await server.until(() => state() === "lock", "the end of both sessions");
  await silent.vmcore(3, 2 * PAGE, core);
  await finished.finished(seqno);
  await silent.silence();
  await finished.silence();
});

Deno.test("serve listens on every local address without --bind, on a port of its own choice with --port", async () => {
  const port = freshPort();
  await using server = await ServerProcess.start({ bindAll: true, port });
  const { addresses } = server.log("listening")[0]!;
  assert(addresses.includes("127.0.0.1"));
  await using client = new RawClient({ address: "127.0.0.1", port }, freshAddress());
  await client.connect();
});

Deno.test("serve with --linger 0 acks FINISHED, then is done with the session", async () => {
  await using server = await ServerProcess.start({ args: ["--no-dns", "--linger", "0"] });
  for (let i = 0; i < 5; i++) {
    await using client = new RawClient(server);
    await client.connect();
    const seqno = await client.dump(core, header);
    await client.silence(50);
    await client.finished(seqno);
    await client.silence(50);
  }
});
