import { assertEquals } from "@std/assert";
import type { Facts } from "../../lib/inspect/directory/entry.ts";
import { describeDump } from "../../lib/inspect/directory/describe_dump.ts";
import { type DumpFiles, findDumps } from "../../lib/inspect/directory/find_dumps.ts";
import { EntryCache, stampOf } from "../../lib/inspect/directory/entry_cache.ts";
import { listDumps } from "../../lib/inspect/directory/list_dumps.ts";
import { minidumpWithMessages, receivedDump, withFiles } from "./dumps.ts";

const MINIDUMP = minidumpWithMessages();
const COUNT = 24;
const FILE = ".netdump.inspected";

/** A directory with enough dumps to be remembered. */
function manyDumps(): Record<string, Uint8Array | string> {
  return Object.assign(
    {},
    ...Array.from(
      { length: COUNT },
      (_, n) => receivedDump(`w${n % 3}.${n}`, MINIDUMP, { header: { dumpTime: n } }),
    ),
  );
}

/** Reads a directory an hour after its files were written: what it lists, and how many dumps were known before. */
async function list(
  directory: string,
  { version = "1", afterMs = 3_600_000, toWrite = true } = {},
): Promise<{ known: number; states: string[] }> {
  const found = findDumps(directory);
  const cache = EntryCache.open(found, version, toWrite, () => Date.now() + afterMs);
  const known = found.dumps.filter((dump) => cache.find(dump, stampOf(dump)!) !== undefined).length;
  const entries = await Array.fromAsync(listDumps(found, { thoroughness: "glance", cache }));
  cache.close();
  return { known, states: entries.map(({ file, state }) => `${file} ${state}`) };
}

Deno.test("what was found in a directory is known the second time, and the list is the same", async () => {
  await withFiles(manyDumps(), async (directory, path) => {
    const first = await list(directory);
    const second = await list(directory);
    assertEquals([first.known, second.known], [0, COUNT]);
    assertEquals(second.states, first.states);
    // A dump that comes or goes leaves the others known.
    Deno.removeSync(path("vmcore.w0.0"));
    Deno.writeFileSync(path("vmcore.99"), MINIDUMP);
    assertEquals((await list(directory)).known, COUNT - 1);
    assertEquals((await list(directory)).known, COUNT);
  });
});

Deno.test("a file is believed before what is known of it, whichever of a dump's files changed, and how", async () => {
  await withFiles(manyDumps(), async (directory, path) => {
    await list(directory);
    const other = MINIDUMP.slice();
    other[100]! ^= 1;
    const changes: [string, () => void][] = [
      ["vmcore.w0.0", () => Deno.truncateSync(path("vmcore.w0.0"), 9000)],
      ["vmcore.w1.1", () => Deno.utimeSync(path("vmcore.w1.1"), 1, 1)],
      ["vmcore.w2.2", () => {
        // Another file of the same size and time under the name.
        const { mtime } = Deno.statSync(path("vmcore.w2.2"));
        Deno.writeFileSync(path("new"), other);
        Deno.utimeSync(path("new"), mtime!, mtime!);
        Deno.renameSync(path("new"), path("vmcore.w2.2"));
      }],
      ["vmcore.w0.3", () => Deno.writeTextFileSync(path("info.w0.3"), "x", { append: true })],
      ["vmcore.w1.4", () => Deno.removeSync(path("kdh.w1.4"))],
      ["vmcore.w2.5", () => Deno.writeTextFileSync(path("key.w2.5"), "a key")],
    ];
    for (const [, change] of changes) change();
    const found = findDumps(directory);
    const cache = EntryCache.open(found, "1", false);
    const forgotten = found.dumps.filter((dump) => cache.find(dump, stampOf(dump)!) === undefined);
    cache.close();
    assertEquals(
      forgotten.map(({ files }) => files[0]).toSorted(),
      changes.map(([name]) => name).toSorted(),
    );
    const { states } = await list(directory);
    assertEquals(states.includes("vmcore.w0.0 truncated"), true);
  });
});

Deno.test("a dump that has just changed is not remembered: it may change again and look the same", async () => {
  await withFiles(manyDumps(), async (directory) => {
    await list(directory, { afterMs: 0 });
    assertEquals((await list(directory)).known, 0);
  });
});

Deno.test("what another version found, and what was not written to its end, is found again", async () => {
  await withFiles(manyDumps(), async (directory, path) => {
    const { states } = await list(directory);
    assertEquals((await list(directory, { version: "2" })).known, 0);
    assertEquals((await list(directory, { version: "2" })).known, COUNT);
    const text = Deno.readTextFileSync(path(FILE));
    for (const length of [0, 1, 30, text.indexOf("\n"), text.length >> 1, text.length - 1]) {
      Deno.writeTextFileSync(path(FILE), text.slice(0, length));
      assertEquals((await list(directory, { version: "2", toWrite: false })).known, 0, `${length}`);
    }
    Deno.writeTextFileSync(path(FILE), text.replace('"whole"', '"WHOLE"'));
    assertEquals(await list(directory, { version: "2", toWrite: false }), { known: 0, states });
  });
});

Deno.test("nothing is kept without permission to write, beside a few dumps, or of what cannot be read", async () => {
  await withFiles(manyDumps(), async (directory, path) => {
    await list(directory, { toWrite: false });
    assertEquals(Array.from(Deno.readDirSync(directory)).some(({ name }) => name === FILE), false);
    const [dump] = findDumps(directory).dumps as [DumpFiles];
    const cache = EntryCache.open(findDumps(directory), "1", true, () => Date.now() + 3_600_000);
    const stamp = stampOf(dump)!;
    Deno.removeSync(path(dump.files[0]!));
    const facts = await cache.read(dump, stamp, () => describeDump(dump, null, "glance"));
    assertEquals([facts.state, cache.find(dump, stamp)], ["unreadable", undefined]);
    assertEquals(stampOf(dump), null);
    cache.close();
  });
  await withFiles({ "vmcore.0": MINIDUMP }, async (directory) => {
    await list(directory);
    assertEquals(Array.from(Deno.readDirSync(directory)).length, 1);
  });
});

Deno.test("facts that are none are left out", async () => {
  await withFiles(manyDumps(), async (directory) => {
    const found = findDumps(directory);
    const [first] = found.dumps as [DumpFiles];
    const stamp = stampOf(first)!;
    const good = await describeDump(first, null, "glance");
    /** What is kept of these facts. */
    const keep = async (facts: unknown) => {
      const cache = EntryCache.open(found, "1", true, () => Date.now() + 3_600_000);
      await cache.read(first, stamp, () => Promise.resolve(facts as Facts));
      cache.save(found);
      cache.close();
      const again = EntryCache.open(found, "1", false);
      const read = again.find(first, stamp);
      again.close();
      return read;
    };
    assertEquals(await keep(good), good);
    assertEquals(await keep({ ...good, complete: null, number: null, time: null, layers: ["gzip"] }), {
      ...{ ...good, complete: null, number: null, time: null, layers: ["gzip"] },
    });
    const wrong: [keyof Facts, unknown][] = [
      ...Object.keys(good).filter((key) => key !== "complete").map((key): [keyof Facts, unknown] => [
        key as keyof Facts,
        { is: "something else" },
      ]),
      ["kind", "\x1b[31mminidump"],
      ["layers", ["\n"]],
      ["time", "2026-01-01T00:00:00Z\x1b"],
      ["size", -0.5],
      ["complete", "yes"],
      ["state", "WHOLE"],
      ["problems", [{ code: 1, message: "x" }]],
    ];
    for (const [key, value] of wrong) {
      assertEquals(await keep({ ...good, [key]: value }), undefined, `${key} ${JSON.stringify(value)}`);
    }
  });
});
