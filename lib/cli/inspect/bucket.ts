/**
 * `netdump inspect s3://...`: dumps that were shipped, as a list or one of them.
 *
 * @module
 */
import { type CatalogueEntry, readCatalogue, readSums } from "../../archive/catalogue.ts";
import { fetchFile, partialPath } from "../../archive/fetch_file.ts";
import { ObjectSource } from "../../archive/object_source.ts";
import { StoreError } from "../../archive/store_error.ts";
import { SeekableZstdSource } from "../../bytes/zstd/seekable_source.ts";
import { realFileSystem } from "../../os/file_system.ts";
import { describeError } from "../../os/system_error.ts";
import { toJsonLine } from "../../text/json.ts";
import { escapeLine, quote } from "../../text/escape.ts";
import { type Style } from "../../text/style.ts";
import { formatTable } from "../../text/table.ts";
import { formatBytes, formatSize } from "../../text/units.ts";
import { isInBucket, openBucket } from "../bucket.ts";
import { ByteProgress } from "../byte_progress.ts";
import { OperationError } from "../exit_status.ts";
import type { Options } from "./options.ts";

/** Shells say by this status that SIGINT ended a program. */
const SIGNALLED_BY_INTERRUPT = 130;
const ALIGNMENTS = ["left", "right", "left", "right"] as const;

/** Whether it names all dumps of a bucket or of a prefix, and not one object: it ends with a slash, or is a bucket alone. */
export function isShelf(path: string): boolean {
  return isInBucket(path) && (path.endsWith("/") || path.split("/").length === 3);
}

/** The catalogue entries of a shelf that are asked for. */
export function readShelf(path: string, options: Options): AsyncGenerator<CatalogueEntry> {
  const { store, prefix } = openBucket(path, options);
  const query = {
    sinceMs: options.since === undefined ? null : Date.now() - options.since,
    host: options.host ?? null,
    complete: wantedState(options.state),
    limit: options.limit ?? Infinity,
  };
  return readCatalogue(store, prefix, query);
}

/** The list of a shelf's dumps as text: JSON lines or a table. */
export async function listShelf(path: string, options: Options, style: Style): Promise<string> {
  const entries = await Array.fromAsync(readShelf(path, options));
  if (options.json) return entries.map(({ all }) => toJsonLine(all) + "\n").join("");
  if (entries.length === 0) return `No dumps in ${escapeLine(path)}\n`;
  const rows = [["HOST", "NO.", "TIME (UTC)", "SIZE", "STATE", "PANIC", "CORE"], ...entries.map(row)];
  return formatTable(rows, ALIGNMENTS, (cell, at) => at === 0 ? style.bold(cell) : cell).join("\n") + "\n";
}

/** A catalogue tells whole dumps from partial ones, and nothing finer. */
function wantedState(state: Options["state"]): boolean | null {
  if (state === undefined) return null;
  if (state === "whole" || state === "partial") return state === "whole";
  throw new OperationError(`A bucket has whole and partial dumps; --state ${state} is of directories`);
}

function row({ host, number, started, complete, bytes, panic, core }: CatalogueEntry): string[] {
  return [
    escapeLine(host),
    `${number ?? "-"}`,
    escapeLine(started.slice(0, 19).replace("T", " ")),
    formatSize(bytes),
    complete ? "whole" : "PARTIAL",
    panic === null ? "-" : escapeLine(panic),
    core === null ? "-" : escapeLine(core),
  ];
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
  const stop = () => {
    progress.stop();
    console.error(`netdump: Interrupted: what was fetched is in ${quote(partialPath(output))}`);
    Deno.exit(SIGNALLED_BY_INTERRUPT);
  };
  Deno.addSignalListener("SIGINT", stop);
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
    Deno.removeSignalListener("SIGINT", stop);
    source.close();
  }
  if (known === undefined) {
    console.error(`netdump: No catalogue entry names ${quote(path)}: its sum could not be checked`);
  }
  return known !== undefined;
}
