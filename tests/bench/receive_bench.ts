/**
 * How fast dumps are received, and how long a burst takes from its first packet to its last ack; what it costs in
 * CPU time. All servers take turns, so that whatever else the machine does meets each of them.
 *
 * @module
 */
import type { Bench } from "./bench.ts";
import { type Load, runClients } from "./kernel_clients.ts";
import { cpuSeconds } from "./machine.ts";
import { netdumpServer, referenceServer, REFSERVER, removeDumps, type ServerKind } from "./servers.ts";
import { digits, medians, table } from "./statistics.ts";

/** A client that warms a server up before it is measured: a program that was never run is not yet compiled. */
const WARM_UP_BYTES = 16 * 1024 ** 2;

/** Runs of refserver until it serves all clients. */
const MOST_RUNS = 3;

/** A run's figures. */
type Figures = Readonly<
  Record<"megabytesPerSecond" | "p50Ms" | "p99Ms" | "maxMs" | "cpuSecondsPerGigabyte" | "resends", number>
>;

/** Measures and prints. */
export async function benchReceive(bench: Bench): Promise<void> {
  const { instruments, extent } = bench;
  if (instruments === undefined) return;
  const reference = referenceServer(bench);
  // With and without the system's library, side by side.
  const own = extent.workers.map((workers) => netdumpServer(bench, workers));
  const fallback = netdumpServer(bench, extent.workers[0], ["--no-native"]);
  const kinds = [...(reference === undefined ? [] : [reference]), fallback, ...own];
  const before = bench.against === undefined ? undefined : await readRatios(bench.against);
  const ratios: Record<string, number> = {};
  const rows = [[
    ..."clients|pace|MTU|server|MB/s|of refserver|burst p50 ms|p99 ms|max ms".split("|"),
    ..."CPU s/GB|times refserver|resends".split("|"),
    ...(before === undefined ? [] : ["of refserver before"]),
  ]];
  for (const clients of extent.clients) {
    for (const pace of extent.paces) {
      for (const mtu of extent.mtus) {
        const load = { clients, pace, mtu, bytes: extent.bytes };
        bench.doing(`${clients} clients, ${pace}, MTU ${mtu}`);
        for (const { key, ratio, cells } of await compare(bench, instruments.kclient, kinds, load)) {
          if (Number.isFinite(ratio)) ratios[key] = ratio;
          rows.push([...cells, ...(before === undefined ? [] : [digits(before[key] ?? NaN)])]);
        }
      }
    }
  }
  bench.print("## Receiving\n");
  bench.print(table(rows));
  if (bench.save !== undefined) await Deno.writeTextFile(bench.save, `${JSON.stringify(ratios, null, 2)}\n`);
}

/** Rates as shares of refserver's in the same run, by load and server: all that outlives a machine's mood. */
async function readRatios(path: string): Promise<Readonly<Record<string, number>>> {
  return JSON.parse(await Deno.readTextFile(path));
}

/** One server under one load. */
interface Row {
  readonly key: string;
  /** Of refserver's rate. */
  readonly ratio: number;
  readonly cells: readonly string[];
}

/** Measures all servers under one load: the rows of the table. */
async function compare(
  bench: Bench,
  kclient: string,
  kinds: readonly ServerKind[],
  load: Load,
): Promise<Row[]> {
  const figures = kinds.map((): Figures[] => []);
  for (let run = 0; run < bench.extent.runs; run++) {
    for (let turn = 0; turn < kinds.length; turn++) {
      const which = (turn + run) % kinds.length;
      figures[which]!.push(await measureUnlessShared(bench, kclient, kinds[which]!, load));
    }
  }
  const middle = figures.map(medians);
  const reference = kinds[0]!.name === REFSERVER ? middle[0] : undefined;
  return kinds.map(({ name }, i) => {
    const of = middle[i]!;
    const ratio = of.megabytesPerSecond / (reference?.megabytesPerSecond ?? NaN);
    const cells = [
      ...[`${load.clients}`, load.pace, `${load.mtu}`, name, digits(of.megabytesPerSecond)],
      digits(ratio),
      ...[digits(of.p50Ms), digits(of.p99Ms), digits(of.maxMs), digits(of.cpuSecondsPerGigabyte)],
      digits(of.cpuSecondsPerGigabyte / (reference?.cpuSecondsPerGigabyte ?? NaN)),
      of.resends.toFixed(0),
    ];
    return { key: `${load.clients} ${load.pace} ${load.mtu} ${name}`, ratio, cells };
  });
}

/** refserver binds with SO_REUSEADDR, so that two clients get one port now and then: such a run does not count. */
async function measureUnlessShared(
  bench: Bench,
  kclient: string,
  kind: ServerKind,
  load: Load,
): Promise<Figures> {
  for (let runs = 1;; runs++) {
    try {
      return await measure(bench, kclient, kind, load);
    } catch (error) {
      if (kind.name !== REFSERVER || runs === MOST_RUNS) throw error;
      bench.doing(`again, as ${error}`);
    }
  }
}

async function measure(bench: Bench, kclient: string, kind: ServerKind, load: Load): Promise<Figures> {
  const server = await kind.start();
  try {
    await runClients(bench, kclient, { clients: 1, pace: "flat-out", mtu: load.mtu, bytes: WARM_UP_BYTES });
    await removeDumps(server);
    const before = cpuSeconds(server.pid);
    const seen = await runClients(bench, kclient, load);
    const cpuSecondsPerGigabyte = (cpuSeconds(server.pid) - before) / (seen.bytes / 1e9);
    const { megabytesPerSecond, p50Ms, p99Ms, maxMs, resends } = seen;
    return { megabytesPerSecond, p50Ms, p99Ms, maxMs, resends, cpuSecondsPerGigabyte };
  } catch (error) {
    throw new Error(`${kind.name} failed its clients`, { cause: error });
  } finally {
    await server.stop();
  }
}
