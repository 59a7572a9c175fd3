import { assert, assertEquals, assertMatch } from "@std/assert";
import type { LogEntry } from "../../lib/serve/log_entry.ts";
import { type PoolEvents, ReceiverPool, startReceiver } from "../../lib/serve/receiver_pool.ts";
import { StateDirectory } from "../../lib/serve/store/state_directory.ts";
import { type ServerSettings, Supervisor } from "../../lib/serve/supervisor.ts";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { freshAddress, freshPort } from "../end_to_end/addresses.ts";
import { RawClient } from "../end_to_end/raw_client.ts";
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
  readonly log: LogEntry[] = [];
  readonly addresses = [this.address];
  supervisor!: Supervisor;

  static async start(settings: Partial<ServerSettings> = {}): Promise<ServerUnderTest> {
    const server = new ServerUnderTest();
    const state = await StateDirectory.open(server.temp.path);
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
      minFreeBytes: 0,
      mostSessions: 100,
      mostSessionsPerClient: 4,
      keep: null,
      workers: 1,
      ...settings,
    };
    server.supervisor = new Supervisor(all, {
      state,
      names: undefined,
      hook: undefined,
      log: (entry) => server.log.push(entry),
      startWorker: (name, permissions) => {
        const worker = startReceiver(name, permissions);
        server.workers.push(worker);
        return worker;
      },
      machine: { addresses: () => server.addresses, rescanMs: 20 },
    });
    return server;
  }

  /** What an uncaught exception in a worker does. */
  crash(worker: number): void {
    this.workers[worker]!.dispatchEvent(new ErrorEvent("error", { message: "boom\x1b[2J" }));
  }

  events(event: string): LogEntry[] {
    return this.log.filter((entry) => entry.event === event);
  }

  /** Waits for a log entry. */
  async event(event: string): Promise<LogEntry> {
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
    server.events("receiver-crashed")[0]!.text,
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
  server.supervisor.stop = () => Promise.resolve();
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
  assertEquals(server.events("listening")[0]!.fields, { address: later });
});

Deno.test("a HERALD is acked once the session is on disk, also if it could not be written at first", async () => {
  await using server = await ServerUnderTest.start();
  const heralds = `${server.temp.path}/.netdump/heralds`;
  Deno.mkdirSync(`${heralds}.new`);
  await using client = new RawClient(server);
  await client.herald();
  const { text } = await server.event("state-failed");
  await client.silence();
  assertMatch(
    text,
    /^Cannot write the state of a session, its HERALD stays unanswered/,
  );
  Deno.removeSync(`${heralds}.new`);
  await client.connect();
  assertEquals(JSON.parse(Deno.readTextFileSync(heralds))[0].port, client.serverPort);
  await client.dump(core, header);
});

Deno.test("a session that ended is not on the list of those that wait any more", async () => {
  await using server = await ServerUnderTest.start({ mostBytes: PAGE });
  await using client = new RawClient(server);
  const heralds = () => JSON.parse(Deno.readTextFileSync(`${server.temp.path}/.netdump/heralds`));
  await client.connect();
  assertEquals(heralds().length, 1);
  await client.data(2, core.subarray(0, PAGE));
  await client.vmcore(3, PAGE, core);
  await client.silence();
  assertEquals(heralds(), []);
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
  const rights = { root: "/dumps", addresses: ["192.0.2.1"], clients: ["0.0.0.0/0"], ackPort: 20024 };
  const pool = new ReceiverPool(3, settings, rights, events, (_, permissions) => {
    granted.push(permissions.net);
    orders.push([]);
    return idleWorker(orders.at(-1)!);
  });
  const places = Array.from({ length: 6 }, () => pool.place("192.0.2.1"));
  assertEquals(places, [0, 1, 2, 0, 1, 2]);
  pool.release(1);
  assertEquals(pool.place("192.0.2.1"), 1);
  assertEquals([pool.place("192.0.2.9"), pool.running], [3, [0, 1, 2, 3]]);
  // The new one may do what the old ones may, so it takes its share of all sessions.
  assertEquals([pool.place("192.0.2.1"), pool.place("192.0.2.9")], [3, 3]);
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
  const rights = { root: "/dumps", addresses: ["192.0.2.1"], clients: ["0.0.0.0/0"], ackPort: 20024 };
  const pool = new ReceiverPool(2, settings, rights, events, () => {
    workers.push(idleWorker([]));
    return workers.at(-1)!;
  });
  for (let i = 0; i < 6; i++) pool.place("192.0.2.1");
  workers[0]!.onerror!(
    Object.assign(new Event("error", { cancelable: true }), { message: "boom" }) as ErrorEvent,
  );
  assertEquals([crashed, workers.length], [[0], 3]);
  pool.release(1);
  assertEquals([pool.place("192.0.2.1"), pool.place("192.0.2.1")], [1, 0]);
});
