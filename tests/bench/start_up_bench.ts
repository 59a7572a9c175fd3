/**
 * From the start of the process to the ack of the first HERALD.
 *
 * @module
 */
import type { Bench } from "./bench.ts";
import { netdumpServer, referenceServer, SERVER, type ServerKind } from "./servers.ts";
import { clientAddress, SessionClient } from "./session_client.ts";
import { digits, median, table } from "./statistics.ts";

/** Between the HERALDs of a client that cannot wait. */
const HERALD_EVERY_MS = 5;
const MOST_HERALDS = 4000;
/** Fewer would say little: a start is short. */
const LEAST_RUNS = 5;

/** Measures and prints. */
export async function benchStartUp(bench: Bench): Promise<void> {
  const reference = referenceServer(bench);
  const kinds = [...(reference === undefined ? [] : [reference]), netdumpServer(bench)];
  const runs = Math.max(LEAST_RUNS, bench.extent.runs);
  const times = kinds.map((): number[] => []);
  for (let run = 0; run < runs; run++) {
    bench.doing(`start ${run + 1} of ${runs}`);
    for (const [i, kind] of kinds.entries()) times[i]!.push(await measure(bench, kind, run));
  }
  bench.print("## Start of the process to the ack of the first HERALD, ms\n");
  const rows = kinds.map(({ name }, i) => [
    name,
    digits(median(times[i]!)),
    digits(Math.max(...times[i]!)),
  ]);
  bench.print(table([["server", "median", `longest of ${runs}`], ...rows]));
}

async function measure(bench: Bench, kind: ServerKind, run: number): Promise<number> {
  const client = new SessionClient(SERVER, bench.port, clientAddress(run));
  const startedMs = performance.now();
  const starting = kind.start();
  try {
    await client.open(HERALD_EVERY_MS, MOST_HERALDS);
    return performance.now() - startedMs;
  } finally {
    client.close();
    await (await starting).stop();
  }
}
