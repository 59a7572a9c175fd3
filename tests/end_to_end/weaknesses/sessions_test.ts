/**
 * Weaknesses of FreeBSD's netdumpd (reference netdump-protocol.md, section 6) with sessions and their clients:
 * none of them is ours. Those that can only be seen inside the server are shown there, on its parts.
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { encodeHeader, HEADER_SIZE, MessageType } from "../../../lib/protocol/message.ts";
import { HostNames } from "../../../lib/serve/hostname.ts";
import { sameBytes } from "../../dump_data.ts";
import { freshAddress } from "../addresses.ts";
import { assertOneCompleteDump, namesOf } from "../complete_dump.ts";
import { RawClient } from "../raw_client.ts";
import { ServerProcess, SHORT_TIMEOUT } from "../server_process.ts";
import { core, header, infoOf, key, PAGE, serve } from "./server_and_dump.ts";

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
  await using server = await serve("--timeout", SHORT_TIMEOUT);
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

Deno.test("weakness 33, blocking reverse DNS: a resolver that never answers delays nobody by more than its budget", async () => {
  const names = new HostNames(() => new Promise(() => {}));
  const started = performance.now();
  const found = await Promise.all(Array.from({ length: 100 }, (_, i) => names.name(`192.0.2.${i}`)));
  // One budget of half a second for all of them, not one for each.
  assert(performance.now() - started < 10_000, "the budget was exceeded");
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
  await using last = new RawClient(server);
  await server.until(
    () => server.log("completed").length + server.log("incomplete").length > 0,
    "the end",
  );
  await last.resending(1, () => last.herald());
  assert(client.serverPort === port);
  assertEquals(server.log().filter(({ level }) => level === "error"), []);
  assertEquals(await server.stop(), 0);
});
