import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeMessage, MessageType } from "../../lib/protocol/message.ts";
import type { Order } from "../../lib/serve/orders.ts";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { freshAddress } from "../end_to_end/addresses.ts";
import { RawClient } from "../end_to_end/raw_client.ts";
import { ServerUnderTest } from "./server_under_test.ts";

const PAGE = 4096;
const core = dumpBytes(1, 2 * PAGE);
const header = dumpHeader(core.byteLength);

Deno.test("a HERALD is acked after one crossing of threads: nothing that receivers tell is waited for", async () => {
  await using server = await ServerUnderTest.start();
  const [worker] = server.workers;
  const orders: string[] = [];
  const post = worker!.postMessage.bind(worker);
  worker!.postMessage = (order: Order) => {
    orders.push(order.order);
    post(order);
  };
  server.losesAll = true;
  await using client = new RawClient(server);
  // The ack comes from the receiver itself; no report of it has reached anybody.
  await client.connect();
  assertEquals(orders[0], "open");
  assertEquals(orders.filter((order) => order !== "open" && order !== "name" && order !== "taken"), []);
  await client.data(2, core.subarray(0, PAGE));
  server.losesAll = false;
});

Deno.test("a server whose receivers crash again and again gives up, and says why", async () => {
  await using server = await ServerUnderTest.start();
  for (let i = 0; i < 11; i++) server.crash(i);
  assertEquals(await server.supervisor.failed, "boom\x1b[2J");
});

Deno.test("a receiver that crashes while the server stops does not keep it from stopping", async () => {
  await using server = await ServerUnderTest.start({ workers: 2 });
  await using client = new RawClient(server);
  await client.connect();
  const stopped = server.supervisor.stop();
  server.crash(0);
  server.crash(1);
  await stopped;
  server.supervisor.stop = () => Promise.resolve([]);
});

Deno.test("an address that the machine gets later is listened on, by a receiver that may bind it", async () => {
  await using server = await ServerUnderTest.start({ bind: [] });
  const later = freshAddress();
  await using client = new RawClient({ address: later, port: server.port });
  await client.herald();
  await client.silence(50);
  server.addresses.push(later);
  await client.resending(1, () => client.herald());
  assertEquals(server.workers.length, 2);
  await client.dump(core, header);
  assert(sameBytes(`${server.temp.path}/vmcore.${client.address}.0`, core));
  assertEquals(server.supervisor.addresses, [server.address, later]);
  assertEquals(server.events("listening")[0]!.addresses, [later]);
});

Deno.test("a HERALD is acked once its journal is on disk, and not before", async () => {
  await using server = await ServerUnderTest.start();
  const state = `${server.temp.path}/.netdump`;
  Deno.renameSync(state, `${state}.away`);
  // Something that no directory can be made in place of.
  Deno.writeTextFileSync(state, "");
  await using client = new RawClient(server);
  await client.herald();
  const { reason, cause } = await server.event("refused");
  await client.silence();
  assertEquals([cause, /not a directory/i.test(reason)], ["files", true]);
  Deno.removeSync(state);
  Deno.renameSync(`${state}.away`, state);
  await client.connect();
  const [journal] = Array.from(Deno.readDirSync(state), ({ name }) => name).filter((name) => name !== "lock");
  const [head = ""] = Deno.readTextFileSync(`${state}/${journal}`).split("\n");
  assertEquals(JSON.parse(head).session.port, client.serverPort);
  await client.dump(core, header);
});

Deno.test("a session that ended without data leaves no journal", async () => {
  await using server = await ServerUnderTest.start({ mostBytes: PAGE });
  await using client = new RawClient(server);
  const journals = () =>
    Array.from(Deno.readDirSync(`${server.temp.path}/.netdump`), ({ name }) => name).filter((name) =>
      name !== "lock"
    );
  await client.connect();
  assertEquals(journals().length, 1);
  await client.data(2, core.subarray(0, PAGE));
  await client.vmcore(3, PAGE, core);
  await server.event("incomplete");
  while (journals().length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
});

Deno.test("a HERALD from another port than kernels use is refused once, with the reason: a NAT", async () => {
  await using server = await ServerUnderTest.start();
  const socket = Deno.listenDatagram({ transport: "udp", hostname: freshAddress(), port: 31000 });
  const herald = encodeMessage({ type: MessageType.HERALD, seqno: 1, offset: 0, payload: new Uint8Array() });
  for (let i = 0; i < 3; i++) {
    await socket.send(herald, { transport: "udp", hostname: server.address, port: server.port });
  }
  const { cause, reason } = await server.event("refused");
  assertEquals(cause, "client-port");
  assertMatch(reason, /came from port 31000, and acks go to port 20024.*NAT/);
  assertEquals(server.workers.length, 1);
  socket.close();
  await server.supervisor.stop();
  server.supervisor.stop = () => Promise.resolve([]);
  const refused = server.events("refused");
  assertEquals(refused.slice(1).map(({ count }) => count).every((count) => count === 2), true);
});

Deno.test("a receiver is not trusted: no link is made to what no dump of its session has", async () => {
  await using server = await ServerUnderTest.start();
  await using client = new RawClient(server);
  await client.connect();
  await client.data(2, core);
  const { dump } = await server.event("started");
  const finished = {
    outcome: "success",
    complete: true,
    reason: null,
    missing: [],
    resumable: false,
  } as const;
  const lies: Partial<typeof dump>[] = [
    { directory: ".." },
    { host: "../../etc" },
    { core: "../../etc/passwd" },
    { core: "vmcore.other.0" },
    { info: "bounds.x" },
    { index: 1 },
    { client: "192.0.2.99" },
    { id: crypto.randomUUID() },
  ];
  for (const lie of lies) {
    server.workers[0]!.onmessage!(
      new MessageEvent("message", { data: { report: "finished", dump: { ...dump, ...lie }, ...finished } }),
    );
  }
  assertEquals(server.events("distrusted").length, lies.length);
  assertEquals(server.events("completed"), []);
  const links = Array.from(Deno.readDirSync(server.temp.path)).filter(({ isSymlink }) => isSymlink);
  assertEquals(links, []);
});
