/** `netdump serve --http`, as Prometheus, a load balancer and a person see it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { parseExposition } from "../serve/observers/exposition_parser.ts";
import { freshPort } from "./addresses.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

const core = dumpBytes(1, 8192);
const header = dumpHeader(core.byteLength);

async function get(url: string): Promise<{ status: number; body: string }> {
  const response = await fetch(url);
  return { status: response.status, body: await response.text() };
}

Deno.test("a server with --http tells of a dump in metrics and JSON, and says that it is ready", async () => {
  const port = freshPort();
  const base = `http://127.0.0.1:${port}`;
  await using server = await ServerProcess.start({ args: ["--http", `127.0.0.1:${port}`, "--no-dns"] });
  assertEquals(await get(`${base}/readyz`), { status: 200, body: "ok\n" });
  assertEquals(await get(`${base}/healthz`), { status: 200, body: "ok\n" });
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, header);
  await server.event("completed");
  const metrics = parseExposition((await get(`${base}/metrics`)).body);
  assertEquals(metrics.get("netdump_dumps_total")!.samples.get('netdump_dumps_total{outcome="complete"}'), 1);
  assertEquals(
    metrics.get("netdump_received_bytes_total")!.samples.get("netdump_received_bytes_total"),
    8192,
  );
  assertEquals(metrics.get("netdump_ready")!.samples.get("netdump_ready"), 1);
  const { ended } = JSON.parse((await get(`${base}/api/v1/dumps`)).body);
  assertEquals([ended.length, ended[0].client, ended[0].complete], [1, client.address, true]);
  assertEquals(await server.stop(), 0);
});

Deno.test("a directory that can no longer be written makes /healthz and /readyz say so, and one line of the log", async () => {
  const port = freshPort();
  await using server = await ServerProcess.start({ args: ["--http", `127.0.0.1:${port}`] });
  await Deno.rename(server.path(".netdump"), server.path("away"));
  for (const way of ["healthz", "readyz"]) {
    const { status, body } = await get(`http://127.0.0.1:${port}/${way}`);
    assertEquals(status, 503, way);
    assertMatch(
      body,
      /^Cannot create a file in dump directory .*; no dump can be received until that is mended\n$/,
    );
  }
  await Deno.rename(server.path("away"), server.path(".netdump"));
  await server.event("not-ready", ({ check, blocks }) => check === "directory" && blocks);
  for (let status = 503; status !== 200;) status = (await get(`http://127.0.0.1:${port}/readyz`)).status;
  await server.event("mended", ({ check }) => check === "directory");
  assertEquals(server.log("not-ready").filter(({ check }) => check === "directory").length, 1);
});

Deno.test("--http refuses an address that others reach, unless that is meant, and a port that is taken", async () => {
  const refused = ServerProcess.spawn({ args: ["--http", "0.0.0.0:9123"] });
  assertEquals(await refused.ended(), 1);
  assertMatch(
    refused.lines.join("\n"),
    /Cannot serve the status page on 0\.0\.0\.0:9123: .*--http-public allows it/,
  );
  const port = freshPort();
  using _taken = Deno.listen({ hostname: "127.0.0.1", port });
  const second = ServerProcess.spawn({ args: ["--http", `127.0.0.1:${port}`] });
  assertEquals(await second.ended(), 1);
  assertMatch(second.lines.join("\n"), /Cannot serve the status page on 127\.0\.0\.1:\d+: .*in use/i);
  const open = freshPort();
  await using server = await ServerProcess.start({ args: ["--http", `0.0.0.0:${open}`, "--http-public"] });
  assert((await get(`http://127.0.0.1:${open}/readyz`)).status === 200, server.address);
});
