/**
 * `netdump inspect s3://...`: dumps that were shipped, as a list or one of them.
 *
 * @module
 */
import { type CatalogueEntry, readCatalogue } from "../../archive/catalogue.ts";
import { parseShelfLocation } from "../../archive/keys.ts";
import { ObjectSource } from "../../archive/object_source.ts";
import { ObjectStore } from "../../archive/object_store.ts";
import type { Elsewhere } from "../../inspect/examination.ts";
import { companionNames } from "../../inspect/open/companions.ts";
import { toJsonLine } from "../../text/json.ts";
import { escapeLine, quote } from "../../text/escape.ts";
import { type Style } from "../../text/style.ts";
import { formatTable } from "../../text/table.ts";
import { formatSize } from "../../text/units.ts";
import { OperationError } from "../exit_status.ts";
import { storeSettings } from "../ship_options.ts";
import type { Options } from "./options.ts";

/** A companion is far shorter. */
const MAX_COMPANION_BYTES = 2 ** 20;
const ALIGNMENTS = ["left", "right", "left", "right"] as const;

/** Whether an operand names a bucket. */
export function isInBucket(path: string): boolean {
  return path.startsWith("s3://");
}

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

/** An object of a bucket and what lies beside it, to be examined. */
export async function openObject(path: string, options: Options): Promise<Elsewhere> {
  const { store, prefix } = openBucket(path, options);
  const key = prefix.slice(0, -1);
  const file = await ObjectSource.open(store, key);
  const folder = key.slice(0, key.lastIndexOf("/") + 1);
  const beside = new Map<string, Uint8Array>();
  for (const name of companionNames(key.slice(folder.length))) {
    const found = await store.head(folder + name);
    if (found !== undefined && found.sizeBytes <= MAX_COMPANION_BYTES) {
      beside.set(name, await store.get(folder + name));
    }
  }
  return { file, beside };
}

function openBucket(path: string, options: Options): { store: ObjectStore; prefix: string } {
  try {
    const location = parseShelfLocation(path);
    return { store: new ObjectStore(storeSettings(location, options)), prefix: location.prefix };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new OperationError(`Cannot read ${quote(path)}: expected ${error.message}`);
  }
}
