/**
 * Weaknesses of FreeBSD's netdumpd (reference netdump-protocol.md, section 6) with messages and acks: none of
 * them is ours. Those that can only be seen inside the server are shown there, on its parts.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { MAX_PAYLOAD_SIZE } from "../../../lib/protocol/message.ts";
import { AckSender } from "../../../lib/udp/ack_sender.ts";
import { type FileSystem, realFileSystem } from "../../../lib/os/file_system.ts";
import { dumpBytes, dumpHeader, sameBytes } from "../../dump_data.ts";
import { plainDump } from "../../serve/dump_script.ts";
import { ReceiverHarness } from "../../serve/receiver_harness.ts";
import { TempDir } from "../../temp_dir.ts";
import { freshAddress } from "../addresses.ts";
import { assertOneCompleteDump, namesOf } from "../complete_dump.ts";
import { kclient, NO_KCLIENT } from "../kclient.ts";
import { sendAsKernel } from "../kernel_client.ts";
import { RawClient } from "../raw_client.ts";
import { SHORT_TIMEOUT } from "../server_process.ts";
import { WAYS } from "../ways.ts";
import { core, header, infoOf, PAGE, serve } from "./server_and_dump.ts";

Deno.test("weakness 1, lost ack of FINISHED: it is acked again as often as it comes", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  await client.connect();
  const seqno = await client.dump(core, header);
  for (let i = 0; i < 3; i++) {
    await client.finished(seqno);
    await client.acked(seqno);
  }
  await assertOneCompleteDump(server, client.address, core);
});

Deno.test("weakness 2, ack before write: a server killed right after an ack has the bytes in the file", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  await client.connect();
  await client.data(2, core);
  await server.stop("SIGKILL");
  assert(sameBytes(server.path(`vmcore.${client.address}.0.incomplete`), core));
});

Deno.test("weakness 3, buffer dropped: time-out and second HERALD keep every acked byte", async () => {
  await using server = await serve("--timeout", SHORT_TIMEOUT);
  await using client = new RawClient(server);
  await client.connect();
  await client.data(2, core);
  const firstPort = client.serverPort;
  await client.connect();
  client.serverPort = firstPort;
  const line = await server.event("incomplete");
  assertEquals([line.outcome, line.reason], ["timeout", "client timed out"]);
  assert(sameBytes(server.path(`vmcore.${client.address}.0.incomplete`), core));
  assertMatch(infoOf(server, client), /\nDump incomplete: client timed out\n$/);
});

for (const operation of ["sync", "syncDirectory"] as const) {
  Deno.test(`weakness 4, fsync failure only logged: no ack of FINISHED when ${operation} fails, and no "complete"`, async () => {
    using temp = new TempDir();
    Deno.mkdirSync(join(temp.path, ".netdump"));
    const failure = Object.assign(new Error("EIO"), { code: "EIO" });
    const fs: FileSystem = { ...realFileSystem, [operation]: () => Promise.reject(failure) };
    const receiver = new ReceiverHarness(temp.path, fs);
    await receiver.open();
    for (const burst of plainDump().bursts.slice(0, -1)) assert(await receiver.send(...burst));
    assertEquals(await receiver.send(...plainDump().bursts.at(-1)!), false);
    await receiver.stop();
    const { finished } = receiver;
    assertEquals([finished?.outcome, finished?.complete], ["error", false]);
    assertStringIncludes(
      Deno.readTextFileSync(join(temp.path, "info.w1.0")),
      "\nDump incomplete: cannot make the dump final: input/output error\n",
    );
  });
}

Deno.test("weakness 5, payloads of 4096 bytes at most: 65,483 bytes in a datagram arrive", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  const large = dumpBytes(3, 3 * MAX_PAYLOAD_SIZE);
  await client.connect();
  for (let i = 0; i < 3; i++) {
    await client.vmcore(
      2 + i,
      i * MAX_PAYLOAD_SIZE,
      large.subarray(i * MAX_PAYLOAD_SIZE, (i + 1) * MAX_PAYLOAD_SIZE),
    );
    await client.acked(2 + i);
  }
  await client.kdh(5, dumpHeader(large.byteLength));
  await client.acked(5);
  await client.finished(6);
  await client.acked(6);
  await assertOneCompleteDump(server, client.address, large);
});

Deno.test("weakness 6, no gap detection: a dump with a hole is acked, named and labelled as incomplete", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  const whole = dumpBytes(4, 4 * PAGE);
  await client.connect();
  await client.vmcore(2, 0, whole.subarray(0, PAGE));
  await client.vmcore(4, 2 * PAGE, whole.subarray(2 * PAGE));
  await client.acked(2, 4);
  await client.kdh(5, dumpHeader(whole.byteLength));
  await client.acked(5);
  await client.finished(6);
  await client.acked(6);
  const reason = "holes: 4096 of 16384 bytes missing in 1 range";
  assertMatch(infoOf(server, client), /\n {2}Missing: 0x1000-0x2000 \(4096 bytes\)\n/);
  assertStringIncludes(infoOf(server, client), `\nDump incomplete: ${reason}\n`);
  const line = await server.event("incomplete");
  assertEquals([line.reason, line.missing], [reason, [{ start: PAGE, end: 2 * PAGE }]]);
  assertStringIncludes(line.message, "missing: 0x1000-0x2000");
  await server.until(() => server.names().includes(`bounds.${client.address}`), "bounds");
  assertEquals(namesOf(server, client.address), [
    `bounds.${client.address}`,
    `info.${client.address}.0`,
    `kdh.${client.address}.0`,
    `vmcore.${client.address}.0.incomplete`,
  ]);
});

for (const [words, way] of WAYS) {
  Deno.test({
    name:
      `weakness 6, silent holes by 32-bit ack masks: a kernel's dump over a lossy path arrives identical${words}` +
      (NO_KCLIENT === undefined ? "" : ` (skipped: ${NO_KCLIENT})`),
    ignore: NO_KCLIENT !== undefined,
    fn: async () => {
      await using server = await serve(...way);
      const address = freshAddress();
      const sent = server.path(`${address}.sent`);
      const args = ["--kernel-acks", "--loss", "0.02", "--bytes", "2M", "--polls", "200", "--retries", "600"];
      const report = await kclient(server, address, [...args, "--save", sent]);
      assertEquals(report.status, "ok");
      const { savedPackets, complete } = await server.event("completed");
      const core = Deno.readFileSync(sent);
      Deno.removeSync(sent);
      assert(complete && savedPackets > 0, "no packet was lost that an early ack would have hidden");
      await assertOneCompleteDump(server, address, core);
    },
  });
}

Deno.test("weakness 10, truncation at KDH time: data behind the KDH is cut at the end all the same", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  const length = core.byteLength - 100;
  await client.connect();
  await client.kdh(2, dumpHeader(length, { compression: "zstd" }));
  await client.acked(2);
  await client.data(3, core);
  await client.finished(5);
  await client.acked(5);
  await assertOneCompleteDump(server, client.address, core.subarray(0, length), {
    coreName: `vmcore.${client.address}.0.zst`,
  });
});

Deno.test("weakness 16, receive error ends the dump: acks that bounce do not", async () => {
  await using server = await serve();
  const address = freshAddress();
  let port: number | undefined;
  {
    await using client = new RawClient(server, address);
    await client.connect();
    port = client.serverPort;
    for (let i = 0; i < 50; i++) await client.vmcore(2, 0, core.subarray(0, PAGE));
  }
  // The client's port is closed: what is acked now comes back as "port unreachable".
  await using client = new RawClient(server, address);
  client.serverPort = port;
  await client.resending(3, () => client.vmcore(3, PAGE, core.subarray(PAGE)));
  await client.kdh(4, header);
  await client.acked(4);
  await client.finished(5);
  await client.acked(5);
  await assertOneCompleteDump(server, address, core);
});

Deno.test("weakness 20, failed ack sends only logged: they are sent again", async () => {
  const sent: number[] = [];
  let failures = 3;
  const socket = {
    send(bytes: Uint8Array) {
      if (failures-- > 0) return Promise.reject(new Error("No buffer space available (os error 55)"));
      sent.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
      return Promise.resolve(4);
    },
  } as unknown as Deno.DatagramConn;
  const errors: unknown[] = [];
  const acks: AckSender = new AckSender(
    socket,
    { transport: "udp", hostname: "192.0.2.7", port: 20024 },
    (error) => errors.push(error),
    () => acks.flush(1),
  );
  acks.queue.push(5, 6, 7, 8);
  acks.flush(1);
  for (const lateMs = Date.now() + 60_000; new Set(sent).size < 4 && Date.now() < lateMs;) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals([...new Set(sent)].toSorted(), [5, 6, 7, 8]);
  assertEquals(errors.length, 3);
});

Deno.test("a kernel without losses is acked without delay at MTU 1500 and 9000", async () => {
  await using server = await serve();
  for (const mtu of [1500, 9000]) {
    const address = freshAddress();
    const data = dumpBytes(mtu, 1024 * 1024);
    const started = performance.now();
    const { ok, resends } = await sendAsKernel(server, address, {
      core: data,
      header: dumpHeader(data.byteLength),
      mtu,
    });
    assertEquals([ok, resends], [true, 0]);
    assert(performance.now() - started < 12_000);
    await assertOneCompleteDump(server, address, data);
  }
});
