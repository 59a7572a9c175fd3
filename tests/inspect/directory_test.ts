import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatDirectory } from "../../lib/inspect/tell/directory_text.ts";
import { signatureTag } from "../../lib/kerneldump/files/panic_signature.ts";
import { type Entry, listDirectory, select } from "../../lib/inspect/directory.ts";
import { styleFor } from "../../lib/text/style.ts";
import { buildElfCore, buildMinidump } from "../kerneldump/synthetic.ts";
import { minidumpWithMessages, receivedDump, withFiles } from "./dumps.ts";

const MINIDUMP = minidumpWithMessages();

/** A directory with a dump of every fate. */
function everyFate(): Record<string, Uint8Array | string> {
  const panic = (address: string) => `Duplicate free of ${address} from zone 0xfffffe001ec2ea00(malloc-2048)`;
  const { "vmcore.gone.4": _, ...orphan } = receivedDump("gone.4", MINIDUMP, { header: { dumpTime: 1000 } });
  return {
    ...receivedDump("w1.0", MINIDUMP, {
      header: { dumpTime: 4000, panicString: panic("0xfffff80339ef3000") },
    }),
    ...receivedDump("w1.1", MINIDUMP, {
      header: { dumpTime: 6000, panicString: panic("0xfffff80339aaa000") },
    }),
    ...receivedDump("db.0", MINIDUMP.subarray(0, 30000), {
      name: "vmcore.db.0.incomplete",
      header: { dumpTime: 5000, dumpLength: MINIDUMP.byteLength },
      ending: "Dump incomplete: client timed out",
    }),
    ...receivedDump("odd.2", MINIDUMP, { header: { dumpTime: 3000 }, ending: null }),
    ...orphan,
    "vmcore.7": buildElfCore(),
    "core.txt.9": "a report alone",
    "bounds.w1": "2\n",
    "notes.txt": "not a dump",
  };
}

Deno.test("listDirectory() lists dumps newest first, partial and orphaned ones as what they are", async () => {
  await withFiles(everyFate(), async (directory, path) => {
    Deno.symlinkSync("vmcore.w1.1", path("vmcore.w1.last"));
    Deno.utimeSync(path("vmcore.7"), 7000, 7000);
    const entries = await listDirectory(directory, "glance");
    assertEquals(entries.map(({ file, host, number, state }) => [file, host, number, state]), [
      ["vmcore.7", null, 7, "whole"],
      ["vmcore.w1.1", "w1", 1, "whole"],
      ["vmcore.db.0.incomplete", "db", 0, "partial"],
      ["vmcore.w1.0", "w1", 0, "whole"],
      ["vmcore.odd.2", "odd", 2, "partial"],
      ["info.gone.4", "gone", 4, "orphaned"],
    ]);
    assertEquals(entries[1]?.files, ["vmcore.w1.1", "info.w1.1", "kdh.w1.1"]);
    assertEquals(entries[1]?.signature, entries[3]?.signature);
    assertEquals([entries[0]?.timeOfCrash, entries[1]?.timeOfCrash], [false, true]);
    assertEquals(entries.map(({ time }) => time).slice(0, 2), [
      "1970-01-01T01:56:40Z",
      "1970-01-01T01:40:00Z",
    ]);
  });
});

Deno.test("listDirectory() tells a time that came without its zone", async () => {
  const info = (time: string) =>
    `Dump from w1 [192.0.2.7]\n  Architecture: amd64\n  Dumptime: ${time}\nDump complete\n`;
  const files = {
    "vmcore.7": buildMinidump(),
    "info.7": info("Wed May 17 05:07:58 2023"),
    "info.8": info("Wed May 17 05:07:58 2023"),
    "info.9": info("2023-05-17 05:07:58 +0200"),
  };
  await withFiles(files, async (directory) => {
    const entries = await listDirectory(directory, "glance");
    const told = new Map(entries.map(({ file, timeZoned }) => [file, timeZoned]));
    assertEquals([told.get("vmcore.7"), told.get("info.8"), told.get("info.9")], [false, false, true]);
    const table = formatDirectory(entries, styleFor(false, true), null);
    assertEquals(table.split("\n").filter((line) => / \* /.test(line)).length, 2);
  });
});

Deno.test("listDirectory() keeps two dumps apart that a wrap-around gave the same number", async () => {
  const files = { "vmcore.0": MINIDUMP, "vmcore_encrypted.0": new Uint8Array(4096).fill(0xa5), "key.0": "x" };
  await withFiles(files, async (directory) => {
    const entries = await listDirectory(directory, "glance");
    // The messages tell when the one was, the other has the time of its file.
    assertEquals(entries.map(({ file, state }) => [file, state]), [
      ["vmcore_encrypted.0", "unknown"],
      ["vmcore.0", "whole"],
    ]);
  });
});

Deno.test("listDirectory() goes on where one dump cannot be read", async () => {
  await withFiles({ "vmcore.0": MINIDUMP, "vmcore.1": MINIDUMP }, async (directory, path) => {
    Deno.chmodSync(path("vmcore.1"), 0);
    const entries = await listDirectory(directory, "glance");
    // root reads everything.
    const expected = Deno.uid() === 0 ? ["whole", "whole"] : ["whole", "unreadable"];
    assertEquals(entries.map(({ state }) => state).toSorted(), expected.toSorted());
  });
});

Deno.test("formatDirectory() lines up, marks equal panics, and fits the terminal", async () => {
  await withFiles(everyFate(), async (directory) => {
    const entries = await listDirectory(directory, "glance");
    const plain = formatDirectory(entries, styleFor(false, true), null).trimEnd().split("\n");
    assertMatch(plain[0]!, /^HOST +NO\. +TIME \(UTC\) +SIZE +KIND +STATE +SAME +PANIC$/);
    const column = plain[0]!.indexOf("STATE");
    for (const line of plain.slice(1)) assertMatch(line.slice(column), /^(whole|PARTIAL|ORPHANED)( |$)/);
    const tag = signatureTag(entries.find(({ file }) => file === "vmcore.w1.0")!.signature!);
    assertEquals(plain.filter((line) => line.includes(tag)).length, 2);
    const narrow = formatDirectory(entries, styleFor(true, false), 90);
    // deno-lint-ignore no-control-regex
    for (const line of narrow.replace(/\x1b\[\d+m/g, "").split("\n")) {
      assertEquals(line.length <= 90, true, line);
    }
    assertStringIncludes(narrow, "\x1b[31mPARTIAL");
  });
});

Deno.test("listDirectory() calls TRUNCATED what was cut, and PARTIAL only what its server calls so", async () => {
  const files = {
    ...receivedDump("w1.0", MINIDUMP.subarray(0, 30000), { header: { dumpLength: MINIDUMP.byteLength } }),
    ...receivedDump("w1.1", MINIDUMP, { ending: "Dump incomplete: client timed out" }),
    "vmcore.2": MINIDUMP.subarray(0, 9000),
  };
  await withFiles(files, async (directory) => {
    const entries = await listDirectory(directory, "glance");
    const states = Object.fromEntries(entries.map(({ file, state }) => [file, state]));
    assertEquals(states, { "vmcore.w1.0": "truncated", "vmcore.w1.1": "partial", "vmcore.2": "truncated" });
  });
});

Deno.test("listDirectory() sorts numbers as numbers where times are equal", async () => {
  await withFiles(
    Object.fromEntries([10, 9, 2, 100].map((n) => [`vmcore.${n}`, MINIDUMP])),
    async (directory) => {
      const entries = await listDirectory(directory, "glance");
      assertEquals(entries.map(({ number }) => number), [2, 9, 10, 100]);
    },
  );
});

Deno.test("select() picks by time, host, state and count, and all of them where nothing is asked", async () => {
  await withFiles(everyFate(), async (directory, path) => {
    Deno.utimeSync(path("vmcore.7"), 7000, 7000);
    const entries = await listDirectory(directory, "glance");
    const all = { sinceMs: undefined, host: undefined, state: undefined, limit: undefined };
    const files = (picked: readonly Entry[]) => picked.map(({ file }) => file);
    const now = 7_000_000;
    assertEquals(select(entries, all, now), entries);
    assertEquals(files(select(entries, { ...all, sinceMs: 1_000_000 }, now)), ["vmcore.7", "vmcore.w1.1"]);
    assertEquals(files(select(entries, { ...all, host: "w1" }, now)), ["vmcore.w1.1", "vmcore.w1.0"]);
    assertEquals(files(select(entries, { ...all, host: "w1", limit: 1 }, now)), ["vmcore.w1.1"]);
    assertEquals(files(select(entries, { ...all, state: "orphaned" }, now)), ["info.gone.4"]);
    assertEquals(files(select(entries, { ...all, host: "none" }, now)), []);
  });
});
