/**
 * Shipping to a real object store on the same machine, beside a client library that does nothing else; what is read of a dump
 * that was shipped, and how long a catalogue takes to list.
 *
 * @module
 */
import { S3Client } from "@bradenmacdonald/s3-lite-client";
import { join } from "@std/path";
import { readCatalogue } from "../../lib/archive/catalogue.ts";
import { parseEntry, parseRow } from "../../lib/archive/catalogue_entry.ts";
import { type Content, PartBuffers, plainContent, seekableContent } from "../../lib/archive/content.ts";
import type { Rows } from "../../lib/archive/day_summary.ts";
import { catalogueKey, summaryPrefix } from "../../lib/archive/keys.ts";
import { openLocalFile } from "../../lib/archive/local_file.ts";
import { ObjectSource } from "../../lib/archive/object_source.ts";
import { sendFile } from "../../lib/archive/transfer.ts";
import { SeekableZstdSource } from "../../lib/bytes/zstd/seekable_source.ts";
import { examine } from "../../lib/inspect/examine.ts";
import { companionNames } from "../../lib/inspect/open/companions.ts";
import { Swift, withoutSwift } from "../archive/swift.ts";
import type { Bench } from "./bench.ts";
import { writeSparseDump } from "./inspect_bench.ts";
import { memoryMiB } from "./machine.ts";
import { netdumpServer } from "./servers.ts";
import { digits, median, table } from "./statistics.ts";

const PART_BYTES = 16 * 2 ** 20;
const SPARSE_BYTES = 10e9;
/** Dumps of a day: ten thousand in twenty days. */
const ENTRIES = 500;
const COLLECTORS = 3;
const AT_ONCE = 16;

/** Measures and prints. */
export async function benchShip(bench: Bench): Promise<void> {
  if (withoutSwift !== undefined) return bench.print(`- ship skipped: ${withoutSwift}`);
  await using swift = await Swift.start();
  const rows = [["of what", "figure"]];
  rows.push(...await rates(bench, swift), ...await memory(bench, swift));
  rows.push(...await ranges(bench, swift), ...await listing(bench, swift));
  bench.print("## Shipping to Swift on the same machine\n");
  bench.print(table(rows));
}

/** The same file with the library, as it is and compressed, taking turns. */
async function rates(bench: Bench, swift: Swift): Promise<string[][]> {
  const path = join(bench.place.directory, "to-ship");
  writeRandom(path, bench.extent.bytes);
  const library = new S3Client({
    endPoint: swift.endpoint,
    ...{ region: "us-east-1", bucket: "dumps", accessKey: "test:tester", secretKey: "testing" },
  });
  const buffers = new PartBuffers(3);
  const ways: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
    "the library alone": async (key) => {
      using file = await Deno.open(path);
      // The stream closes the file, too.
      await library.putObject(key, file.readable, { size: bench.extent.bytes, partSize: PART_BYTES });
    },
    "as it is": (key) => ship(swift, path, key, (file) => plainContent(file, buffers)),
    "as seekable zstd": (key) => ship(swift, path, key, (file) => seekableContent(file, buffers)),
  };
  const found = new Map<string, number[]>(Object.keys(ways).map((way) => [way, []]));
  for (let run = 0; run < bench.extent.runs; run++) {
    for (const [way, send] of Object.entries(ways)) {
      bench.doing(`shipping ${way}`);
      const startedMs = performance.now();
      await send(`rate/${way}/${run}`).catch((error) => {
        if (!(error instanceof Deno.errors.BadResource)) throw error;
      });
      found.get(way)!.push(bench.extent.bytes / 1000 / (performance.now() - startedMs));
      await swift.store.remove(`rate/${way}/${run}`);
    }
  }
  await Deno.remove(path);
  const alone = median(found.get("the library alone")!);
  return Array.from(found, ([way, rates]) => [
    `a file that does not get smaller, ${way}: MB/s (of the library's rate)`,
    `${digits(median(rates))} (${(median(rates) / alone).toFixed(2)})`,
  ]);
}

async function ship(
  swift: Swift,
  path: string,
  key: string,
  make: (file: ReturnType<typeof openLocalFile>) => Content | undefined,
): Promise<void> {
  using file = openLocalFile(path);
  const content = make(file);
  if (content !== undefined) await sendFile(swift.store, key, file, content, () => Promise.resolve());
}

/** A server that has dumps to ship. */
async function memory(bench: Bench, swift: Swift): Promise<string[][]> {
  bench.doing("memory of a server that ships");
  const idle = await netdumpServer(bench, 1).start();
  const idleMiB = memoryMiB(idle.pid, "VmHWM");
  await idle.stop();
  for (const [name, value] of Object.entries(swift.environment)) Deno.env.set(name, value);
  const server = await netdumpServer(bench, 1, ["--ship", "s3://dumps/memory"]).start();
  try {
    const bytes = 4 * bench.extent.bytes;
    const path = writeSparseDump({ ...bench, place: { ...bench.place, directory: server.directory } }, bytes);
    writeRandom(path, bytes, Deno.statSync(path).size - bytes);
    Deno.writeTextFileSync(
      join(server.directory, "info.bench.0"),
      "Dump from bench [192.0.2.7]\nDump complete\n",
    );
    while ((await Array.fromAsync(swift.store.list("memory/catalog/"))).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return [
      ["memory of a server that ships, at most, MiB", digits(memoryMiB(server.pid, "VmHWM"))],
      ["of one that has nothing to ship, MiB", digits(idleMiB)],
    ];
  } finally {
    await server.stop();
  }
}

/** What `inspect` reads of a sparse dump of 10 GB. */
async function ranges(bench: Bench, swift: Swift): Promise<string[][]> {
  bench.doing("inspect of a stored dump of 10 GB");
  const path = writeSparseDump(bench, SPARSE_BYTES);
  const rows: string[][] = [];
  const header = await Deno.readFile(join(bench.place.directory, "kdh.bench.0"));
  using file = openLocalFile(path);
  const compressed = seekableContent(file, new PartBuffers(3));
  let readBytes = 0;
  const asItIs = {
    get: (_key: string, range?: { readonly start: number; readonly end: number }) => {
      const bytes = new Uint8Array(range!.end - range!.start);
      file.read(range!.start, bytes);
      readBytes += bytes.length;
      return Promise.resolve(bytes);
    },
  };
  const look = async (name: string, source: ObjectSource) => {
    const beside = new Map(companionNames(name).map((name) => [name, header]));
    beside.delete("info.bench.0");
    beside.delete("key.bench.0");
    const startedMs = performance.now();
    const examination = await examine(name, { thoroughness: "look", privateKey: null }, {
      file: source,
      beside,
    });
    examination.close();
    if (examination.findings.complete !== true) throw new Error("The dump is not whole");
    return `${digits(readBytes / 1e6)} MB, ${digits((performance.now() - startedMs) / 1000)} s`;
  };
  rows.push([
    "read by inspect of a dump of 10 GB, as it is (from a file)",
    await look("vmcore.bench.0", new ObjectSource(asItIs, "", file.sizeBytes)),
  ]);
  if (compressed !== undefined) {
    const startedMs = performance.now();
    const { stored } = await sendFile(
      swift.store,
      "ranges/vmcore.bench.0.zst",
      file,
      compressed,
      () => Promise.resolve(),
    );
    rows.push([
      "that dump shipped as seekable zstd",
      `${digits(stored.bytes / 1e6)} MB, ${digits((performance.now() - startedMs) / 1000)} s`,
    ]);
    const { store } = swift;
    readBytes = 0;
    const counted = {
      get: async (key: string, range?: { readonly start: number; readonly end: number }) => {
        const bytes = await store.get(key, range);
        readBytes += bytes.length;
        return bytes;
      },
    };
    const source = new ObjectSource(counted, "ranges/vmcore.bench.0.zst", stored.bytes);
    if (await SeekableZstdSource.open(source) === undefined) throw new Error("It has no seek table");
    rows.push(["read by inspect of it there", await look("vmcore.bench.0.zst", source)]);
  }
  await Deno.remove(path);
  return rows;
}

/** A day of a catalogue. */
async function listing(bench: Bench, swift: Swift): Promise<string[][]> {
  bench.doing("listing a catalogue");
  const { store } = swift;
  const rows: Rows = new Map();
  const encode = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value)) as Uint8Array<ArrayBuffer>;
  const dayMs = Date.UTC(2026, 0, 31);
  const left = Array.from({ length: ENTRIES }, (_, number) => number);
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let number = left.pop(); number !== undefined; number = left.pop()) {
      const [startedMs, host] = [dayMs + number * 1000, `w${number}`];
      const id = number.toString(16).padStart(16, "0");
      const entry = encode({
        ...{
          catalog: 1,
          id,
          collector: id,
          host,
          number,
          directory: ".",
          complete: true,
          ending: "Dump complete",
        },
        started: new Date(startedMs).toISOString(),
        objects: [{ name: `vmcore.${host}.${number}`, key: `dumps/${host}/x/vmcore.${host}.${number}` }],
        inspect: { summary: { panic: "page fault", signature: id }, filler: "x".repeat(1500) },
      });
      const key = catalogueKey("list/", { host, number, startedMs, id });
      await store.put(key, entry, "application/json");
      rows.set(key, parseRow(parseEntry(entry))!);
    }
  }));
  const told = encode({ days: 1, rows: Object.fromEntries(rows) });
  for (let i = 0; i < COLLECTORS; i++) await store.put(`${summaryPrefix("list/", dayMs)}${i}.json`, told);
  const list = async (isBrief: boolean): Promise<string> => {
    const query = { sinceMs: null, host: null, complete: null, limit: Infinity, isBrief };
    const startedMs = performance.now();
    const found = await Array.fromAsync(readCatalogue(store, "list/", query));
    if (found.length !== ENTRIES) throw new Error(`Only ${found.length} entries were found`);
    return digits((performance.now() - startedMs) / 1000);
  };
  return [
    [`list a day of ${ENTRIES} dumps, s`, await list(true)],
    [`the same with all that their entries say (--json), s`, await list(false)],
  ];
}

function writeRandom(path: string, bytes: number, offset = 0): void {
  using file = Deno.openSync(path, { write: true, create: true });
  file.seekSync(offset, Deno.SeekMode.Start);
  const piece = new Uint8Array(65536);
  for (let at = 0; at < bytes; at += piece.length) file.writeSync(crypto.getRandomValues(piece));
}
