/** `netdump serve --webhook`, with a receiver of the test's own. */
import { assertEquals, assertMatch } from "@std/assert";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

const core = dumpBytes(1, 8192);

Deno.test("serve posts a dump with the authorization of its environment, again after an error, and logs neither", async () => {
  const requests: { authorization: string | null; type: string | null; body: string }[] = [];
  await using receiver = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { headers } = request;
      requests.push({
        authorization: headers.get("authorization"),
        type: headers.get("content-type"),
        body: await request.text(),
      });
      return new Response(null, { status: requests.length === 1 ? 503 : 204 });
    },
  );
  await using server = await ServerProcess.start({
    args: ["--webhook", `http://127.0.0.1:${receiver.addr.port}/hook?token=hidden`, "--no-dns"],
    env: { NETDUMP_WEBHOOK_AUTHORIZATION: "Bearer secret" },
  });
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, dumpHeader(core.byteLength));
  const { result, message } = await server.event("webhook");
  assertEquals(result, { result: "delivered", tries: 2, status: 204 });
  assertMatch(message, /^The webhook took the dump \(status 204, try 2\)$/);
  assertEquals(requests.map(({ authorization, type }) => [authorization, type]), [
    ["Bearer secret", "application/json"],
    ["Bearer secret", "application/json"],
  ]);
  const { event, dump } = JSON.parse(requests[1]!.body);
  assertEquals([event, dump.client, dump.receivedBytes], ["completed", client.address, 8192]);
  assertEquals(await server.stop(), 0);
  assertEquals(server.lines.filter((line) => /secret|hidden/.test(line)), []);
});

Deno.test("a webhook that nobody takes is told, without the address's secrets, and holds up no dump", async () => {
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  await using server = await ServerProcess.start({
    args: ["--webhook", `http://127.0.0.1:${port}/hook?token=hidden`, "--no-dns"],
  });
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, dumpHeader(core.byteLength));
  await server.event("completed");
  assertEquals(await server.stop(), 0);
  const { result } = await server.event("webhook");
  assertEquals(result.result, "failed");
  assertMatch(result.reason, /the server stopped|http:\/\/127\.0\.0\.1:\d+/);
  assertEquals(server.lines.filter((line) => line.includes("hidden")), []);
});
