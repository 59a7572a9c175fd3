/** Sessions of a receiver that crashed, and of a server that was killed, go on in another. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describeEvent } from "../../lib/serve/observers/log_text.ts";
import { journalLine, type JournalRecord } from "../../lib/serve/session/journal.ts";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { freshAddress, freshPort } from "../end_to_end/addresses.ts";
import { RawClient } from "../end_to_end/raw_client.ts";
import { ServerUnderTest } from "./server_under_test.ts";

const PAGE = 4096;
const core = dumpBytes(1, 2 * PAGE);
const header = dumpHeader(core.byteLength);

Deno.test("a receiver that crashes is replaced, and its sessions go on in the other: with data, without, and lingering", async () => {
  await using server = await ServerUnderTest.start();
  await using dumping = new RawClient(server);
  await using heralded = new RawClient(server);
  await using finished = new RawClient(server);
  await finished.connect();
  const seqno = await finished.dump(core, header);
  await dumping.connect();
  await dumping.data(2, core.subarray(0, PAGE));
  await heralded.connect();
  server.crash(0);
  assertEquals(server.workers.length, 2);
  assertMatch(
    describeEvent(server.events("receiver-crashed")[0]!),
    /its sessions are taken up by another: "boom\\x1b\[2J"$/,
  );

  await dumping.resending(3, () => dumping.vmcore(3, PAGE, core.subarray(PAGE)));
  await dumping.kdh(4, header);
  await dumping.acked(4);
  await dumping.finished(5);
  await dumping.acked(5);
  assert(sameBytes(`${server.temp.path}/vmcore.${dumping.address}.0`, core));
  await finished.resending(seqno, () => finished.finished(seqno));
  await heralded.resending(2, () => heralded.vmcore(2, 0, core));
  assertEquals(server.events("not-resumed"), []);
  assertEquals(server.events("not-labelled"), []);
});

Deno.test("a HERALD that a receiver acked just before it crashed is not forgotten", async () => {
  await using server = await ServerUnderTest.start();
  await using client = new RawClient(server);
  server.loses = "opened";
  await client.connect();
  server.crash(0);
  server.loses = undefined;
  await client.resending(2, () => client.vmcore(2, 0, core));
});

/** What a server may have come to that was killed as it made a dump's first files, in its order. */
const BEGINNINGS: readonly { readonly line?: JournalRecord; readonly file?: string }[] = [
  {},
  { line: { place: { directory: ".", host: "CLIENT" }, hostName: null } },
  { line: { reserving: 0 } },
  { file: "info.CLIENT.0" },
  { line: { index: 0 } },
  { file: "vmcore.CLIENT.0.incomplete" },
];

for (const [count, { line, file }] of BEGINNINGS.entries()) {
  const last = file ?? (line === undefined ? "the HERALD" : Object.keys(line)[0]);
  Deno.test(`a session whose server was killed behind ${last} goes on with the client's first data`, async () => {
    const address = freshAddress();
    const named = (text: string) => text.replaceAll("CLIENT", address);
    const port = freshPort();
    await using server = await ServerUnderTest.start({}, ({ temp, address: local }) => {
      const session = { id: "left", port, startedMs: Date.now(), client: address, local };
      const head = journalLine({ format: 2, session: { ...session, path: null, heraldSeqno: 1 } });
      const begun = BEGINNINGS.slice(0, count + 1);
      const lines = begun.flatMap(({ line }) => line === undefined ? [] : [named(journalLine(line))]);
      Deno.mkdirSync(`${temp.path}/.netdump`, { mode: 0o700 });
      Deno.writeTextFileSync(`${temp.path}/.netdump/left.journal`, [head, ...lines].join(""));
      for (const { file } of begun) {
        if (file !== undefined) Deno.writeTextFileSync(`${temp.path}/${named(file)}`, "");
      }
    });
    await using client = new RawClient(server, address);
    client.serverPort = port;
    await client.resending(2, () => client.vmcore(2, 0, core));
    await client.kdh(3, header);
    await client.acked(3);
    await client.finished(4);
    await client.acked(4);
    assert(sameBytes(`${server.temp.path}/vmcore.${address}.0`, core));
    assertEquals(server.events("not-resumed"), []);
  });
}
