/**
 * The 36 weaknesses of FreeBSD's netdumpd (reference netdump-protocol.md, section 6): none of them is ours. Those
 * that can only be seen inside the server are shown there, on its parts.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { encodeHeader, HEADER_SIZE, MAX_PAYLOAD_SIZE, MessageType } from "../../lib/protocol/message.ts";
import { AckSender } from "../../lib/udp/ack_sender.ts";
import { raiseBounds } from "../../lib/serve/store/dump_directory.ts";
import { type FileSystem, realFileSystem } from "../../lib/os/file_system.ts";
import type { HookResult, Observe } from "../../lib/serve/events.ts";
import { Hook } from "../../lib/serve/observers/hook.ts";
import { HostNames } from "../../lib/serve/hostname.ts";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { encryptedDump, plainDump } from "../serve/dump_script.ts";
import { watchedFileSystem } from "../serve/faulty_file_system.ts";
import { ReceiverHarness } from "../serve/receiver_harness.ts";
import { TempDir } from "../temp_dir.ts";
import { freshAddress } from "./addresses.ts";
import { assertOneCompleteDump, namesOf } from "./complete_dump.ts";
import { HookProgram } from "./hook_program.ts";
import { kclient, NO_KCLIENT } from "./kclient.ts";
import { sendAsKernel } from "./kernel_client.ts";
import { RawClient } from "./raw_client.ts";
import { netdumpCommand, ServerProcess } from "./server_process.ts";
import { WAYS } from "./ways.ts";

const PAGE = 4096;
const core = dumpBytes(1, 2 * PAGE);
const header = dumpHeader(core.byteLength);
const key = dumpBytes(2, PAGE);

/** A server that names dumps by address, so that every client has a series of its own. */
async function serve(...args: string[]): Promise<ServerProcess> {
  return await ServerProcess.start({ args: ["--no-dns", ...args] });
}

function infoOf(server: ServerProcess, client: RawClient, index = 0): string {
  return server.text(`info.${client.address}.${index}`);
}

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
  await using server = await serve("--timeout", "500ms");
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
  await server.until(() => server.names().includes(`bounds.${client.address}`), 20_000, "bounds");
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
      const args = ["--kernel-acks", "--loss", "0.02", "--bytes", "2M", "--polls", "200", "--save", sent];
      const report = await kclient(server, address, args);
      assertEquals(report.status, "ok");
      const { savedPackets, complete } = await server.event("completed");
      const core = Deno.readFileSync(sent);
      Deno.removeSync(sent);
      assert(complete && savedPackets > 0, "no packet was lost that an early ack would have hidden");
      await assertOneCompleteDump(server, address, core);
    },
  });
}

Deno.test("weakness 7, KDH accepted unchecked: wrong magic, wrong parity and wrong sizes are told, pieces are put together", async () => {
  await using server = await serve();
  const bad = { magic: header.slice(), parity: header.slice() };
  bad.magic[0] = 0x66;
  bad.parity[400]! ^= 1;
  for (
    const [bytes, reason] of [
      [bad.magic, "the kernel dump header is unreadable (the magic is not a kernel dump's)"],
      [bad.parity, "the kernel dump header's parity is wrong"],
    ] as const
  ) {
    await using client = new RawClient(server);
    await client.connect();
    await client.dump(core, bytes);
    assertStringIncludes(infoOf(server, client), `\nDump incomplete: ${reason}\n`);
    assert(sameBytes(server.path(`kdh.${client.address}.0`), bytes), "the header is kept as it came");
  }
  await using client = new RawClient(server);
  await client.connect();
  await client.data(2, core);
  await client.kdh(4, new Uint8Array(513));
  await client.kdh(4, new Uint8Array());
  await client.kdh(4, header, 1);
  await client.silence();
  await client.kdh(4, header.subarray(0, 300));
  await client.kdh(5, header.subarray(300), 300);
  await client.acked(4, 5);
  await client.finished(6);
  await client.acked(6);
  await assertOneCompleteDump(server, client.address, core);
});

Deno.test("weakness 8, KDH versions compared without byte swap: each of the four is read by its own layout", async () => {
  await using server = await serve();
  for (const version of [1, 2, 3, 4]) {
    await using client = new RawClient(server);
    const compression = version > 2 ? "gzip" : null;
    await client.connect();
    await client.dump(
      core,
      dumpHeader(core.byteLength, { version, panicString: `panic ${version}`, compression }),
    );
    assertStringIncludes(infoOf(server, client), `\n  Panic String: panic ${version}\n`);
    assertStringIncludes(infoOf(server, client), "\n  Header Parity Check: Pass\n");
    const suffix = version > 2 ? ".gz" : "";
    await assertOneCompleteDump(server, client.address, core, {
      coreName: `vmcore.${client.address}.0${suffix}`,
    });
  }
});

Deno.test("weakness 9, duplicate KDH: one block in the info file, one suffix", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  const compressed = dumpHeader(core.byteLength, { compression: "gzip", dumpKeySize: PAGE });
  await client.connect();
  await client.data(2, core);
  for (let i = 0; i < 3; i++) {
    await client.kdh(4, compressed);
    await client.acked(4);
  }
  await client.key(5, 0, key);
  await client.acked(5);
  await client.kdh(4, compressed);
  await client.acked(4);
  await client.finished(6);
  await client.acked(6);
  assertEquals(infoOf(server, client).match(/Architecture:/g)?.length, 1);
  await assertOneCompleteDump(server, client.address, core, {
    coreName: `vmcore_encrypted.${client.address}.0.gz`,
    key,
  });
});

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

Deno.test("weakness 11, raw KDH discarded: it is kept as kdh.<host>.<n>", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, header);
  assert(sameBytes(server.path(`kdh.${client.address}.0`), header));
});

Deno.test("weakness 12, key offset cut to 32 bits and key file not exclusive: far offsets and taken names are refused", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  const taken = `key.${client.address}.0`;
  Deno.writeTextFileSync(server.path(taken), "another key");
  await client.connect();
  await client.data(2, core);
  await client.key(4, 2 ** 32, key);
  await client.silence();
  for (let i = 0; i < 2; i++) {
    for (const [seqno, at] of [[4, 0], [5, 1448], [6, 2896]] as const) {
      await client.key(seqno, at, key.subarray(at, at + 1448));
      await client.acked(seqno);
    }
  }
  await client.kdh(7, dumpHeader(core.byteLength, { dumpKeySize: PAGE }));
  await client.acked(7);
  await client.finished(8);
  await client.acked(8);
  assertEquals(server.text(taken), "another key");
  assert(sameBytes(server.path(`key.${client.address}.1`), key));
  assertEquals(Deno.statSync(server.path(`key.${client.address}.1`)).mode! & 0o777, 0o400);
  assert(sameBytes(server.path(`vmcore_encrypted.${client.address}.1`), core));
});

Deno.test("weakness 13, late or forged HERALD kills a live dump: it goes on beside the new session", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  await client.connect();
  await client.data(2, core.subarray(0, PAGE));
  const port = client.serverPort;
  await client.connect();
  client.serverPort = port;
  await client.data(3, core.subarray(PAGE), PAGE);
  await client.kdh(4, header);
  await client.acked(4);
  await client.finished(5);
  await client.acked(5);
  await assertOneCompleteDump(server, client.address, core);
});

Deno.test("weakness 14, key messages do not count as data: a reboot after the key gets a dump of its own", async () => {
  await using server = await serve("--timeout", "500ms");
  await using client = new RawClient(server);
  await client.connect();
  await client.key(2, 0, key);
  await client.acked(2);
  client.serverPort = undefined;
  await client.connect();
  await client.dump(core, header);
  await server.event("incomplete");
  assert(sameBytes(server.path(`vmcore.${client.address}.1`), core));
  assertStringIncludes(infoOf(server, client, 0), "\nDump incomplete: client timed out\n");
});

Deno.test("weakness 15, partial encrypted dump keeps the plain name: a key message is enough to name it", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  await client.connect();
  await client.data(2, core);
  await client.key(4, 0, key);
  await client.acked(4);
  assert(namesOf(server, client.address).includes(`vmcore_encrypted.${client.address}.0.incomplete`));
  assertEquals(await server.stop(), 0);
  assert(sameBytes(server.path(`vmcore_encrypted.${client.address}.0.incomplete`), core));
  assertEquals(Deno.statSync(server.path(`key.${client.address}.0`)).mode! & 0o777, 0o400);
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

Deno.test("weakness 17, state keyed by address only: one client dumps to two addresses of the server at once", async () => {
  await using server = await ServerProcess.start({ args: ["--no-dns", "--bind", freshAddress()] });
  const [second] = server.log("listening")[0]!.addresses.filter((address: string) =>
    address !== server.address
  );
  const address = freshAddress();
  await using first = new RawClient(server, address);
  await first.connect();
  await first.data(2, core.subarray(0, PAGE));
  const firstPort = first.serverPort;
  // The same client address cannot be bound twice, so this one socket speaks to both.
  const other = { address: second as string, port: server.port };
  const { serverPort, datagram } = await heraldFrom(first, other);
  assert(serverPort !== firstPort);
  await datagram(MessageType.VMCORE, 2, 0, core);
  await first.data(3, core.subarray(PAGE), PAGE);
  await first.kdh(4, header);
  await first.acked(4);
  await first.finished(5);
  await first.acked(5);
  assert(sameBytes(server.path(`vmcore.${address}.0`), core));
  assert(sameBytes(server.path(`vmcore.${address}.1.incomplete`), core));
});

/** Heralds another address of the server from a client's socket. */
async function heraldFrom(client: RawClient, server: { address: string; port: number }) {
  const send = async (
    type: MessageType,
    seqno: number,
    offset: number,
    payload: Uint8Array,
    port: number,
  ) => {
    const bytes = new Uint8Array(HEADER_SIZE + payload.byteLength);
    encodeHeader(new DataView(bytes.buffer), type, seqno, offset, payload.byteLength);
    bytes.set(payload, HEADER_SIZE);
    return await client.exchange(bytes, server.address, port);
  };
  const serverPort = await send(MessageType.HERALD, 1, 0, new Uint8Array(), server.port);
  return {
    serverPort,
    datagram: (type: MessageType, seqno: number, offset: number, payload: Uint8Array) =>
      send(type, seqno, offset, payload, serverPort),
  };
}

Deno.test("weakness 18, no resume: a killed and restarted server goes on with the dump on the same port", async () => {
  await using first = await serve();
  await using client = new RawClient(first);
  await client.connect();
  await client.data(2, core.subarray(0, PAGE));
  await first.stop("SIGKILL");
  await using second = await ServerProcess.start({
    dir: first.dir,
    address: first.address,
    port: first.port,
    args: ["--no-dns"],
  });
  await second.event("resumed");
  await client.data(3, core.subarray(PAGE), PAGE);
  await client.kdh(4, header);
  await client.acked(4);
  await client.finished(5);
  await client.acked(5);
  await assertOneCompleteDump(second, client.address, core);
});

Deno.test("weakness 19, handler race: the info file is whole when the hook starts", async () => {
  using program = new HookProgram(`tail -n 1 "$4" > seen`);
  await using server = await serve("--exec", program.path);
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, header);
  await server.event("hook");
  assertEquals(server.text("seen"), "Dump complete\n");
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
  for (let i = 0; i < 100 && new Set(sent).size < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals([...new Set(sent)].toSorted(), [5, 6, 7, 8]);
  assertEquals(errors.length, 3);
});

Deno.test("weakness 21, host label from DNS used unfiltered: only letters, digits, _ and - reach a file name", async () => {
  const names = (hostName: string) => new HostNames(() => Promise.resolve(hostName)).name("192.0.2.7");
  assertEquals((await names("../../etc/passwd")).label, "192.0.2.7");
  assertEquals((await names("a/b;$(reboot)\x1b[2J\n.example.org")).label, "abreboot2J");
  assertEquals((await names("w".repeat(200))).label.length, 63);
  assertEquals((await names("w1.example.org")).label, "w1");
});

Deno.test("weakness 22, bounds rewritten in place: at every moment the file holds the old number or the new one", async () => {
  using temp = new TempDir();
  const bounds = join(temp.path, "bounds.w1");
  Deno.writeTextFileSync(bounds, "7\n");
  const seen = new Set<string>();
  const fs = watchedFileSystem(() => seen.add(Deno.readTextFileSync(bounds)));
  await raiseBounds(fs, temp.path, "w1", 8);
  assertEquals([...seen], ["7\n", "8\n"]);
  await raiseBounds(realFileSystem, temp.path, "w1", 3);
  assertEquals(Deno.readTextFileSync(bounds), "8\n");
});

Deno.test("weakness 23, only info is created exclusively: an index whose core, header or key exists is not used", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  const host = client.address;
  const old = [
    `vmcore.${host}.0`,
    `vmcore_encrypted.${host}.1.gz`,
    `kdh.${host}.2`,
    `key.${host}.3`,
    `vmcore.${host}.4.incomplete`,
  ];
  for (const name of old) Deno.writeTextFileSync(server.path(name), "old");
  Deno.symlinkSync("/nowhere", server.path(`vmcore.${host}.5.zst`));
  await client.connect();
  await client.dump(core, header);
  for (const name of old) assertEquals(server.text(name), "old");
  assert(sameBytes(server.path(`vmcore.${host}.6`), core));
  await server.until(() => server.names().includes(`bounds.${host}`), 20_000, "bounds");
  assertEquals(server.text(`bounds.${host}`), "7\n");
});

Deno.test("weakness 24, links without suffix and not atomic: they lead to the real name, and only to complete dumps", async () => {
  using temp = new TempDir();
  Deno.mkdirSync(join(temp.path, ".netdump"));
  Deno.symlinkSync("vmcore.old", join(temp.path, "vmcore.w1.last"));
  const dump = encryptedDump();
  const receiver = new ReceiverHarness(temp.path, realFileSystem);
  await receiver.open();
  for (const burst of dump.bursts) {
    assertEquals(Deno.readLinkSync(join(temp.path, "vmcore.w1.last")), "vmcore.old");
    assert(await receiver.send(...burst));
  }
  assertEquals(Deno.readLinkSync(join(temp.path, "vmcore.w1.last")), dump.coreName);
  assertEquals(Deno.readLinkSync(join(temp.path, "info.w1.last")), "info.w1.0");
  await receiver.stop();

  const failing = new ReceiverHarness(temp.path, realFileSystem);
  await failing.open();
  for (const burst of dump.bursts.slice(0, 2)) await failing.send(...burst);
  await failing.stop();
  assertEquals(Deno.readLinkSync(join(temp.path, "vmcore.w1.last")), dump.coreName);
});

Deno.test("weakness 25, strings written raw: none of them forges an info line or drives the operator's terminal", async () => {
  await using server = await ServerProcess.start({ args: ["--no-dns", "--log-format", "text", "-D"] });
  await using client = new RawClient(server);
  const forged = dumpHeader(core.byteLength, {
    panicString: "boom\nDump complete\n  Hostname: forged\x1b[2J",
    hostname: "evil\r\nHostname: forged",
    versionString: "FreeBSD\x07\nDump complete\n",
    architecture: "amd64\x1b]0;",
  });
  await client.heraldWith(new TextEncoder().encode("no\x1b[31m\nsuch\u202edir\0"));
  await client.acked(1);
  await client.data(2, core);
  await client.kdh(4, forged);
  await client.acked(4);
  await server.until(() => server.lines.some((line) => line.includes("KDH from")), 5000);
  const text = infoOf(server, client) + server.lines.join("\n");
  // deno-lint-ignore no-control-regex
  assertEquals(text.match(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/g), null);
  assertEquals(text.match(/^Dump complete$/gm), null);
  assertEquals(text.match(/^ *Hostname: forged/gm), null);
  assertStringIncludes(text, "  Panic String: boom\\nDump complete\\n  Hostname: forged\\x1b[2J\n");
  assertStringIncludes(text, '"no\\x1b[31m\\nsuch\\u{202e}dir"');
});

Deno.test("weakness 26, wrong offset in the error message: it is the one in the core file", async () => {
  using temp = new TempDir();
  Deno.mkdirSync(join(temp.path, ".netdump"));
  const write: FileSystem["write"] = (fd, bytes, at, length, position) => {
    if (position === 3 * PAGE) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    realFileSystem.write(fd, bytes, at, length, position);
  };
  const receiver = new ReceiverHarness(temp.path, { ...realFileSystem, write });
  await receiver.open();
  for (const burst of plainDump().bursts) if (!await receiver.send(...burst)) break;
  await receiver.stop();
  assertEquals(receiver.finished?.reason, "write error at offset 12288: no space left on device");
});

Deno.test("weakness 27, info says little: it has client, times, bytes, messages and resends; kdh and key have the rest", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  await client.connect();
  await client.data(2, core.subarray(0, PAGE));
  await client.data(2, core.subarray(0, PAGE));
  await client.data(3, core.subarray(PAGE), PAGE);
  await client.kdh(4, header);
  await client.acked(4);
  await client.finished(5);
  await client.acked(5);
  const lines = infoOf(server, client).split("\n");
  assertEquals(lines.slice(0, 11), [
    `Dump from ${client.address} [${client.address}]`,
    "  Architecture: amd64",
    "  Architecture Version: 2",
    "  Dump Length: 8192B (0 MB)",
    "  Blocksize: 4096",
    "  Compression: none",
    lines[6]!,
    "  Hostname: crashed.example.org",
    "  Version String: FreeBSD 14.0-RELEASE #0 releng/14.0",
    "  Panic String: page fault",
    "  Header Parity Check: Pass",
  ]);
  assertMatch(lines[6]!, /^ {2}Dumptime: (Mon|Tue|Wed) Nov 1[345] \d\d:\d\d:20 2023$/);
  assertMatch(lines[11]!, /^ {2}Dumptime UTC: 2023-11-14T\d\d:\d\d:20Z$/);
  assertEquals(lines[12], `  Client: ${client.address}, received on ${server.address}`);
  assertMatch(lines[13]!, /^ {2}Started: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertMatch(lines[14]!, /^ {2}Ended: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertMatch(lines[15]!, /^ {2}Duration: .+, .+B\/s$/);
  assertEquals(lines.slice(16), [
    "  Received: 8192 bytes in 3 messages, 1 of them repeated",
    "Dump complete",
    "",
  ]);
});

Deno.test("weakness 28, no allow-list and state for every forged HERALD: strangers get no answer, and no HERALD a file", async () => {
  const friend = freshAddress();
  await using server = await serve("--allow", `${friend}/32`);
  await using allowed = new RawClient(server, friend);
  await using stranger = new RawClient(server);
  await stranger.herald();
  await stranger.silence();
  await allowed.connect();
  assertEquals(server.names(), []);
  await allowed.dump(core, header);
  await assertOneCompleteDump(server, friend, core);
  assertStringIncludes(
    (await server.event("refused")).message,
    `Refused a HERALD from ${stranger.address}: its address is in no network that --allow names`,
  );
});

Deno.test("weakness 29, no limits: sessions, sessions of one client and bytes of a dump are bounded", async () => {
  await using server = await serve(
    "--max-sessions-per-client",
    "1",
    "--max-sessions",
    "2",
    "--max-dump-size",
    "8k",
  );
  await using one = new RawClient(server);
  await one.connect();
  await one.data(2, core);
  await one.herald("elsewhere");
  await one.silence();
  assertStringIncludes((await server.event("refused")).message, "1 dumps from its address are running");
  await using two = new RawClient(server);
  await two.connect();
  await two.data(2, core);
  await using three = new RawClient(server);
  await three.herald();
  await three.silence();
  const refused = await server.event("refused", (line) => line.client === three.address);
  assertStringIncludes(refused.message, "2 sessions are open, which is the limit of --max-sessions");
  await two.vmcore(4, 2 * PAGE, core);
  await server.event("incomplete");
  await two.silence();
  assertStringIncludes(infoOf(server, two), "\nDump incomplete: the dump exceeds the limit of 8192 bytes\n");
  assert(sameBytes(server.path(`vmcore.${two.address}.0.incomplete`), core));
});

Deno.test("weakness 30, no limit on offsets: one packet makes no sparse file of any size, nor ends the dump", async () => {
  await using server = await serve("--max-dump-size", "1T");
  await using client = new RawClient(server);
  const largest = new Uint8Array(HEADER_SIZE + PAGE);
  encodeHeader(new DataView(largest.buffer), MessageType.VMCORE, 2, 0, PAGE);
  largest.fill(0xff, 8, 16);
  await client.connect();
  for (const offset of [2 ** 40, 2 ** 51, 2 ** 52 - PAGE]) await client.vmcore(2, offset, core);
  await client.datagram(largest);
  await client.silence();
  assertEquals(server.names(), []);
  await client.data(2, core.subarray(0, PAGE));
  for (const offset of [2 ** 40, 2 ** 51, 2 ** 52 - PAGE]) await client.vmcore(3, offset, core);
  await client.datagram(largest);
  await client.silence();
  assertEquals(Deno.statSync(server.path(`vmcore.${client.address}.0.incomplete`)).size, PAGE);
  await client.data(3, core.subarray(PAGE), PAGE);
  await client.kdh(4, header);
  await client.acked(4);
  await client.finished(5);
  await client.acked(5);
  await assertOneCompleteDump(server, client.address, core);
});

Deno.test({
  name: "weakness 31, descriptor leak: a HERALD repeated a hundred times has one socket" +
    (Deno.build.os === "linux" ? "" : " (skipped: no /proc)"),
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using server = await serve();
    await using client = new RawClient(server);
    const descriptors = () => Array.from(Deno.readDirSync(`/proc/${server.pid}/fd`)).length;
    await client.connect();
    const before = descriptors();
    for (let i = 0; i < 100; i++) {
      await client.herald();
      await client.acked(1);
    }
    assertEquals(descriptors(), before);
  },
});

Deno.test("weakness 32, log flood: HERALDs with bad paths make a bounded number of lines, and the rest is counted", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  for (let i = 0; i < 400; i++) await client.herald(`missing-${i}`);
  await client.acked(1);
  await server.stop();
  const refused = server.log("refused");
  assert(server.lines.length <= 120, `${server.lines.length} lines`);
  // Those that could be told apart were a session each, the others are summed up.
  const counted = refused.reduce((sum, { count }) => sum + count, 0);
  assert(refused.length <= 4 && counted > 100, `${refused.length} lines for ${counted} refusals`);
});

Deno.test("weakness 33, blocking reverse DNS: a resolver that never answers delays nobody by more than its budget", async () => {
  const names = new HostNames(() => new Promise(() => {}));
  const started = performance.now();
  const found = await Promise.all(Array.from({ length: 100 }, (_, i) => names.name(`192.0.2.${i}`)));
  assert(performance.now() - started < 900, "the budget was exceeded");
  assertEquals(found[7], { label: "192.0.2.7", hostName: null });
});

Deno.test("weakness 34, use after free: sessions that end while their datagrams wait harm nobody", async () => {
  await using server = await serve("--max-sessions", "2", "--max-sessions-per-client", "2", "--linger", "0");
  await using client = new RawClient(server);
  await using other = new RawClient(server);
  await client.connect();
  const port = client.serverPort;
  await client.connect("second");
  for (let i = 0; i < 50; i++) {
    await client.vmcore(2, 0, core);
    await client.finished(3);
    await client.herald(`${i}`);
    await other.herald(`${i}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert(client.serverPort === port);
  assertEquals(server.log().filter(({ level }) => level === "error"), []);
  await using last = new RawClient(server);
  await server.until(
    () => server.log("completed").length + server.log("incomplete").length > 0,
    5000,
    "the end",
  );
  await last.resending(1, () => last.herald());
  assertEquals(await server.stop(), 0);
});

Deno.test("weakness 35, handler without a time limit: it is ended, and one that cannot start is told of", async () => {
  using temp = new TempDir();
  using slow = new HookProgram("trap '' TERM; exec sleep 60");
  const results: HookResult[] = [];
  const receiver = new ReceiverHarness(temp.path, realFileSystem);
  Deno.mkdirSync(join(temp.path, ".netdump"));
  await receiver.open();
  for (const burst of plainDump().bursts) await receiver.send(...burst);
  await receiver.stop();
  const program = (path: string) => ({ path, directory: temp.path, environment: { PATH: "/bin:/usr/bin" } });
  const observe: Observe = (event) => event.event === "hook" && results.push(event.result);
  const hook = new Hook(program(slow.path), observe, { timeLimitMs: 200, graceMs: 200 });
  hook.run(receiver.finished!);
  assertEquals(await hook.settled(20_000), { running: 0, waiting: 0 });
  new Hook(program(join(temp.path, "missing")), observe).run(receiver.finished!);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(results.map(({ result }) => result), ["timed-out", "failed"]);
});

Deno.test("weakness 36, IPv4 only, as the kernel's client is: an IPv6 address is refused in one clear line", async () => {
  const [program, ...args] = netdumpCommand(["serve", "--bind", "::1"]);
  const { code, stderr } = await new Deno.Command(program!, { args }).output();
  assertEquals(code, 2);
  assertMatch(new TextDecoder().decode(stderr), /^netdump serve: .*IPv4.*"::1"[^\n]*\n$/);
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
    assert(performance.now() - started < 5000);
    await assertOneCompleteDump(server, address, data);
  }
});
