import { assert, assertEquals, assertLess } from "@std/assert";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { freshAddress, freshPort } from "./addresses.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

const isSkipped = Deno.build.os === "windows";
const skipped = isSkipped ? " (skipped: no ulimit)" : "";

/** The rest of a dump whose first message is in. */
async function finish(client: RawClient, core: Uint8Array): Promise<void> {
  const seqno = await client.data(3, core.subarray(4096), 4096);
  await client.kdh(seqno, dumpHeader(core.byteLength));
  await client.acked(seqno);
  await client.finished(seqno + 1);
  await client.acked(seqno + 1);
}

for (
  const [descriptors, company] of [[96, ""], [256, ""], [
    256,
    " beside a full status page and hooks",
  ]] as const
) {
  Deno.test({
    name:
      `serve with ${descriptors} descriptors finishes each dump that it admits${company}, and refuses the others${skipped}`,
    ignore: isSkipped,
    fn: async () => {
      const http = { hostname: freshAddress(), port: freshPort() };
      const more = company === "" ? [] : ["--http", `${http.hostname}:${http.port}`, "--exec", "/bin/true"];
      await using server = await ServerProcess.start({
        args: ["--no-dns", "--workers", "1", ...more],
        wrap: (command) => ["sh", "-c", 'ulimit -n "$0"; exec "$@"', `${descriptors}`, ...command],
      });
      const { dumps } = server.log("capacity")[0]!;
      assert(dumps > 0 && dumps < descriptors / 3, `room for ${dumps} dumps`);
      using visitors = new DisposableStack();
      for (let i = 0; company !== "" && i < 40; i++) visitors.use(await Deno.connect(http));
      await using clients = new AsyncDisposableStack();
      const all = Array.from({ length: dumps + 3 }, () => clients.use(new RawClient(server)));
      const admitted: RawClient[] = [];
      const core = dumpBytes(1, 5 * 4096);
      for (const client of all) {
        await client.herald();
        if (!await client.answered(1)) continue;
        admitted.push(client);
        // A session without data would give way to the next.
        await client.data(2, core.subarray(0, 4096));
      }
      assertEquals(admitted.length, dumps, server.lines.join("\n"));
      // All at once: each has as many descriptors in use as it ever will when the others end.
      await Promise.all(admitted.map((client) => finish(client, core)));
      for (const { address } of admitted) assert(sameBytes(server.path(`vmcore.${address}.0`), core));
      assertEquals(server.lines.filter((line) => /too many open files/i.test(line)), []);
      // There is room again.
      const late = all.find((client) => !admitted.includes(client))!;
      late.forgetAcks();
      await late.resending(1, () => late.herald());
      await late.dump(core, dumpHeader(core.byteLength));
      assert(sameBytes(server.path(`vmcore.${late.address}.0`), core));
      assertLess(0, server.log("refused").length);
    },
  });
}
