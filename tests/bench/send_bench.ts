/**
 * How fast `netdump send` sends: to `netdump serve` and to refserver, without loss and with one packet in a hundred
 * lost each way, which the kernel's packet filter does; and kclient, which waits for each batch, beside it.
 *
 * @module
 */
import { join } from "@std/path";
import { netdumpCommand } from "../end_to_end/server_process.ts";
import type { Bench } from "./bench.ts";
import { succeeds } from "./isolation.ts";
import { runClients } from "./kernel_clients.ts";
import { cpuSeconds } from "./machine.ts";
import { compiled, netdumpServer, referenceServer, SERVER, type ServerKind } from "./servers.ts";
import { digits, medians, table } from "./statistics.ts";

const CLIENT = "127.3.0.1";
const LOSS_PERCENT = 1;
const TABLE = "netdump_bench";
const CHUNK_SIZE = 1024 ** 2;

/** A run's figures. */
type Figures = Readonly<Record<"megabytesPerSecond" | "resends" | "serverCpuSecondsPerGigabyte", number>>;

/** One that sends. */
interface Sender {
  readonly name: string;
  /** `undefined`: what netdump takes by itself, on the way to this machine. */
  readonly mtu?: string;
  send(): Promise<{ megabytesPerSecond: number; resends: number; bytes: number }>;
}

/** Measures and prints. */
export async function benchSend(bench: Bench): Promise<void> {
  const path = join(bench.place.directory, "vmcore");
  writeRandom(path, bench.extent.bytes);
  const reference = referenceServer(bench);
  const kinds = [...(reference === undefined ? [] : [reference]), netdumpServer(bench)];
  const rows = [["sender", "MTU", "server", "loss", "MB/s", "resends", "server's CPU s/GB"]];
  for (const loss of [0, LOSS_PERCENT]) {
    if (loss > 0 && !await loses(bench)) {
      bench.print("Skipped: sending with loss, which needs a network of its own and nft.\n");
      continue;
    }
    for (const sender of senders(bench, path, loss)) {
      for (const kind of kinds) {
        bench.doing(`${sender.name} to ${kind.name}, ${loss} % loss`);
        const { megabytesPerSecond, resends, serverCpuSecondsPerGigabyte } = medians(
          await repeat(bench, () => measure(kind, sender)),
        );
        rows.push([
          ...[
            sender.name,
            sender.mtu ?? "default",
            kind.name,
            `${loss} %`,
            digits(megabytesPerSecond),
            resends.toFixed(0),
          ],
          digits(serverCpuSecondsPerGigabyte),
        ]);
      }
    }
    if (loss > 0) await nft("delete", "table", "inet", TABLE);
  }
  await Deno.remove(path);
  bench.print("## Sending\n");
  bench.print(table(rows));
}

/** Who sends: kclient only where nothing is lost, as it waits a second for each packet that is. */
function senders(bench: Bench, path: string, loss: number): Sender[] {
  const { instruments, extent } = bench;
  const own: Sender[] = [
    { name: "netdump send", mtu: "1500", send: () => send(bench, path, "--mtu", "1500") },
    { name: "netdump send", send: () => send(bench, path) },
  ];
  if (loss > 0 || instruments === undefined) return own;
  const load = { clients: 1, pace: "flat-out", mtu: 1500, bytes: extent.bytes } as const;
  const kclient: Sender = {
    name: "kclient, flat out",
    mtu: "1500",
    send: () => runClients(bench, instruments.kclient, load),
  };
  return [kclient, ...own];
}

async function repeat(bench: Bench, run: () => Promise<Figures>): Promise<Figures[]> {
  const figures: Figures[] = [];
  for (let i = 0; i < bench.extent.runs; i++) figures.push(await run());
  return figures;
}

async function measure(kind: ServerKind, sender: Sender): Promise<Figures> {
  const server = await kind.start();
  try {
    const before = cpuSeconds(server.pid);
    const { megabytesPerSecond, resends, bytes } = await sender.send();
    const serverCpuSecondsPerGigabyte = (cpuSeconds(server.pid) - before) / (bytes / 1e9);
    return { megabytesPerSecond, resends, serverCpuSecondsPerGigabyte };
  } finally {
    await server.stop();
  }
}

async function send(bench: Bench, path: string, ...options: string[]): ReturnType<Sender["send"]> {
  const command = netdumpCommand([
    ...["send", "--server", `${SERVER}:${bench.port}`, "--client", CLIENT, ...options],
    ...["--hostname", "bench", "--panic", "bench", "--arch", "amd64", "--json", "--quiet", path],
  ]);
  const [program, ...args] = bench.program === undefined ? command : compiled(bench.program, command);
  const { success, stdout, stderr } = await new Deno.Command(program!, { args }).output();
  if (!success) throw new Error(`netdump send failed: ${new TextDecoder().decode(stderr)}`);
  const { bytesPerSecond, resends, bytesAcknowledged } = JSON.parse(new TextDecoder().decode(stdout));
  return { megabytesPerSecond: bytesPerSecond / 1e6, resends, bytes: bytesAcknowledged };
}

function writeRandom(path: string, sizeBytes: number): void {
  using file = Deno.openSync(path, { write: true, create: true });
  const chunk = new Uint8Array(CHUNK_SIZE);
  for (let at = 0; at < CHUNK_SIZE; at += 65536) crypto.getRandomValues(chunk.subarray(at, at + 65536));
  for (let rest = sizeBytes; rest > 0;) rest -= file.writeSync(chunk.subarray(0, rest));
}

/** Makes the bench's network lose what the client sends and gets; only ever its own. */
async function loses(bench: Bench): Promise<boolean> {
  if (!bench.place.isolated || !await nft("add", "table", "inet", TABLE)) return false;
  if (!await nft("add", "chain", "inet", TABLE, "input", "{ type filter hook input priority 0 ; }")) {
    return false;
  }
  // Not what receivers send to themselves to try the system's library.
  for (const way of ["saddr", "daddr"]) {
    const rule = ["ip", way, CLIENT, "meta", "l4proto", "udp"];
    const lost = ["numgen", "random", "mod", "100", "<", `${LOSS_PERCENT}`, "drop"];
    if (!await nft("add", "rule", "inet", TABLE, "input", ...rule, ...lost)) return false;
  }
  return true;
}

async function nft(...args: string[]): Promise<boolean> {
  return await succeeds("nft", ...args);
}
