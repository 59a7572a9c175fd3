/**
 * Dumps without end: whether the server's memory stays what it is. Clients dump again and again, and old dumps
 * are removed by `--keep`, as on a server that runs for months.
 *
 * @module
 */
import type { Bench } from "./bench.ts";
import { runClients } from "./kernel_clients.ts";
import { cpuSeconds, memoryMiB } from "./machine.ts";
import { netdumpServer } from "./servers.ts";
import { digits, table } from "./statistics.ts";

const CLIENTS = 8;
/** Short dumps: the beginning and the end of a session leave more behind than its middle. */
const BYTES = 64 * 1024 ** 2;
/** How often memory is told of. */
const SAMPLES = 8;

/** Measures and prints. */
export async function benchSoak(bench: Bench): Promise<void> {
  const { instruments, extent: { soakMs } } = bench;
  if (instruments === undefined) return;
  const server = await netdumpServer(bench, undefined, ["--keep", "1", "--linger", "1s"]).start();
  const rows = [["after s", "dumps", "GB", "memory MiB"]];
  try {
    const startedMs = performance.now();
    const cpuBefore = cpuSeconds(server.pid);
    let dumps = 0;
    let gigabytes = 0;
    for (let sample = 1; sample <= SAMPLES; sample++) {
      bench.doing(`soak ${sample}/${SAMPLES}`);
      do {
        const seen = await runClients(bench, instruments.kclient, {
          clients: CLIENTS,
          pace: "flat-out",
          mtu: 1500,
          bytes: BYTES,
        });
        dumps += CLIENTS;
        gigabytes += seen.bytes / 1e9;
      } while (performance.now() - startedMs < soakMs * sample / SAMPLES);
      const seconds = (performance.now() - startedMs) / 1000;
      rows.push([
        ...[seconds.toFixed(0), `${dumps}`, digits(gigabytes)],
        digits(memoryMiB(server.pid, "VmRSS")),
      ]);
    }
    bench.print(`## Soak: ${CLIENTS} clients, dump after dump\n`);
    bench.print(table(rows));
    const cpu = (cpuSeconds(server.pid) - cpuBefore) / gigabytes;
    bench.print(`Peak ${digits(memoryMiB(server.pid, "VmHWM"))} MiB, ${digits(cpu)} CPU seconds per GB.\n`);
  } finally {
    await server.stop();
  }
}
