/** Several collectors and one bucket, with the store and the collectors killed while dumps come. */
import { assert, assertEquals } from "@std/assert";
import { Swift, testWithSwift, unpacked } from "../archive/swift.ts";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { seededRandom } from "../helpers.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

const COLLECTORS = 3;
const ROUNDS = 3;
const PATIENCE_MS = 90_000;
const SEED = Number(Deno.env.get("NETDUMP_FLEET_SEED") ?? Date.now() % 1_000_000);

testWithSwift(
  `every complete dump is in the catalogue once, whatever is killed (NETDUMP_FLEET_SEED=${SEED})`,
  async () => {
    const random = seededRandom(SEED);
    await using swift = await Swift.start();
    const dirs = Array.from({ length: COLLECTORS }, () => Deno.makeTempDirSync({ prefix: "netdump-test-" }));
    const sent = new Map<string, Uint8Array>();
    const args = ["--ship", "s3://dumps/fleet", "--no-dns", "--linger", "0", "--ship-keep", "0"];
    const environment = swift.environment;
    const serve = (dir: string) => ServerProcess.start({ dir, args, env: environment });
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await Promise.all(dirs.map(async (dir) => {
          await using server = await serve(dir);
          await using client = new RawClient(server);
          const core = dumpBytes(Math.floor(random() * 1e6), 4096 * (1 + Math.floor(random() * 64)));
          await client.connect();
          await client.dump(core, dumpHeader(core.byteLength));
          sent.set(client.address, core);
          // A kill behind the last ack, at any moment of shipping.
          await new Promise((resolve) => setTimeout(resolve, random() * 400));
          await server.stop("SIGKILL");
        }));
        await swift.kill();
        await swift.restart();
      }
      const servers = await Promise.all(dirs.map(serve));
      try {
        const { store } = swift;
        const count = async () => (await Array.fromAsync(store.list("fleet/catalog/v1/"))).length;
        for (const lateMs = Date.now() + PATIENCE_MS; await count() < sent.size;) {
          if (Date.now() > lateMs) throw new Error(servers.flatMap(({ lines }) => lines).join("\n"));
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        const seen = new Set<string>();
        for await (const { key } of store.list("fleet/catalog/v1/")) {
          const entry = JSON.parse(new TextDecoder().decode(await store.get(key)));
          assert(entry.complete, key);
          assert(!seen.has(entry.host), `${entry.host} is there twice`);
          seen.add(entry.host);
          // deno-lint-ignore no-explicit-any
          const core = entry.objects.find(({ name }: any) => name.startsWith("vmcore"));
          assertEquals(await unpacked(await store.get(core.key)), sent.get(entry.host));
        }
        assertEquals([...seen].sort(), [...sent.keys()].sort());
      } finally {
        for (const server of servers) await server[Symbol.asyncDispose]();
      }
    } finally {
      for (const dir of dirs) await Deno.remove(dir, { recursive: true });
    }
  },
);
