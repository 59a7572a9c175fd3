/**
 * `netdump inspect s3://...`: dumps that were shipped, as a list or one of them.
 *
 * @module
 */
import { readCatalogue, readSums } from "../../archive/catalogue.ts";
import type { CatalogueEntry } from "../../archive/catalogue_entry.ts";
import { fetchFile, partialPath } from "../../archive/fetch_file.ts";
import { ObjectSource } from "../../archive/object_source.ts";
import { StoreError } from "../../archive/store_error.ts";
import { SeekableZstdSource } from "../../bytes/zstd/seekable_source.ts";
import { realFileSystem } from "../../os/file_system.ts";
import { describeError } from "../../os/system_error.ts";
import { told } from "../../inspect/tell/told.ts";
import { escapeLine, quote } from "../../text/escape.ts";
import { type Column, GrowingTable } from "../../text/growing_table.ts";
import { styleFor } from "../../text/style.ts";
import { formatBytes, formatSize } from "../../text/units.ts";
import { isInBucket, openBucket } from "../bucket.ts";
import { ByteProgress } from "../byte_progress.ts";
import { OperationError } from "../exit_status.ts";
import { onInterrupt } from "../interrupt.ts";
import { writeStdout } from "../output.ts";
import type { Options } from "./options.ts";
import { jsonLines, tellGroups, tellList } from "./telling.ts";

/** Whether it names all dumps of a bucket or of a prefix, and not one object: it ends with a slash, or is a bucket alone. */
export function isShelf(path: string): boolean {
  return isInBucket(path) && (path.endsWith("/") || path.split("/").length === 3);
}

/** The catalogue entries of a shelf that are asked for. */
function readShelf(path: string, options: Options): AsyncGenerator<CatalogueEntry> {
  const { store, prefix } = openBucket(path, options);
  const query = {
    sinceMs: options.since === undefined ? null : Date.now() - options.since,
    host: options.host ?? null,
    complete: wantedState(options.state),
    limit: options.limit ?? Infinity,
    isBrief: !options.json || options.group,
  };
  return readCatalogue(store, prefix, query);
}

/**
 * Tells what is asked about a shelf's dumps.
 *
 * @returns that it could be read
 */
export async function inspectShelf(path: string, options: Options): Promise<true> {
  const style = styleFor(Deno.stdout.isTerminal(), Deno.noColor);
  const entries = readShelf(path, options);
  const table = new GrowingTable(COLUMNS, style, null);
  const format = (ready: readonly CatalogueEntry[]) =>
    options.json ? jsonLines(ready.map(({ all }) => all)) : table.add(ready);
  const count = options.group
    ? await tellGroups(entries, options.json, style)
    : await tellList(entries, format);
  if (count === 0 && !options.json) await writeStdout(`No dumps in ${escapeLine(path)}\n`);
  return true;
}

const COLUMNS: readonly Column<CatalogueEntry>[] = [
  { head: "HOST", cell: ({ host }) => told(host) },
  { head: "NO.", cell: ({ number }) => `${number ?? "-"}`, isRight: true },
  { head: "TIME (UTC)", cell: ({ started }) => escapeLine(started.slice(0, 19).replace("T", " ")) },
  { head: "SIZE", cell: ({ bytes }) => formatSize(bytes), isRight: true },
  { head: "STATE", cell: ({ complete }) => complete ? "whole" : "PARTIAL" },
  { head: "PANIC", cell: ({ panic }) => panic === null ? "-" : told(panic) },
  { head: "CORE", cell: ({ core }) => core === null ? "-" : told(core) },
];

/** A catalogue tells whole dumps from partial ones, and nothing finer. */
function wantedState(state: Options["state"]): boolean | null {
  if (state === undefined) return null;
  if (state === "whole" || state === "partial") return state === "whole";
  throw new OperationError(`A bucket has whole and partial dumps; --state ${state} is of directories`);
}

/**
 * Fetches an object as it was received, and goes on where an earlier try ended.
 *
 * @returns whether its sum could be checked
 */
export async function fetchObject(path: string, options: Options, output: string): Promise<boolean> {
  const { store, prefix } = openBucket(path, options);
  const key = prefix.slice(0, -1);
  if (realFileSystem.entry(output) !== undefined) {
    throw new OperationError(`Cannot write ${quote(output)}: it exists`);
  }
  const file = await ObjectSource.open(store, key);
  const known = await readSums(store, key);
  const source = known?.compression === "zstd" ? await SeekableZstdSource.open(file) : file;
  if (source === undefined) throw new OperationError(`Cannot read ${quote(path)}: its seek table is damaged`);
  const progress = new ByteProgress(output);
  using _interrupt = onInterrupt((status) => {
    progress.stop();
    console.error(`netdump: Interrupted: what was fetched is in ${quote(partialPath(output))}`);
    Deno.exit(status);
  });
  try {
    const sums = known?.received ?? null;
    const fetch = { source, sums, path: output, onProgress: progress.update };
    const heldBytes = await fetchFile(realFileSystem, fetch);
    const before = heldBytes === 0 ? "" : `, ${formatBytes(heldBytes)} of it by an earlier try`;
    console.error(`netdump: Wrote ${quote(output)}: ${formatBytes(source.size)}${before}`);
  } catch (error) {
    if (error instanceof StoreError || error instanceof OperationError) throw error;
    throw new OperationError(`Cannot write ${quote(output)}: ${describeError(error)}`);
  } finally {
    progress.stop();
    source.close();
  }
  if (known === undefined) {
    console.error(`netdump: No catalogue entry names ${quote(path)}: its sum could not be checked`);
  }
  return known !== undefined;
}
