/**
 * Reads the catalogue of a bucket, the newest first and only the days that matter.
 *
 * @module
 */
import { type CatalogueEntry, parseEntry } from "./catalogue_entry.ts";
import { readDay, type Rows } from "./day_summary.ts";
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
  /** Whether what a list shows is enough: most entries need not be read for it. */
  readonly isBrief: boolean;
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
  { sinceMs, host, complete, limit, isBrief }: CatalogueQuery,
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
        const known: Rows = isBrief && wanted.length > 1
          ? await readDay(store, prefix, Date.parse(day.slice(root.length, -1).replaceAll("/", "-")))
          : new Map();
        for (let at = 0; at < wanted.length; at += MAX_READ_AT_ONCE) {
          const group = wanted.slice(at, at + MAX_READ_AT_ONCE);
          const read = await Promise.all(group.map(async ({ key }) => {
            const row = known.get(key);
            return row === undefined ? parseEntry(await store.get(key)) : { ...row, all: null };
          }));
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
