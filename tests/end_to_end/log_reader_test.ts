import { assert, assertEquals } from "@std/assert";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

const core = dumpBytes(1, 8192);
const header = dumpHeader(core.byteLength);
/** Clients at once, and dumps of each: with their paths, more than a pipe holds, and what waits behind it. */
const CLIENTS = 4;
const DUMPS = 35;
/** Told in a line, with six characters for each of these. */
const PATH = "\x1b".repeat(1000);

/** Dumps, one after the other; each message must be acked. */
async function sendDumps(server: ServerProcess, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await using client = new RawClient(server);
    // Resends, for a server takes only so many new sessions a second.
    await client.resending(1, () => client.herald(PATH));
    await client.dump(core, header);
    assert(sameBytes(server.path(`vmcore.${client.address}.0`), core), client.address);
  }
}

const args = ["--no-dns", "-D"];

for (const format of ["json", "text"]) {
  Deno.test(`serve goes on when the reader of its log (${format}) is gone`, async () => {
    await using server = await ServerProcess.start({ args: [...args, "--log-format", format] });
    await server.closeLog();
    await sendDumps(server, 3);
    assertEquals(await server.stop(), 0);
  });
}

Deno.test("serve acks while nobody reads its log, and tells how many lines it left out", async () => {
  await using server = await ServerProcess.start({ args });
  const resume = server.stallLog();
  await Promise.all(Array.from({ length: CLIENTS }, () => sendDumps(server, DUMPS)));
  resume();
  const { count } = await server.event("lines-left-out", ({ reason }) => reason === "reader");
  assert(count > 0);
  // Behind them, the log is as it was.
  const before = server.log("completed").length;
  await sendDumps(server, 1);
  await server.until(() => server.log("completed").length > before, "the next dump");
  assertEquals(await server.stop(), 0);
});

Deno.test({
  name: "serve goes on when the disk of its log is full" +
    (Deno.build.os === "linux" ? "" : " (skipped: no /dev/full)"),
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    // It cannot say that it has started, so its client tries until it has.
    const wrap = (command: readonly string[]) => ["sh", "-c", 'exec "$@" 2>/dev/full', "sh", ...command];
    await using server = ServerProcess.spawn({ args, wrap });
    await using client = new RawClient(server);
    await client.resending(1, () => client.herald(PATH));
    await client.dump(core, header);
    assert(sameBytes(server.path(`vmcore.${client.address}.0`), core));
    assertEquals(await server.stop(), 0);
  },
});
