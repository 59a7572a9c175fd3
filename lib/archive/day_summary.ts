/**
 * What a list shows of a day's catalogue entries, one object a collector: a list reads it instead of each entry. It is a help and
 * no more: what it lacks is read from the entry, and what has no entry does not count.
 *
 * @module
 */
import { type CatalogueRow, parseRow } from "./catalogue_entry.ts";
import { summaryPrefix } from "./keys.ts";
import type { ObjectStore } from "./object_store.ts";
import { StoreError } from "./store_error.ts";

/** A collector that gets more on a day leaves the rest to the entries: it writes all of them with each dump. */
const MAX_ROWS = 5000;
const MAX_SUMMARY_BYTES = 16 * 2 ** 20;
const MAX_READ_AT_ONCE = 16;

/** Rows by the key of their entry. */
export type Rows = Map<string, CatalogueRow>;

/** Adds an entry to what its collector says of its day. */
export async function addToDay(
  store: Pick<ObjectStore, "get" | "put">,
  prefix: string,
  collector: string,
  entry: { readonly key: string; readonly row: CatalogueRow; readonly startedMs: number },
): Promise<void> {
  const key = `${summaryPrefix(prefix, entry.startedMs)}${collector}.json`;
  const rows: Rows = new Map();
  try {
    readRows(await store.get(key), rows);
  } catch (error) {
    if (!(error instanceof StoreError) || error.failure !== "absent") throw error;
  }
  if (rows.size >= MAX_ROWS) return;
  rows.set(entry.key, entry.row);
  const text = JSON.stringify({ days: 1, rows: Object.fromEntries(rows) });
  await store.put(key, new Uint8Array(new TextEncoder().encode(`${text}\n`)), "application/json");
}

/**
 * What all collectors say of a day.
 *
 * @param dayMs Unix time in ms; nobody says anything of `NaN`
 */
export async function readDay(
  store: Pick<ObjectStore, "list" | "get">,
  prefix: string,
  dayMs: number,
): Promise<Rows> {
  const rows: Rows = new Map();
  if (Number.isNaN(dayMs)) return rows;
  const found = await Array.fromAsync(store.list(summaryPrefix(prefix, dayMs)));
  const summaries = found.filter(({ sizeBytes }) => sizeBytes <= MAX_SUMMARY_BYTES);
  for (let at = 0; at < summaries.length; at += MAX_READ_AT_ONCE) {
    const group = summaries.slice(at, at + MAX_READ_AT_ONCE);
    for (const bytes of await Promise.all(group.map(({ key }) => store.get(key)))) readRows(bytes, rows);
  }
  return rows;
}

function readRows(bytes: Uint8Array, into: Rows): void {
  try {
    const { days, rows } = JSON.parse(new TextDecoder().decode(bytes));
    if (days !== 1) return;
    for (const [key, value] of Object.entries(rows)) {
      const row = parseRow(value);
      if (row !== undefined) into.set(key, row);
    }
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
  }
}
