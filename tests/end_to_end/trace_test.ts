import { assert, assertEquals, assertMatch } from "@std/assert";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { TempDir } from "../temp_dir.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

const core = dumpBytes(1, 16 * 4096);

Deno.test("serve --trace has a line for each run that was stored, which together are the dump; the log has none of them", async () => {
  using temp = new TempDir("disk");
  const path = `${temp.path}/trace`;
  await using server = await ServerProcess.start({ args: ["--trace", path, "--debug", "--no-dns"] });
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, dumpHeader(core.byteLength));
  const { id } = await server.event("completed");
  await server.event(
    "pace",
    ({ message }) => /^Receiver \d stored 16 messages in \d+ writes, /.test(message),
  );
  assertEquals(await server.stop(), 0);
  assertEquals(server.log("run"), []);
  const lines = Deno.readTextFileSync(path).trimEnd().split("\n").map((line) => JSON.parse(line));
  let offset = 0;
  let messages = 0;
  for (const line of lines) {
    assertEquals([line.id, line.offset, line.seqno], [id, offset, lines[0].seqno + messages]);
    assert(line.gatherMs >= 0 && line.storeMs > 0, JSON.stringify(line));
    assertMatch(line.time, /^\d{4}-\d\d-\d\dT/);
    offset += line.bytes;
    messages += line.messages;
  }
  assertEquals([offset, messages], [core.byteLength, 16]);
  // No run has fewer than one ack, none of a client with such batches is held.
  assertEquals(lines.reduce((sum, { acks }) => sum + acks, 0), 16);
});

Deno.test("serve says if it cannot write a trace", async () => {
  const server = ServerProcess.spawn({ args: ["--trace", "/nowhere/trace"] });
  assertEquals(await server.ended(), 1);
  assertMatch(
    server.lines.join("\n"),
    /Cannot write the trace to "\/nowhere\/trace": no such file or directory/i,
  );
});
