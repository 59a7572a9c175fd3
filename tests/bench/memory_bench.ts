/**
 * Peak memory: idle, and with 16 and 256 sessions that all have data under way.
 *
 * @module
 */
import { MAX_BATCH_SIZE } from "../../lib/protocol/message.ts";
import type { Bench } from "./bench.ts";
import { memoryMiB } from "./machine.ts";
import { netdumpServer, referenceServer, REFSERVER, SERVER, type ServerKind } from "./servers.ts";
import { clientAddress, SessionClient } from "./session_client.ts";
import { digits, table } from "./statistics.ts";

const SESSIONS = [0, 16, 256];
/** With SO_REUSEADDR, refserver may get the same port for two of its sockets; with few that is unlikely. */
const MOST_OF_REFSERVER = 16;
/** Batches that each session sends, in turn with all others. */
const BATCHES = 24;

/** Measures and prints. */
export async function benchMemory(bench: Bench): Promise<void> {
  const reference = referenceServer(bench);
  const own = bench.extent.workers.map((workers) => netdumpServer(bench, workers));
  const rows = [["server", ...SESSIONS.map((sessions) => sessions === 0 ? "idle" : `${sessions} sessions`)]];
  for (const kind of [...(reference === undefined ? [] : [reference]), ...own]) {
    bench.doing(`memory of ${kind.name}`);
    rows.push([kind.name, ...(await peaks(bench, kind)).map(digits)]);
  }
  bench.print("## Peak memory, MiB (VmHWM)\n");
  bench.print(table(rows));
}

/** The most memory that the server has had by the time that it had each number of sessions. */
async function peaks(bench: Bench, kind: ServerKind): Promise<number[]> {
  const server = await kind.start();
  const clients: SessionClient[] = [];
  const bytes = crypto.getRandomValues(new Uint8Array(MAX_BATCH_SIZE));
  try {
    const found: number[] = [];
    for (const sessions of SESSIONS) {
      if (kind.name === REFSERVER && sessions > MOST_OF_REFSERVER) return [...found, NaN];
      while (clients.length < sessions) {
        const client = new SessionClient(SERVER, bench.port, clientAddress(clients.length));
        clients.push(client);
        await client.open();
        // A session without data has no files, and may have to make room for others.
        await client.batch(0, bytes);
      }
      for (let n = 1; n < BATCHES; n++) {
        for (const client of clients) await client.batch(n * MAX_BATCH_SIZE, bytes);
      }
      found.push(memoryMiB(server.pid, "VmHWM"));
    }
    return found;
  } finally {
    for (const client of clients) client.close();
    await server.stop();
  }
}
