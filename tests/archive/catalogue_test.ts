import { assertEquals } from "@std/assert";
import { type CatalogueQuery, readCatalogue } from "../../lib/archive/catalogue.ts";
import { parseEntry, parseRow } from "../../lib/archive/catalogue_entry.ts";
import { addToDay } from "../../lib/archive/day_summary.ts";
import { catalogueKey } from "../../lib/archive/keys.ts";
import { StoreError } from "../../lib/archive/store_error.ts";

const EVERYTHING: CatalogueQuery = {
  ...{ sinceMs: null, host: null, complete: null, limit: Infinity, isBrief: false },
};
const START_MS = Date.UTC(2026, 0, 30);
const HOUR_MS = 3600 * 1000;

/** A bucket in memory that counts what is read of it. */
class MemoryStore {
  readonly objects = new Map<string, Uint8Array>();
  gets = 0;

  put(key: string, bytes: Uint8Array): Promise<string> {
    this.objects.set(key, bytes);
    return Promise.resolve("");
  }

  get(key: string): Promise<Uint8Array> {
    this.gets++;
    const bytes = this.objects.get(key);
    return bytes === undefined ? Promise.reject(new StoreError("absent", key)) : Promise.resolve(bytes);
  }

  async *list(prefix: string) {
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix)).sort();
    for (const key of keys) yield await Promise.resolve({ key, sizeBytes: this.objects.get(key)!.length });
  }

  folders(prefix: string): Promise<string[]> {
    const rest = [...this.objects.keys()].filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length));
    return Promise.resolve([
      ...new Set(rest.filter((key) => key.includes("/")).map((key) => `${prefix}${key.split("/")[0]}/`)),
    ]);
  }
}

/** Ships a dump as a collector does, with or without what it says of its day. */
async function addDump(store: MemoryStore, number: number, isTold: boolean): Promise<void> {
  const startedMs = START_MS + number * HOUR_MS;
  const [host, id] = [`w${number % 3}`, number.toString(16).padStart(16, "0")];
  const key = catalogueKey("p/", { host, number, startedMs, id });
  const entry = new TextEncoder().encode(JSON.stringify({
    ...{ catalog: 1, id, host, number, complete: number % 5 !== 0, ending: "Dump complete" },
    started: new Date(startedMs).toISOString(),
    objects: [{ name: `vmcore.${host}.${number}`, key: "core", stored: { bytes: 7 } }, {
      stored: { bytes: 3 },
    }],
    inspect: { summary: { panic: `panic ${number % 4}` } },
  }));
  await store.put(key, entry);
  const row = parseRow(parseEntry(entry));
  if (isTold) await addToDay(store, "p/", `collector-${number % 2}`, { key, row: row!, startedMs });
}

const read = (store: MemoryStore, query: Partial<CatalogueQuery> = {}) =>
  Array.fromAsync(readCatalogue(store, "p/", { ...EVERYTHING, ...query }));

Deno.test("a brief list is what the entries say, whether or not a collector told of them", async () => {
  const store = new MemoryStore();
  for (let number = 0; number < 60; number++) await addDump(store, number, number % 7 !== 0);
  const queries: Partial<CatalogueQuery>[] = [
    {},
    { host: "w1" },
    { complete: false },
    { limit: 10 },
    { sinceMs: START_MS + 30 * HOUR_MS },
  ];
  for (const query of queries) {
    const full = await read(store, query);
    const brief = await read(store, { ...query, isBrief: true });
    assertEquals(
      brief.map((entry) => ({ ...entry, all: null })),
      full.map((entry) => ({ ...entry, all: null })),
    );
    assertEquals(full.map(({ started }) => started), full.map(({ started }) => started).toSorted().reverse());
  }
  store.gets = 0;
  await read(store, { isBrief: true });
  // Nine entries that nobody told of, and two collectors on each of three days.
  assertEquals(store.gets, 9 + 6);
});

Deno.test("what a collector told of is no dump without its entry, and what it told wrongly is passed over", async () => {
  const store = new MemoryStore();
  for (let number = 0; number < 4; number++) await addDump(store, number, true);
  const wanted = await read(store);
  const [first] = [...store.objects.keys()].filter((key) => key.includes("catalog/")).sort();
  const gone = store.objects.get(first!)!;
  store.objects.delete(first!);
  assertEquals((await read(store, { isBrief: true })).length, 3);
  store.objects.set(first!, gone);
  const told = [...store.objects.keys()].filter((key) => key.includes("days/"));
  for (const text of ["", "[]", "null", '{"days":1}', '{"days":1,"rows":{"x":1}}', '{"days":2,"rows":{}}']) {
    for (const key of told) await store.put(key, new TextEncoder().encode(text));
    assertEquals(await read(store, { isBrief: true }), wanted, text);
  }
  const rows = { [first!]: { host: 7, started: "x" } };
  await store.put(told[0]!, new TextEncoder().encode(JSON.stringify({ days: 1, rows })));
  assertEquals(await read(store, { isBrief: true }), wanted);
});

Deno.test("a folder that is no day has no summary, and its entries are read", async () => {
  const store = new MemoryStore();
  for (let number = 0; number < 2; number++) await addDump(store, number, true);
  for (const [key, bytes] of [...store.objects]) {
    if (key.includes("catalog/")) {
      store.objects.delete(key);
      store.objects.set(key.replace("2026/01/30", "a/b/c"), bytes);
    }
  }
  assertEquals((await read(store, { isBrief: true })).length, 2);
});
