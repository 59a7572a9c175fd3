/** Several collectors and one bucket: kernels dump over lossy networks while collectors and the store are killed. */
import { assert, assertEquals } from "@std/assert";
import { Swift, testWithSwift, unpacked } from "../archive/swift.ts";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { seededRandom } from "../helpers.ts";
import { freshAddress } from "./addresses.ts";
import { CrashingServer } from "./crashing_server.ts";
import { sendAsKernel } from "./kernel_client.ts";
import { PATIENCE_MS } from "../patience.ts";

const COLLECTORS = 3;
/** For how long it goes; `NETDUMP_FLEET_S=300` for a long run. */
const DURATION_S = Number(Deno.env.get("NETDUMP_FLEET_S") ?? 12);
const SEED = Number(Deno.env.get("NETDUMP_FLEET_SEED") ?? Date.now() % 1_000_000);
/** Clients wait longer than a kernel does: what is tested is that nothing is lost, not how quickly servers start. */
const SENDS = 60;
const MIB = 2 ** 20;

/** What a host sent. */
interface Sent {
  readonly core: Uint8Array;
  readonly collector: CrashingServer;
  /** FINISHED was acknowledged. */
  isAcked: boolean;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A fleet, and all that was sent to it. */
class Fleet {
  readonly swift: Swift;
  readonly collectors: readonly CrashingServer[];
  readonly #random: () => number;
  readonly sent = new Map<string, Sent>();
  storeKills = 0;
  #isStoreUp = true;
  isRunning = true;

  constructor(swift: Swift, collectors: readonly CrashingServer[], random: () => number) {
    this.swift = swift;
    this.collectors = collectors;
    this.#random = random;
  }

  /** Hosts of one collector crash, one after the other. */
  async crashHosts(collector: CrashingServer): Promise<void> {
    while (this.isRunning) {
      const seed = Math.floor(this.#random() * 1e6);
      const isLarge = this.#random() < 0.15;
      const isEncrypted = this.#random() < 0.3;
      const core = dumpBytes(seed, isLarge ? 20 * MIB : 4096 * (1 + Math.floor(this.#random() * 200)));
      const key = isEncrypted ? { key: dumpBytes(seed + 1, 4096) } : {};
      const host = freshAddress();
      const sent: Sent = { core, collector, isAcked: false };
      this.sent.set(host, sent);
      const header = dumpHeader(core.byteLength, { dumpKeySize: isEncrypted ? 4096 : 0 });
      const { ok } = await sendAsKernel(collector.current, host, {
        ...{ core, header, seed, sends: SENDS, ...key },
        // A lost packet costs a kernel a second.
        ...{ loss: isLarge ? 0.0001 : 0.002, pauseMs: isLarge ? 1 : 10 },
      });
      sent.isAcked = ok;
    }
  }

  /** Kills collectors, and each fourth time the store. */
  async kill(): Promise<void> {
    for (let kills = 1; this.isRunning; kills++) {
      await pause(200 + this.#random() * 1500);
      if (kills % 4 === 0) {
        this.#isStoreUp = false;
        await this.swift.kill();
        await pause(this.#random() * 1500);
        await this.swift.restart();
        this.#isStoreUp = true;
        this.storeKills++;
      } else {
        await this.collectors[Math.floor(this.#random() * COLLECTORS)]!.crash();
      }
    }
  }

  /** Looks again and again whether something was removed before it was in the catalogue. */
  async watch(): Promise<void> {
    while (this.isRunning) {
      await pause(100);
      const gone = Array.from(this.sent).filter(([host, { collector, isAcked }]) =>
        isAcked && this.#coreOf(host, collector) === undefined
      );
      if (!this.#isStoreUp) continue;
      try {
        const hosts = new Set((await this.entries()).map(({ host }) => host));
        for (const [host] of gone) assert(hosts.has(host), `${host} is gone and not in the catalogue`);
      } catch (error) {
        // The store was killed while it was asked.
        if ((error as Error).name !== "StoreError") throw error;
      }
    }
  }

  #coreOf(host: string, { current }: CrashingServer): string | undefined {
    return current.names().find((name) => name.startsWith("vmcore") && name.includes(`.${host}.0`));
  }

  /** Hosts and keys of the catalogue's entries. */
  async entries(): Promise<{ host: string; key: string }[]> {
    const found = [];
    for await (const { key } of this.swift.store.list("fleet/catalog/v1/")) {
      found.push({ host: key.split("/").at(-1)!.split("-")[1]!, key });
    }
    return found;
  }

  /** What the collectors said. */
  get history(): string {
    return this.collectors.map(({ history }) => history).join("\n\n");
  }
}

async function assertAllShipped(fleet: Fleet): Promise<number> {
  const { swift, sent } = fleet;
  const acked = Array.from(sent).filter(([, { isAcked }]) => isAcked).map(([host]) => host);
  for (const lateMs = Date.now() + PATIENCE_MS;;) {
    const hosts = new Set((await fleet.entries()).map(({ host }) => host));
    const missing = acked.filter((host) => !hosts.has(host));
    if (missing.length === 0 && (await Array.fromAsync(swift.store.uploadsBelow("fleet/"))).length === 0) {
      break;
    }
    if (Date.now() > lateMs) throw new Error(`Not shipped: ${missing}\n${fleet.history}`);
    await pause(200);
  }
  const seen = new Set<string>();
  for (const { host, key } of await fleet.entries()) {
    const entry = JSON.parse(new TextDecoder().decode(await swift.store.get(key)));
    assertEquals(entry.host, host);
    if (!entry.complete) continue;
    assert(!seen.has(host), `${host} is there twice`);
    seen.add(host);
    // deno-lint-ignore no-explicit-any
    const { key: coreKey } = entry.objects.find(({ name }: any) => name.startsWith("vmcore"));
    const stored = await unpacked(await swift.store.get(coreKey));
    const { core } = sent.get(host)!;
    assert(stored.length === core.length && stored.every((byte, at) => byte === core[at]), `${host} differs`);
  }
  assertEquals(acked.filter((host) => !seen.has(host)), []);
  return acked.length;
}

testWithSwift(
  `every complete dump is in the catalogue once, byte for byte, and none is removed before, whatever is killed ` +
    `(NETDUMP_FLEET_SEED=${SEED})`,
  async () => {
    const random = seededRandom(SEED);
    await using swift = await Swift.start();
    const dirs = Array.from({ length: COLLECTORS }, () => Deno.makeTempDirSync({ prefix: "netdump-test-" }));
    const args = ["--ship", "s3://dumps/fleet", "--no-dns", "--linger", "0", "--ship-keep", "0"];
    const collectors = await Promise.all(
      dirs.map((dir) => CrashingServer.start(dir, args, swift.environment)),
    );
    try {
      const fleet = new Fleet(swift, collectors, random);
      const end = setTimeout(() => fleet.isRunning = false, DURATION_S * 1000);
      try {
        await Promise.all([
          ...collectors.map((collector) => fleet.crashHosts(collector)),
          fleet.kill(),
          fleet.watch(),
        ]);
      } finally {
        clearTimeout(end);
      }
      const dumps = await assertAllShipped(fleet);
      const kills = collectors.reduce((sum, { kills }) => sum + kills, 0);
      console.log(`${dumps} dumps, ${kills} kills of collectors, ${fleet.storeKills} of the store`);
      assert(dumps > 0 && kills > 0);
    } finally {
      for (const collector of collectors) await collector[Symbol.asyncDispose]();
      for (const dir of dirs) await Deno.remove(dir, { recursive: true });
    }
  },
);
