import { assert, assertEquals, assertMatch } from "@std/assert";
import { realFileSystem } from "../../lib/os/file_system.ts";
import type { EventName, EventOf, ServerEvent } from "../../lib/serve/events.ts";
import type { Order, Report } from "../../lib/serve/orders.ts";
import { describeEvent } from "../../lib/serve/observers/log_text.ts";
import { type PoolEvents, ReceiverPool, startReceiver } from "../../lib/serve/receiver_pool.ts";
import { journalLine, type JournalRecord } from "../../lib/serve/session/journal.ts";
import { StateDirectory } from "../../lib/serve/store/state_directory.ts";
import { type ServerSettings, Supervisor } from "../../lib/serve/supervisor.ts";
import { encodeMessage, MessageType } from "../../lib/protocol/message.ts";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { freshAddress, freshPort } from "../end_to_end/addresses.ts";
import { RawClient } from "../end_to_end/raw_client.ts";
import { LIBC_PATHS } from "../../lib/udp/native_abi.ts";
import { TempDir } from "../temp_dir.ts";

const PAGE = 4096;
const core = dumpBytes(1, 2 * PAGE);
const header = dumpHeader(core.byteLength);

/** A server within the test, whose workers can be made to crash and whose machine can get addresses. */
class ServerUnderTest {
  readonly temp = new TempDir("disk");
  readonly address = freshAddress();
  readonly port = freshPort();
  readonly workers: Worker[] = [];
  readonly log: ServerEvent[] = [];
  readonly addresses = [this.address];
  /** Reports of this kind do not arrive, as the last of a receiver that crashes. */
  loses: Report["report"] | undefined;
  /** No report arrives at all. */
  losesAll = false;
  supervisor!: Supervisor;

  /** @param prepare puts into the dump directory what an earlier server left */
  static async start(
    settings: Partial<ServerSettings> = {},
    prepare: (server: ServerUnderTest) => void = () => {},
  ): Promise<ServerUnderTest> {
    const server = new ServerUnderTest();
    prepare(server);
    const state = await StateDirectory.open(realFileSystem, server.temp.path);
    const all: ServerSettings = {
      root: server.temp.path,
      defaultPath: ".",
      heraldPort: server.port,
      ackPort: 20024,
      bind: [server.address],
      allow: [],
      timeoutMs: 60_000,
      lingerMs: 60_000,
      mostBytes: null,
      minFree: 0,
      mostSessions: 100,
      mostSessionsPerClient: 4,
      keep: null,
      trace: false,
      workers: 1,
      ...settings,
    };
    server.supervisor = new Supervisor(all, {
      fs: realFileSystem,
      state,
      names: undefined,
      observe: (event) => server.log.push(event),
      startWorker: (name, permissions) => {
        const worker = startReceiver(name, permissions);
        worker.addEventListener("message", (event: MessageEvent<Report>) => {
          if (server.losesAll || event.data.report === server.loses) event.stopImmediatePropagation();
        });
        server.workers.push(worker);
        return worker;
      },
      machine: { addresses: () => server.addresses, rescanMs: 20 },
      bootedMs: 0,
      ffi: Deno.env.get("NETDUMP_NATIVE") === "0" ? [] : LIBC_PATHS,
    });
    return server;
  }

  /** What an uncaught exception in a worker does. */
  crash(worker: number): void {
    this.workers[worker]!.dispatchEvent(new ErrorEvent("error", { message: "boom\x1b[2J" }));
  }

  events<Name extends EventName>(name: Name): EventOf<Name>[] {
    return this.log.filter((event): event is EventOf<Name> => event.event === name);
  }

  /** Waits for an event. */
  async event<Name extends EventName>(event: Name): Promise<EventOf<Name>> {
    for (let i = 0; i < 500 && this.events(event).length === 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.events(event)[0]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.supervisor.stop();
    this.temp[Symbol.dispose]();
  }
}

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

/** A worker that takes orders and does nothing. */
function idleWorker(orders: unknown[]): Worker {
  return Object.assign(new EventTarget(), {
    postMessage: (order: unknown) => orders.push(order),
    terminate: () => {},
  }) as unknown as Worker;
}

Deno.test("ReceiverPool gives a session to the receiver with the fewest, among those that may bind its address", () => {
  const orders: unknown[][] = [];
  const granted: unknown[] = [];
  const events: PoolEvents = { report: () => {}, crashed: () => {}, failed: () => {} };
  const settings = {} as ConstructorParameters<typeof ReceiverPool>[1];
  const rights = {
    root: "/dumps",
    addresses: ["192.0.2.1"],
    clients: ["0.0.0.0/0"],
    ackPort: 20024,
    ffi: [],
  };
  const pool = new ReceiverPool(3, settings, rights, events, (_, permissions) => {
    granted.push(permissions.net);
    orders.push([]);
    return idleWorker(orders.at(-1)!);
  });
  const places = Array.from({ length: 6 }, () => pool.place("192.0.2.1", 1));
  assertEquals(places, [0, 1, 2, 0, 1, 2]);
  pool.release(1, 1);
  assertEquals(pool.place("192.0.2.1", 1), 1);
  assertEquals([pool.place("192.0.2.9", 1), pool.running], [3, [0, 1, 2, 3]]);
  // The new one may do what the old ones may, so it takes its share of all sessions.
  assertEquals([pool.place("192.0.2.1", 1), pool.place("192.0.2.9", 1)], [3, 3]);
  assertEquals(granted.at(-1), ["192.0.2.1", "192.0.2.9", "0.0.0.0/0:20024"]);
  assertEquals(orders.map((list) => list.length), [1, 1, 1, 1]);
});

Deno.test("ReceiverPool counts the sessions of a receiver that crashed for the one in its place", () => {
  const workers: Worker[] = [];
  const crashed: number[] = [];
  const events: PoolEvents = {
    report: () => {},
    crashed: (receiver) => crashed.push(receiver),
    failed: () => {},
  };
  const settings = {} as ConstructorParameters<typeof ReceiverPool>[1];
  const rights = {
    root: "/dumps",
    addresses: ["192.0.2.1"],
    clients: ["0.0.0.0/0"],
    ackPort: 20024,
    ffi: [],
  };
  const pool = new ReceiverPool(2, settings, rights, events, () => {
    workers.push(idleWorker([]));
    return workers.at(-1)!;
  });
  for (let i = 0; i < 6; i++) pool.place("192.0.2.1", 1);
  workers[0]!.onerror!(
    Object.assign(new Event("error", { cancelable: true }), { message: "boom" }) as ErrorEvent,
  );
  assertEquals([crashed, workers.length], [[0], 3]);
  pool.release(1, 1);
  assertEquals([pool.place("192.0.2.1", 1), pool.place("192.0.2.1", 1)], [1, 0]);
});
