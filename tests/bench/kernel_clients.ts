/**
 * Many kclients at once against one server.
 *
 * @module
 */
import type { Bench } from "./bench.ts";
import { median } from "./statistics.ts";
import { SERVER } from "./servers.ts";

/** What the clients do. */
export interface Load {
  readonly clients: number;
  /** `flat-out` waits for acks in poll(2) where a kernel sleeps 0.5 ms. */
  readonly pace: "kernel" | "flat-out";
  readonly mtu: number;
  /** Data of all clients together. */
  readonly bytes: number;
}

/** What they saw. A burst is a batch of 64 KiB, from its first packet sent to its last ack taken. */
export interface Seen {
  readonly bytes: number;
  readonly resends: number;
  /** All data by the time of the slowest client. */
  readonly megabytesPerSecond: number;
  /** Medians over the clients; the longest of all. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What kclient prints. */
interface Report {
  readonly status: string;
  readonly stage: string;
  readonly bytes: number;
  readonly resends: number;
  readonly data_seconds: number;
  readonly batch_us: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** Batches of a kernel are this long; a client's data is made of whole ones. */
const BATCH_SIZE = 65536;

/** Runs the clients to their ends; throws if one was not served. */
export async function runClients(bench: Bench, kclient: string, load: Load): Promise<Seen> {
  const each = Math.max(1, Math.round(load.bytes / load.clients / BATCH_SIZE)) * BATCH_SIZE;
  const reports = await Promise.all(
    Array.from({ length: load.clients }, (_, i) => runClient(bench, kclient, load, i, each)),
  );
  const sum = (of: (report: Report) => number) => reports.reduce((total, report) => total + of(report), 0);
  const most = (of: (report: Report) => number) => Math.max(...reports.map(of));
  return {
    bytes: sum((report) => report.bytes),
    resends: sum((report) => report.resends),
    megabytesPerSecond: sum((report) => report.bytes) / 1e6 / most((report) => report.data_seconds),
    p50Ms: median(reports.map((report) => report.batch_us.p50)) / 1000,
    p99Ms: median(reports.map((report) => report.batch_us.p99)) / 1000,
    maxMs: most((report) => report.batch_us.max) / 1000,
  };
}

async function runClient(
  bench: Bench,
  kclient: string,
  load: Load,
  number: number,
  bytes: number,
): Promise<Report> {
  const { stdout, stderr } = await new Deno.Command(kclient, {
    args: [
      ...["--server", SERVER, "--server-port", `${bench.port}`],
      ...["--bind", `127.1.0.${number + 1}`, "--bytes", `${bytes}`, "--mtu", `${load.mtu}`],
      ...(load.pace === "flat-out" ? ["--block"] : []),
    ],
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (!text.startsWith("{")) throw new Error(`kclient failed: ${new TextDecoder().decode(stderr)}`);
  const report = JSON.parse(text) as Report;
  if (report.status !== "ok") throw new Error(`Client ${number + 1} was not served: ${text}`);
  return report;
}
