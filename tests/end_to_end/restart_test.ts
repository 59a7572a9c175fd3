import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { MessageType } from "../../lib/protocol/message.ts";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { seededRandom } from "../helpers.ts";
import { freshAddress } from "./addresses.ts";
import { CrashingServer } from "./crashing_server.ts";
import { assertOneCompleteDump } from "./complete_dump.ts";
import { kclient, NO_KCLIENT } from "./kclient.ts";
import { sendAsKernel } from "./kernel_client.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";
import { WAYS } from "./ways.ts";

/** Rounds of the crash loop; `NETDUMP_KILL_ROUNDS=300` for a long run. */
const ROUNDS = Number(Deno.env.get("NETDUMP_KILL_ROUNDS") ?? 1);
const SEED = Number(Deno.env.get("NETDUMP_KILL_SEED") ?? Date.now() % 1_000_000);
const PAGE = 4096;
/**
 * Clients here wait longer than a kernel's 12 s: six kills in a row on a busy machine may take longer than that, and
 * what is tested is that nothing is lost. A kernel of full impatience outlives a single kill, in a test of its own.
 */
const SENDS = 60;

/** One client of the crash loop: sends, then returns what to expect. */
type LoopClient = (
  server: ServerProcess,
  address: string,
  seed: number,
  dir: string,
) => Promise<() => Promise<void>>;

/** FreeBSD 14 with an encrypted dump. */
const encryptedKernel: LoopClient = async (server, address, seed) => {
  const core = dumpBytes(seed, 24 * 65536);
  const key = dumpBytes(seed + 1, 4096);
  const header = dumpHeader(core.byteLength, { dumpKeySize: key.byteLength });
  const { ok } = await sendAsKernel(server, address, {
    ...{ core, header, key, seed },
    ...{ pauseMs: 60, loss: 0.002, sends: SENDS },
  });
  assert(ok, "the kernel gave up");
  return () =>
    assertOneCompleteDump(server, address, core, { coreName: `vmcore_encrypted.${address}.0`, key });
};

/** A kernel with MTU 9000 on a network that loses nothing. */
const jumboKernel: LoopClient = async (server, address, seed) => {
  const core = dumpBytes(seed, 40 * 65536 + PAGE);
  const { ok } = await sendAsKernel(server, address, {
    core,
    header: dumpHeader(core.byteLength),
    mtu: 9000,
    pauseMs: 40,
    sends: SENDS,
  });
  assert(ok, `the kernel at ${address} gave up`);
  return () => assertOneCompleteDump(server, address, core);
};

/** The shared kernel-like client, with 32-bit ack masks, losses and rounds of resends in quick succession. */
const lossyKclient: LoopClient = async (server, address, seed, dir) => {
  const saved = join(dir, `${address}.sent`);
  const report = await kclient(server, address, [
    ...["--kernel-acks", "--loss", "0.01", "--dup", "0.01", "--reorder", "0.01", "--seed", `${seed}`],
    ...["--bytes", "1M", "--delay", "10000", "--polls", "400", "--retries", "300", "--save", saved],
  ]);
  assertEquals(report.status, "ok");
  const core = Deno.readFileSync(saved);
  return () => assertOneCompleteDump(server, address, core);
};

const clients: LoopClient[] = [
  encryptedKernel,
  jumboKernel,
  ...(NO_KCLIENT === undefined ? [lossyKclient, lossyKclient] : []),
];

/** Clients send while the server is killed again and again; then everything is compared. */
async function crashRound(seed: number, args: readonly string[]): Promise<number> {
  const random = seededRandom(seed);
  const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  const sentDir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  try {
    await using server = await CrashingServer.start(dir, ["--no-dns", ...args]);
    let sending = clients.length;
    const sends = clients.map((client, i) =>
      client(server.current, freshAddress(), seed * 10 + i, sentDir).finally(() => sending--)
    );
    const all = Promise.all(sends);
    all.catch(() => {});
    for (let crashes = 0; sending > 0 && crashes < 4; crashes++) {
      await new Promise((resolve) => setTimeout(resolve, 20 + random() * 1200));
      await server.crash();
    }
    const checks = await all.catch((error) => {
      throw new Error(`${(error as Error).message}\n${server.history}`);
    });
    // A kill after the last FINISHED: the sessions linger, and nothing they have is touched.
    await server.crash();
    assertEquals(await server.current.stop("SIGTERM"), 0);
    for (const check of checks) await check();
    assertEquals(server.current.names().filter((name) => name.endsWith(".incomplete")), []);
    return server.kills;
  } finally {
    Deno.removeSync(dir, { recursive: true });
    Deno.removeSync(sentDir, { recursive: true });
  }
}

for (const [words, args] of WAYS) {
  Deno.test({
    name:
      `serve${words}, killed at random moments and started again, loses no dump of ${clients.length} clients, ${ROUNDS} rounds` +
      (NO_KCLIENT === undefined ? "" : ` (kclient left out: ${NO_KCLIENT})`),
    fn: async () => {
      let kills = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const seed = SEED + round;
        try {
          kills += await crashRound(seed, args);
        } catch (error) {
          throw new Error(`round ${round}, NETDUMP_KILL_SEED=${seed}: ${(error as Error).stack}`);
        }
        if (ROUNDS > 10 && round % 10 === 9) console.log(`${round + 1} rounds, ${kills} kills`);
      }
      if (ROUNDS > 10) console.log(`${ROUNDS} rounds, ${kills} kills, ${ROUNDS * clients.length} dumps`);
    },
  });

  Deno.test(`serve${words}, killed while each kind of message is on its way, still receives the dump`, async () => {
    const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
    try {
      await using server = await CrashingServer.start(dir, ["--no-dns", ...args]);
      const seen = new Set<MessageType>();
      // One after the other, for a server that starts takes longer than a message.
      let crashes = Promise.resolve();
      const address = freshAddress();
      const core = dumpBytes(7, 3 * 65536);
      const key = dumpBytes(8, PAGE);
      const header = dumpHeader(core.byteLength, { dumpKeySize: PAGE });
      const before = (type: MessageType) => {
        if (seen.has(type)) return;
        seen.add(type);
        crashes = crashes.then(() => server.crash());
        crashes.catch(() => {});
      };
      const { ok } = await sendAsKernel(server.current, address, { core, header, key, before, sends: SENDS });
      await crashes;
      assert(ok, `the kernel gave up\n${server.history}`);
      assertEquals(server.kills, 5);
      await server.current.stop();
      await assertOneCompleteDump(server.current, address, core, {
        coreName: `vmcore_encrypted.${address}.0`,
        key,
      });
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  });
}

Deno.test("serve, killed once, is back within the patience of a kernel that sends each batch twelve times", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  try {
    await using server = await CrashingServer.start(dir);
    const core = dumpBytes(11, 8 * 65536);
    const address = freshAddress();
    let batches = 0;
    let crash: Promise<void> | undefined;
    const before = () => {
      if (++batches === 4) crash = server.crash();
    };
    const { ok } = await sendAsKernel(server.current, address, {
      core,
      header: dumpHeader(core.byteLength),
      before,
    });
    await crash;
    assert(ok, server.history);
    await assertOneCompleteDump(server.current, address, core);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("serve re-acks a FINISHED whose ack was lost, and any other message, also after it was killed", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  try {
    await using server = await CrashingServer.start(dir);
    await using client = new RawClient(server.current);
    const core = dumpBytes(1, PAGE);
    const header = dumpHeader(PAGE);
    const sendAll = async () => {
      await client.vmcore(2, 0, core);
      await client.acked(2);
      await client.kdh(3, header);
      await client.acked(3);
      await client.finished(4);
      await client.acked(4);
    };
    await client.connect();
    await sendAll();
    await sendAll();
    await server.crash();
    await client.resending(4, () => client.finished(4));
    await sendAll();
    // What the dump does not have is no repetition, and nothing final is changed by it.
    await client.vmcore(5, PAGE, core);
    await client.silence();
    await server.current.stop();
    await assertOneCompleteDump(server.current, client.address, core);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("serve labels a dump when it is told to stop, and the next server completes it", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  try {
    const core = dumpBytes(2, 2 * PAGE);
    await using first = await ServerProcess.start({ dir, args: ["--no-dns"] });
    await using client = new RawClient(first);
    await client.connect();
    await client.vmcore(2, 0, core.subarray(0, PAGE));
    await client.acked(2);
    assertEquals(await first.stop("SIGINT"), 0);
    const info = `info.${client.address}.0`;
    assertStringIncludes(first.text(info), "\nDump incomplete: the server was stopped\n");
    assertEquals(first.log("incomplete")[0]?.resumable, true);
    assert(first.names().includes(`vmcore.${client.address}.0.incomplete`));

    await using second = await ServerProcess.start({
      dir,
      address: first.address,
      port: first.port,
      args: ["--no-dns"],
    });
    await second.event("resumed");
    assertEquals(second.text(info).includes("Dump incomplete"), false);
    await client.vmcore(3, PAGE, core.subarray(PAGE));
    await client.acked(3);
    await client.kdh(4, dumpHeader(2 * PAGE));
    await client.acked(4);
    await client.finished(5);
    await client.acked(5);
    await assertOneCompleteDump(second, client.address, core);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("serve labels the dump of a client that it was down for too long for, and runs the hook for it", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  try {
    const core = dumpBytes(3, PAGE);
    const args = ["--no-dns", "--timeout", "10s"];
    await using first = await ServerProcess.start({ dir, args });
    await using client = new RawClient(first);
    await client.connect();
    await client.vmcore(2, 0, core);
    await client.acked(2);
    await first.stop("SIGKILL");
    // As it would be if the server had been down for longer than that.
    const writtenMs = Date.now() - 11_000;
    for (const { name } of Deno.readDirSync(first.path(".netdump"))) {
      Deno.utimeSync(first.path(".netdump", name), writtenMs / 1000, writtenMs / 1000);
    }
    await using second = await ServerProcess.start({
      dir,
      address: first.address,
      port: first.port,
      args: [...args, "--exec", "/bin/true"],
    });
    const line = await second.event("incomplete");
    assertEquals([line.reason, line.resumable], ["the server was down too long", false]);
    await second.event("hook");
    assertStringIncludes(
      second.text(`info.${client.address}.0`),
      "\nDump incomplete: the server was down too long\n",
    );
    assertEquals(second.names(), [
      `bounds.${client.address}`,
      `info.${client.address}.0`,
      `vmcore.${client.address}.0.incomplete`,
    ]);
    await client.vmcore(3, PAGE, core);
    await client.silence();
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
