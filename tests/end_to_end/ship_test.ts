/** `netdump serve --ship` against a real object store. */
import { fromFileUrl } from "@std/path";
import denoJson from "../../deno.json" with { type: "json" };
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { ObjectStore } from "../../lib/archive/object_store.ts";
import { canCompress } from "../../lib/bytes/zstd/compress.ts";
import { compareNames } from "../../lib/text/natural_order.ts";
import { Swift, testWithSwift, unpacked } from "../archive/swift.ts";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { randomBytes, send } from "./send_process.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";
import { PATIENCE_MS } from "../patience.ts";

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));
const SHIP = ["--ship", "s3://dumps/fleet/", "--no-dns"];
const core = dumpBytes(1, 8192);
const header = dumpHeader(core.byteLength);

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** The catalogue's entries. */
// deno-lint-ignore no-explicit-any
async function catalogue(store: ObjectStore): Promise<any[]> {
  const entries = [];
  for await (const { key } of store.list("fleet/catalog/v1/")) {
    entries.push(JSON.parse(new TextDecoder().decode(await store.get(key))));
  }
  return entries;
}

/** Whether something of a core that comes in parts is in the store. */
async function hasBegun(swift: Swift): Promise<boolean> {
  for await (const { key } of swift.store.list("fleet/dumps/")) if (key.includes("/vmcore")) return true;
  // Swift keeps parts in a bucket of their own.
  const parts = new ObjectStore(swift.settings("testing", "dumps+segments"));
  try {
    for await (const _ of parts.list("fleet/dumps/")) return true;
  } catch {
    // It is made with the first part.
  }
  return false;
}

/** Waits until something holds. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const lateMs = Date.now() + PATIENCE_MS; !await holds();) {
    if (Date.now() > lateMs) throw new Error("Waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Receives one small dump; its client's address. */
async function receiveDump(server: ServerProcess): Promise<string> {
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, header);
  return client.address;
}

testWithSwift(
  "a complete dump is in the store, byte for byte, and the catalogue says what it is",
  async () => {
    await using swift = await Swift.start();
    await using server = await ServerProcess.start({ args: SHIP, env: swift.environment });
    await server.event("ship-ready");
    const host = await receiveDump(server);
    const shipped = await server.event("shipped");
    const [entry, ...others] = await catalogue(swift.store);
    assertEquals(others, []);
    assertEquals([entry.host, entry.number, entry.complete, entry.ending], [host, 0, true, "Dump complete"]);
    assertEquals(entry.inspect.kernelDumpHeader.panicString.length > 0, true);
    const names = [`vmcore.${host}.0`, `kdh.${host}.0`, `info.${host}.0`];
    // deno-lint-ignore no-explicit-any
    assertEquals(entry.objects.map(({ name }: any) => name).sort(), names.sort());
    for (const { name, key, compression, stored, received } of entry.objects) {
      const packed = name.startsWith("vmcore") && canCompress;
      assertEquals(compression, packed ? "zstd" : "none");
      assert(key.startsWith(`fleet/dumps/${host}/`), key);
      assert(key.endsWith(`-0-${entry.id}/${name}${packed ? ".zst" : ""}`), key);
      const local = await Deno.readFile(server.path(name));
      const there = await swift.store.get(key);
      assertEquals(await unpacked(there), local);
      assertEquals(received, { bytes: local.length, sha256: sha256(local) });
      assertEquals(stored, { bytes: there.length, sha256: sha256(there) });
    }
    assertStringIncludes(shipped.catalogueKey, entry.id);
    assertEquals(await server.stop(), 0);
    const log = server.lines.join("\n");
    assert(!log.includes("testing") && !log.includes("AWS4"), "the log holds what is secret");
  },
);

testWithSwift(
  "a server with a wrong key, no bucket or no store says so, receives all the same, and ships later",
  async () => {
    await using swift = await Swift.start();
    const wrong = { ...swift.environment, AWS_SECRET_ACCESS_KEY: "Wr0ngKey" };
    const dir = await Deno.makeTempDir({ prefix: "netdump-test-" });
    try {
      {
        await using server = await ServerProcess.start({ dir, args: SHIP, env: wrong });
        assertEquals((await server.event("ship-problem")).failure, "wrong-key");
        await receiveDump(server);
        await server.event("completed");
        await server.stop("SIGKILL");
        assert(!server.lines.join("\n").includes("Wr0ngKey"));
      }
      {
        const args = ["--ship", "s3://nothing", "--no-dns"];
        await using server = await ServerProcess.start({ dir, args, env: swift.environment });
        assertEquals((await server.event("ship-problem")).failure, "no-bucket");
        await server.stop("SIGKILL");
      }
      await swift.kill();
      await using server = await ServerProcess.start({ dir, args: SHIP, env: swift.environment });
      assertEquals((await server.event("ship-problem")).failure, "unreachable");
      await swift.restart();
      await server.event("shipped");
      assertEquals((await catalogue(swift.store)).length, 1);
      await server.stop();
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);

/** Runs `netdump inspect` with the permissions of its task. */
async function inspect(swift: Swift, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const run = denoJson.tasks.inspect.split(" ").slice(1, -2);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...run, MAIN, "inspect", ...args],
    env: { ...swift.environment, NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

testWithSwift(
  "inspect lists what was shipped by host, time and state, and reads a dump where it lies",
  async () => {
    await using swift = await Swift.start();
    await using server = await ServerProcess.start({ args: SHIP, env: swift.environment });
    const hosts = [await receiveDump(server), await receiveDump(server)];
    await server.until(() => server.log("shipped").length === 2, "two dumps shipped");
    await server.stop();
    const lines = async (...args: string[]) =>
      (await inspect(swift, "--json", "s3://dumps/fleet/", ...args)).out.trimEnd().split("\n")
        .filter((line) => line !== "").map((line) => JSON.parse(line));
    assertEquals((await lines()).map(({ host }) => host).sort(), hosts.toSorted());
    assertEquals((await lines("--host", hosts[1]!)).map(({ host }) => host), [hosts[1]]);
    assertEquals((await lines("--limit", "1")).length, 1);
    assertEquals((await lines("--since", "1h")).length, 2);
    // Times in the store's names are whole seconds.
    const shippedS = Math.floor(Date.now() / 1000);
    while (Math.floor(Date.now() / 1000) === shippedS) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals((await lines("--since", "1ms")).length, 0);
    assertEquals((await lines("--state", "partial")).length, 0);
    const table = await inspect(swift, "s3://dumps/fleet/");
    assertEquals([table.code, table.err], [0, ""]);
    const groups = await lines("--group");
    assertEquals(groups.map(({ count, hosts }) => [count, hosts]), [[2, hosts.toSorted(compareNames)]]);
    const grouped = await inspect(swift, "--group", "s3://dumps/fleet/");
    assertMatch(grouped.out, /^SAME .*\n[0-9a-f]{6} +2 /);
    const [entry] = await lines("--host", hosts[0]!);
    // deno-lint-ignore no-explicit-any
    const { name, key } = entry.objects.find(({ name }: any) => name.startsWith("vmcore"));
    assertStringIncludes(table.out, key);
    const there = await inspect(swift, "--json", `s3://dumps/${key}`);
    const here = await inspect(swift, "--json", server.path(name));
    assertEquals([there.code, there.err], [here.code, here.err]);
    const read = JSON.parse(there.out);
    const wanted = JSON.parse(here.out);
    assertEquals(read.layers, canCompress ? ["zstd"] : []);
    for (const difference of ["file", "size", "layers"]) wanted[difference] = read[difference];
    assertEquals(read, wanted);
    const fetched = server.path("fetched");
    await Deno.writeFile(`${fetched}.partial`, core.subarray(0, 5000));
    const fetch = await inspect(swift, "--output", fetched, `s3://dumps/${key}`);
    assertEquals(fetch.code, 0, fetch.err);
    assertEquals(
      fetch.err,
      `netdump: Wrote "${fetched}": 8.00 KiB (8192 bytes), 4.88 KiB (5000 bytes) of it by an earlier try\n`,
    );
    assertEquals(await Deno.readFile(fetched), core);
    const again = await inspect(swift, "--output", fetched, `s3://dumps/${key}`);
    assertEquals([again.code, again.err.includes("it exists")], [1, true]);
    const unnamed = await inspect(swift, "--output", `${fetched}.info`, `s3://dumps/${entry.id}`);
    assertEquals(unnamed.code, 1);
    const absent = await inspect(swift, `s3://dumps/${key}x`);
    assertEquals(absent.code, 1);
    assertStringIncludes(absent.err, "is not in the bucket");
  },
);

testWithSwift("send replays a dump that was shipped, with its header, to the byte", async () => {
  await using swift = await Swift.start();
  await using server = await ServerProcess.start({ args: SHIP, env: swift.environment });
  const directory = await Deno.makeTempDir({ prefix: "netdump-test-" });
  try {
    const vmcore = `${directory}/source`;
    const bytes = randomBytes(9 * 2 ** 20 + 4096, 3);
    bytes.fill(0, 2 ** 20, 6 * 2 ** 20);
    await Deno.writeFile(vmcore, bytes);
    const to = ["-s", `${server.address}:${server.port}`, "--quiet"];
    const first = await send(...to, "--hostname", "w1", "--panic", "p", "--arch", "amd64", vmcore);
    assertEquals(first.code, 0, first.stderr);
    await server.event("shipped");
    const [entry] = await catalogue(swift.store);
    // deno-lint-ignore no-explicit-any
    const { key, name } = entry.objects.find(({ name }: any) => name.startsWith("vmcore"));
    const credentials = `${directory}/credentials`;
    await Deno.writeTextFile(
      credentials,
      "aws_access_key_id = test:tester\naws_secret_access_key = testing\n",
      { mode: 0o600 },
    );
    const store = ["--s3-endpoint", swift.endpoint, "--s3-credentials", credentials];
    const again = await send(...to, ...store, "--json", `s3://dumps/${key}`);
    assertEquals([again.code, again.stderr], [0, ""]);
    const result = JSON.parse(again.stdout);
    assertEquals([result.finished, result.fileSize], [true, bytes.length]);
    assertEquals(result.headerFrom, `s3://dumps/${key.replace(/[^/]+$/, `kdh.${entry.host}.0`)}`);
    const { host } = await server.event("completed", ({ host }) => host !== entry.host);
    assertEquals(await Deno.readFile(server.path(`vmcore.${host}.0`)), bytes);
    assertEquals(
      await Deno.readFile(server.path(`kdh.${host}.0`)),
      await Deno.readFile(server.path(name.replace("vmcore", "kdh"))),
    );
    const absent = await send(...to, ...store, `s3://dumps/${key}x`);
    assertEquals(absent.code, 1);
    assertStringIncludes(absent.stderr, "is not in the bucket");
    const wrong = await send(...to, "--s3-endpoint", swift.endpoint, vmcore);
    assertEquals(wrong.code, 2);
    await server.stop();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

testWithSwift("--ship-keep removes local files behind the catalogue entry only", async () => {
  await using swift = await Swift.start();
  const args = [...SHIP, "--ship-keep", "0", "--linger", "0"];
  await using server = await ServerProcess.start({ args, env: swift.environment });
  const host = await receiveDump(server);
  const { files } = await server.event("ship-removed");
  assertEquals(files.toSorted(), [`info.${host}.0`, `kdh.${host}.0`, `vmcore.${host}.0`]);
  const [entry] = await catalogue(swift.store);
  // deno-lint-ignore no-explicit-any
  const key = entry.objects.find(({ name }: any) => name === `vmcore.${host}.0`).key;
  assertEquals(await unpacked(await swift.store.get(key)), core);
  await server.stop();
});

testWithSwift("a dump in parts goes on where a killed server was, and is in the catalogue once", async () => {
  await using swift = await Swift.start();
  const dir = await Deno.makeTempDir({ prefix: "netdump-test-" });
  const vmcore = `${dir}/source`;
  try {
    const bytes = randomBytes(80 * 2 ** 20, 7);
    await Deno.writeFile(vmcore, bytes);
    await Deno.mkdir(`${dir}/dumps`);
    const start = () => ServerProcess.start({ dir: `${dir}/dumps`, args: SHIP, env: swift.environment });
    for (let kills = 0; kills < 3; kills++) {
      await using server = await start();
      if (kills === 0) {
        const { code, stderr } = await send(
          ...["-s", `${server.address}:${server.port}`, "--hostname", "w1", "--panic", "p", vmcore],
        );
        assertEquals(code, 0, stderr);
      }
      await until(async () => await hasBegun(swift));
      await server.stop("SIGKILL");
    }
    await using server = await start();
    await until(async () => (await catalogue(swift.store)).length > 0);
    const entries = await catalogue(swift.store);
    assertEquals(entries.length, 1);
    // deno-lint-ignore no-explicit-any
    const { key } = entries[0].objects.find(({ name }: any) => name.startsWith("vmcore"));
    assertEquals(sha256(await unpacked(await swift.store.get(key))), sha256(bytes));
    assertEquals(await swift.store.uploads(key), []);
    await server.stop();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
