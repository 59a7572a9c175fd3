/**
 * A dump that reaches to 1 TB with holes nearly everywhere, and as many pieces as the server keeps track of: what
 * it takes of memory and of time to write, to judge and to label.
 *
 * @module
 */
import { join } from "@std/path";
import type { Bench } from "./bench.ts";
import { benchHeader } from "./header.ts";
import { cpuSeconds, memoryMiB } from "./machine.ts";
import { netdumpServer, SERVER } from "./servers.ts";
import { clientAddress, SessionClient } from "./session_client.ts";
import { digits, table } from "./statistics.ts";

const DUMP_SIZE = 1e12 - 1e12 % 4096;
/** The server's most; each is far from the next. */
const PIECES = 8000;
const PIECE_SIZE = 4096;

/** Measures and prints. */
export async function benchSparse(bench: Bench): Promise<void> {
  bench.doing("1 TB with holes");
  const server = await netdumpServer(bench, 1, ["--max-dump-size", "2T"]).start();
  const client = new SessionClient(SERVER, bench.port, clientAddress(0));
  try {
    const idle = memoryMiB(server.pid, "VmRSS");
    const cpuBefore = cpuSeconds(server.pid);
    const startedMs = performance.now();
    await client.open();
    const step = Math.floor(DUMP_SIZE / PIECES / 4096) * 4096;
    const bytes = new Uint8Array(PIECE_SIZE).fill(0xa5);
    for (let i = 0; i < PIECES; i++) await client.batch(i * step, bytes);
    const dataMs = performance.now() - startedMs;
    await client.finish(benchHeader(DUMP_SIZE));
    const finishMs = performance.now() - startedMs - dataMs;
    const { name, size, blocks } = core(server.directory);
    bench.print(`## A dump of 1 TB in ${PIECES} pieces of 4 KiB\n`);
    bench.print(table([
      ["of what", "figure"],
      ["time for the data, s", digits(dataMs / 1000)],
      ["time for header and FINISHED, ms", digits(finishMs)],
      ["CPU time, s", digits(cpuSeconds(server.pid) - cpuBefore)],
      ["memory before, MiB", digits(idle)],
      ["peak memory, MiB", digits(memoryMiB(server.pid, "VmHWM"))],
      [`size of ${name}, GB`, digits(size / 1e9)],
      ["space on the disk, MB", digits((blocks ?? 0) * 512 / 1e6)],
    ]));
  } finally {
    client.close();
    await server.stop();
  }
}

/** The core file in a dump directory. */
function core(directory: string): { name: string; size: number; blocks: number | null } {
  for (const { name, isFile } of Deno.readDirSync(directory)) {
    if (!isFile || !name.startsWith("vmcore.")) continue;
    return { name, ...Deno.statSync(join(directory, name)) };
  }
  throw new Error("There is no core file");
}
