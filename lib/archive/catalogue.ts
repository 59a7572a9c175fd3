/**
 * Reads the catalogue of a bucket, the newest first and only the days that matter.
 *
 * @module
 */
import { panicSignature } from "../kerneldump/files/panic_signature.ts";
import { catalogueKeyOf, dayPrefix } from "./keys.ts";
import type { ListedObject, ObjectStore } from "./object_store.ts";
import { basicTime } from "./signature.ts";
import { StoreError } from "./store_error.ts";
import type { Sums } from "./transfer.ts";

const MAX_ENTRY_BYTES = 16 * 2 ** 20;
const MAX_READ_AT_ONCE = 16;
const NAME = /^(\d{8}T\d{6}Z)-([A-Za-z0-9_.-]{1,80})-([0-9a-f]{16})\.json$/;

/** Which entries are wanted. */
export interface CatalogueQuery {
  /** Unix time in ms. */
  readonly sinceMs: number | null;
  readonly host: string | null;
  readonly complete: boolean | null;
  readonly limit: number;
}

/** A catalogue entry, as far as it is shown; strings are unfiltered. */
export interface CatalogueEntry {
  readonly host: string;
  readonly number: number | null;
  readonly started: string;
  readonly complete: boolean;
  readonly ending: string;
  readonly panic: string | null;
  /** When it crashed, or, where that is not known, when it began to arrive; ISO 8601, UTC. */
  readonly time: string;
  /** Equal for panics that are likely the same bug. */
  readonly signature: string | null;
  /** Key of the core file; `null` if none is named. */
  readonly core: string | null;
  /** Bytes of all objects. */
  readonly bytes: number;
  /** All that the entry says. */
  readonly all: unknown;
}

/** What the catalogue says of an object. */
export interface ObjectSums {
  readonly compression: "none" | "zstd";
  readonly received: Sums;
}

/** What the catalogue says of an object; `undefined` if no entry names it. */
export async function readSums(
  store: Pick<ObjectStore, "head" | "get">,
  key: string,
): Promise<ObjectSums | undefined> {
  const entryKey = catalogueKeyOf(key);
  const stored = entryKey === undefined ? undefined : await store.head(entryKey);
  if (entryKey === undefined || stored === undefined || stored.sizeBytes > MAX_ENTRY_BYTES) return undefined;
  try {
    const { objects } = JSON.parse(new TextDecoder().decode(await store.get(entryKey)));
    // deno-lint-ignore no-explicit-any
    const { compression, received } = objects.find((object: any) => object.key === key);
    const { bytes, sha256 } = received;
    const isSound = (compression === "none" || compression === "zstd") && Number.isSafeInteger(bytes) &&
      /^[0-9a-f]{64}$/.test(sha256);
    return isSound ? { compression, received: { bytes, sha256 } } : undefined;
  } catch (error) {
    if (error instanceof StoreError) throw error;
    return undefined;
  }
}

/** Entries, the newest first. What is no entry is left out. */
export async function* readCatalogue(
  store: Pick<ObjectStore, "list" | "folders" | "get">,
  prefix: string,
  { sinceMs, host, complete, limit }: CatalogueQuery,
): AsyncGenerator<CatalogueEntry> {
  const root = `${prefix}catalog/v1/`;
  const since = sinceMs === null ? "" : basicTime(sinceMs);
  const firstDay = sinceMs === null ? "" : dayPrefix(prefix, sinceMs);
  let left = limit;
  for (const year of await newestFirst(store, root, firstDay)) {
    for (const month of await newestFirst(store, year, firstDay)) {
      for (const day of await newestFirst(store, month, firstDay)) {
        const wanted: ListedObject[] = [];
        for await (const object of store.list(day)) {
          const [, time = "", of] = NAME.exec(object.key.slice(day.length)) ?? [];
          const isWanted = time !== "" && time >= since && (host === null || of === host) &&
            object.sizeBytes <= MAX_ENTRY_BYTES;
          if (isWanted) wanted.push(object);
        }
        wanted.reverse();
        for (let at = 0; at < wanted.length; at += MAX_READ_AT_ONCE) {
          const group = wanted.slice(at, at + MAX_READ_AT_ONCE);
          const read = await Promise.all(group.map(async ({ key }) => parseEntry(await store.get(key))));
          for (const entry of read) {
            if (entry === undefined || (complete !== null && entry.complete !== complete)) continue;
            yield entry;
            if (--left === 0) return;
          }
        }
      }
    }
  }
}

/** Folders below a prefix, the last first, none that lies before the first day. */
async function newestFirst(
  store: Pick<ObjectStore, "folders">,
  prefix: string,
  firstDay: string,
): Promise<string[]> {
  const folders = await store.folders(prefix);
  return folders.filter((folder) => folder >= firstDay.slice(0, folder.length)).sort().reverse();
}

function parseEntry(bytes: Uint8Array): CatalogueEntry | undefined {
  try {
    const all = JSON.parse(new TextDecoder().decode(bytes));
    const { catalog, host, number, started, complete, ending, objects, inspect } = all;
    if (catalog !== 1 || typeof host !== "string" || typeof started !== "string") return undefined;
    const summary = inspect?.summary;
    const told = summary?.panic ?? inspect?.kernelDumpHeader?.panicString;
    const panic = typeof told === "string" && told !== "" ? told : null;
    const ofPanic = panic === null ? null : panicSignature(panic);
    const list: { name?: unknown; key?: unknown; stored?: { bytes?: unknown } }[] = Array.isArray(objects)
      ? objects
      : [];
    const core = list.find(({ name }) => `${name}`.startsWith("vmcore"))?.key;
    return {
      ...{ host, started, complete: complete === true, ending: `${ending}`, all, panic },
      number: typeof number === "number" ? number : null,
      time: typeof summary?.time === "string" ? summary.time : started,
      signature: typeof summary?.signature === "string" ? summary.signature : ofPanic,
      core: typeof core === "string" ? core : null,
      bytes: list.reduce((sum, { stored }) => sum + (Number(stored?.bytes) || 0), 0),
    };
  } catch {
    return undefined;
  }
}
