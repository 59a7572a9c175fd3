/** Shipping while the store is full, its clock is off, or the network is away: it is told, nothing is lost, and it goes on. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { Swift, testWithSwift, unpacked, withoutSwift } from "../archive/swift.ts";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { freshPort } from "./addresses.ts";
import { inNamespaces, NO_NAMESPACES } from "./namespaces.ts";
import { RawClient } from "./raw_client.ts";
import { netdumpCommand, ServerProcess } from "./server_process.ts";
import { PATIENCE_MS } from "../patience.ts";

const SHIP = ["--ship", "s3://dumps/fleet", "--no-dns", "--ship-keep", "0", "--linger", "0"];
/** For how long the network is away; `NETDUMP_AWAY_S=60` for a long run. */
const AWAY_S = Number(Deno.env.get("NETDUMP_AWAY_S") ?? 3);
const core = dumpBytes(1, 65536);

async function receiveDump(server: ServerProcess): Promise<string> {
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, dumpHeader(core.byteLength));
  return client.address;
}

/** Asserts that the catalogue has a complete dump of each host once, and no other, and that they are what was sent. */
async function assertShipped(swift: Swift, hosts: readonly string[], sent: Uint8Array): Promise<void> {
  const found: string[] = [];
  for await (const { key } of swift.store.list("fleet/catalog/v1/")) {
    const entry = JSON.parse(new TextDecoder().decode(await swift.store.get(key)));
    assert(entry.complete);
    found.push(entry.host);
    // deno-lint-ignore no-explicit-any
    const stored = entry.objects.find(({ name }: any) => name.startsWith("vmcore"));
    assertEquals(await unpacked(await swift.store.get(stored.key)), sent);
  }
  assertEquals(found.sort(), hosts.toSorted());
}

testWithSwift(
  "a full store is told, keeps no dump from being received or kept, and gets it later",
  async () => {
    await using swift = await Swift.start();
    const http = `127.0.0.1:${freshPort()}`;
    const args = [...SHIP, "--http", http];
    await using server = await ServerProcess.start({ args, env: swift.environment });
    await server.event("ship-ready");
    await swift.setQuota(1);
    const host = await receiveDump(server);
    const { failure, info } = await server.event("ship-problem");
    assertEquals([failure, info], ["full", `info.${host}.0`]);
    const status = async () => await (await fetch(`http://${http}/api/v1/status`)).json();
    const { ready, problems } = await status();
    // deno-lint-ignore no-explicit-any
    const shipping = problems.find(({ check }: any) => check === "shipping");
    assertEquals([ready, shipping.blocks], [true, false]);
    assertStringIncludes(shipping.problem, `info.${host}.0`);
    const figures = await (await fetch(`http://${http}/metrics`)).text();
    assertStringIncludes(figures, "\nnetdump_ship_pending_dumps 1\n");
    assertEquals(await Deno.readFile(server.path(`vmcore.${host}.0`)), core);
    await swift.setQuota(null);
    await server.event("ship-removed");
    await assertShipped(swift, [host], core);
    // What is found is kept for a moment.
    for (const lateMs = Date.now() + PATIENCE_MS; (await status()).problems.length > 0;) {
      assert(Date.now() < lateMs, "the problem stays");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assertStringIncludes(
      await (await fetch(`http://${http}/metrics`)).text(),
      "\nnetdump_ship_pending_dumps 0\n",
    );
    await server.stop();
  },
);

for (const [offS, word] of [[7200, "slow"], [-7200, "fast"]] as const) {
  testWithSwift(
    `a clock that jumps until ours is ${word} is told as that, and shipping goes on`,
    async () => {
      await using swift = await Swift.start();
      await using server = await ServerProcess.start({ args: SHIP, env: swift.environment });
      await server.event("ship-ready");
      await swift.setClock(offS);
      const host = await receiveDump(server);
      const { failure, problem, advice } = await server.event("ship-problem");
      assertEquals(failure, "clock");
      assertMatch(problem, new RegExp(`store's by (?:1 h 59|2 h 00) min, it is ${word} `));
      assertStringIncludes(advice, "set the clock");
      assertEquals(await Deno.readFile(server.path(`vmcore.${host}.0`)), core);
      await swift.setClock(0);
      await server.event("ship-removed");
      await assertShipped(swift, [host], core);
      await server.stop();
    },
  );
}

/** Runs `netdump` with what it needs to reach a store. */
async function netdump(env: Record<string, string>, ...args: string[]): Promise<string> {
  const [program, ...rest] = netdumpCommand(args);
  const { code, stdout, stderr } = await new Deno.Command(program!, { args: rest, env, stdin: "null" })
    .output();
  assertEquals(code, 1);
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

testWithSwift("secrets are in no log, no page, no JSON, no error and no command line", async () => {
  await using swift = await Swift.start();
  const secrets = { AWS_SECRET_ACCESS_KEY: "Wr0ng/S3cret+", AWS_SESSION_TOKEN: "T0ken/S3cret+" };
  const directory = await Deno.makeTempDir({ prefix: "netdump-test-" });
  const said: string[] = [];
  try {
    const file = `${directory}/credentials`;
    const lines = Object.entries(secrets).map(([name, value]) => `${name.toLowerCase()} = ${value}\n`);
    await Deno.writeTextFile(file, `aws_access_key_id = test:tester\n${lines.join("")}`, { mode: 0o600 });
    const http = `127.0.0.1:${freshPort()}`;
    const { AWS_ENDPOINT_URL: endpoint = "" } = swift.environment;
    const elsewhere = "http://127.0.0.1:1";
    for (const [store, failure] of [[endpoint, "wrong-key"], [elsewhere, "unreachable"]] as const) {
      for (const env of [{ ...swift.environment, ...secrets, AWS_ENDPOINT_URL: store }, {}]) {
        const given = Object.keys(env).length > 0 ? [] : ["--s3-credentials", file, "--s3-endpoint", store];
        const args = [...SHIP, ...given, "--debug", "--http", http];
        await using server = await ServerProcess.start({ args, env });
        await receiveDump(server);
        assertEquals((await server.event("ship-problem")).failure, failure);
        for (const page of ["", "metrics", "readyz", "api/v1/status", "api/v1/dumps"]) {
          said.push(await (await fetch(`http://${http}/${page}`)).text());
        }
        said.push(await Deno.readTextFile(`/proc/${server.pid}/cmdline`));
        for (const { name } of Deno.readDirSync(server.path(".netdump/outbox"))) {
          said.push(await Deno.readTextFile(server.path(".netdump/outbox", name)));
        }
        await server.stop();
        said.push(...server.lines);
        said.push(await netdump(env, "inspect", "--json", ...given, "s3://dumps/fleet/"));
        said.push(await netdump(env, "inspect", ...given, "s3://dumps/fleet/x"));
        said.push(await netdump(env, "send", ...given, "-s", "127.0.0.1:9", "s3://dumps/fleet/x"));
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
  const all = said.join("\n");
  for (const secret of Object.values(secrets)) {
    for (const form of [secret, encodeURIComponent(secret), JSON.stringify(secret), btoa(secret)]) {
      assert(!all.includes(form), `${form} is told`);
    }
  }
  for (const word of ["Signature=", "AWS4-HMAC", "S3cret"]) assert(!all.includes(word), `${word} is told`);
});

const without = withoutSwift ?? NO_NAMESPACES;

Deno.test({
  name:
    `a network that is away for ${AWAY_S} s is told if that is long, dumps are received meanwhile, and shipped when it is back${
      without === undefined ? "" : ` (skipped: ${without})`
    }`,
  ignore: without !== undefined,
  fn: async () => {
    const [here, there, client] = ["10.9.8.1", "10.9.8.2", "127.0.0.9"];
    await using swift = await Swift.start();
    await swift.kill();
    await swift.restart("0.0.0.0", inNamespaces(["--net"], "ip link set lo up"));
    const inStore = `nsenter --target ${swift.pid} --net`;
    const setup = [
      "ip link set lo up",
      `ip link add away type veth peer name store netns ${swift.pid}`,
      `${inStore} ip addr add ${there}/24 dev store`,
      `${inStore} ip link set store up`,
      `ip addr add ${here}/24 dev away`,
      "ip link set away up",
    ];
    {
      await using server = await ServerProcess.start({
        args: [...SHIP, "--timeout", "60s"],
        address: "127.0.0.1",
        env: { ...swift.environment, AWS_ENDPOINT_URL: `http://${there}:${swift.port}` },
        wrap: inNamespaces(["--net"], setup.join("\n")),
      });
      const inServer = async (...command: string[]) => {
        const { success, stderr } = await new Deno.Command("nsenter", {
          args: ["--target", `${server.pid}`, "--net", ...command],
        }).output();
        assert(success, new TextDecoder().decode(stderr));
      };
      const script = fromFileUrl(new URL("client_in_namespace.ts", import.meta.url));
      const run = [Deno.execPath(), "run", "-A", "--quiet", script, server.address, `${server.port}`, client];
      await server.event("ship-ready");
      await inServer("ip", "link", "set", "away", "down");
      await inServer(...run, "1");
      await server.event("completed");
      await new Promise((resolve) => setTimeout(resolve, AWAY_S * 1000));
      // What is short is bridged by TCP.
      if (AWAY_S > 30) assertEquals(server.log("ship-problem")[0]?.failure, "unreachable");
      assertEquals(server.log("shipped"), []);
      await inServer("ip", "link", "set", "away", "up");
      await server.until(() => server.log("ship-removed").length > 0, "the dump to be shipped");
      await server.stop();
    }
    await swift.kill();
    await swift.restart();
    await assertShipped(swift, [client], dumpBytes(1, 8192));
  },
});
