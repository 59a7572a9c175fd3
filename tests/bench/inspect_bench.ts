/**
 * How long `netdump inspect` looks at a minidump of a machine with 100 GB, and at a directory of 5,000 dumps, and how much
 * memory it takes. The large dump is whole and sparse: its pages are zeros, which take no place in the file.
 *
 * @module
 */
import { join } from "@std/path";
import { netdumpCommand } from "../end_to_end/server_process.ts";
import { buildMessageBuffer, buildMinidump } from "../kerneldump/synthetic.ts";
import { receivedDump } from "../inspect/dumps.ts";
import type { Bench } from "./bench.ts";
import { benchHeader } from "./header.ts";
import { memoryMiB } from "./machine.ts";
import { compiled } from "./servers.ts";
import { digits, median, table } from "./statistics.ts";

const MEMORY_SIZE = 100e9;
const PAGE_SIZE = 4096;
const WATCH_EVERY_MS = 5;

/** Measures and prints. */
export async function benchInspect(bench: Bench): Promise<void> {
  const path = writeSparseDump(bench, MEMORY_SIZE);
  const rows = [["command", "seconds", "peak memory MiB"]];
  for (const args of [["inspect"], ["inspect", "--json"], ["inspect", "--dmesg"]]) {
    bench.doing(`${args.join(" ")} of 100 GB`);
    const runs = [];
    for (let i = 0; i < bench.extent.runs; i++) runs.push(await inspect(bench, [...args, path]));
    rows.push([
      args.join(" "),
      digits(median(runs.map(({ seconds }) => seconds))),
      digits(Math.max(...runs.map(({ peakMiB }) => peakMiB))),
    ]);
  }
  await Deno.remove(path);
  bench.print("## Inspecting a sparse minidump of 100 GB\n");
  bench.print(table(rows));
  await benchList(bench);
}

const LISTED = 5000;
/** What has just been written is not remembered. */
const REST_MS = 4000;

/** Lists a directory for the first time and again. */
async function benchList(bench: Bench): Promise<void> {
  bench.doing(`writing ${LISTED} dumps`);
  const directory = join(bench.place.directory, "listed");
  Deno.mkdirSync(directory);
  const dump = buildMinidump({ messageBuffer: buildMessageBuffer({ text: LAST_MESSAGES }) });
  for (let n = 0; n < LISTED; n++) {
    const files = receivedDump(`w${n % 300}.${n}`, dump, { header: { dumpTime: 1_700_000_000 + n } });
    for (const [name, contents] of Object.entries(files)) {
      const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
      Deno.writeFileSync(join(directory, name), bytes);
    }
  }
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  const rows = [["time", "seconds", "peak memory MiB"]];
  for (const which of ["first", "second"]) {
    bench.doing(`inspect of ${LISTED} dumps, the ${which} time`);
    const { seconds, peakMiB } = await inspect(bench, ["inspect", directory]);
    rows.push([which, digits(seconds), digits(peakMiB)]);
  }
  await Deno.remove(directory, { recursive: true });
  bench.print(`## Listing ${LISTED} dumps\n`);
  bench.print(table(rows));
}

const LAST_MESSAGES =
  "panic: bench\ncpuid = 1\nKDB: stack backtrace:\n#0 0xffffffff80b9002d at kdb_backtrace+0x5d\nUptime: 3s\n";

/** Writes a sparse minidump of a machine with so much memory, and its header; returns the path of the dump. */
export function writeSparseDump(bench: Bench, memoryBytes: number): string {
  const memorySize = memoryBytes - memoryBytes % PAGE_SIZE;
  const messageBuffer = buildMessageBuffer({ text: "<2>panic: bench\n".repeat(4000) });
  const head = buildMinidump({ ranges: [[0, memorySize]], messageBuffer });
  const pages = memorySize / PAGE_SIZE;
  const round = (size: number) => Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
  // Behind the header page, the message buffer and the page of dump_avail.
  const bitmapAt = PAGE_SIZE + round(messageBuffer.section.byteLength) + PAGE_SIZE;
  head.fill(0xff, bitmapAt, bitmapAt + (pages >> 3));
  if (pages % 8 > 0) head[bitmapAt + (pages >> 3)] = (1 << (pages % 8)) - 1;
  const size = head.byteLength + memorySize;
  const path = join(bench.place.directory, "vmcore.bench.0");
  Deno.writeFileSync(path, head);
  Deno.truncateSync(path, size);
  Deno.writeFileSync(join(bench.place.directory, "kdh.bench.0"), benchHeader(size));
  return path;
}

async function inspect(
  bench: Bench,
  args: readonly string[],
): Promise<{ seconds: number; peakMiB: number }> {
  const command = netdumpCommand(args);
  const [program, ...rest] = bench.program === undefined ? command : compiled(bench.program, command);
  const startedMs = performance.now();
  const process = new Deno.Command(program!, { args: rest, stdout: "null", stderr: "piped" }).spawn();
  let peakMiB = 0;
  const watch = setInterval(() => {
    try {
      peakMiB = Math.max(peakMiB, memoryMiB(process.pid, "VmHWM") || 0);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }, WATCH_EVERY_MS);
  const { success, stderr } = await process.output();
  const seconds = (performance.now() - startedMs) / 1000;
  clearInterval(watch);
  if (!success) throw new Error(`netdump inspect failed: ${new TextDecoder().decode(stderr)}`);
  return { seconds, peakMiB };
}
