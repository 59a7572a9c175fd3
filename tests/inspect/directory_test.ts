import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { findDumps } from "../../lib/inspect/directory/find_dumps.ts";
import { listDumps, type Selection } from "../../lib/inspect/directory/list_dumps.ts";
import { directoryTable } from "../../lib/inspect/tell/directory_text.ts";
import { signatureTag } from "../../lib/kerneldump/files/panic_signature.ts";
import { type Style, styleFor } from "../../lib/text/style.ts";
import { buildElfCore, buildMinidump } from "../kerneldump/synthetic.ts";
import { listDirectory, minidumpWithMessages, receivedDump, withFiles } from "./dumps.ts";

const MINIDUMP = minidumpWithMessages();

/** The table of a directory, in one piece. */
async function table(directory: string, style: Style, width: number | null): Promise<string> {
  return directoryTable(findDumps(directory), style, width).add(await listDirectory(directory));
}

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
    "info.json": "{}",
    "key.pem": "nobody's",
  };
}

Deno.test("listDumps() lists what other programs compressed beside what belongs to it", async () => {
  const { "vmcore.w1.0": dump, ...beside } = receivedDump("w1.0", MINIDUMP);
  const bzip2 = "BZh91AY&SY";
  await withFiles({ ...beside, "vmcore.w1.0.bz2": bzip2, "vmcore.xz": dump! }, async (directory) => {
    const entries = await listDirectory(directory);
    assertEquals(entries.map(({ file, host, number }) => [file, host, number]).sort(), [
      ["vmcore.w1.0.bz2", "w1", 0],
      ["vmcore.xz", null, null],
    ]);
  });
});

Deno.test("listDumps() lists dumps newest first, partial and orphaned ones as what they are", async () => {
  await withFiles(everyFate(), async (directory, path) => {
    Deno.symlinkSync("vmcore.w1.1", path("vmcore.w1.last"));
    Deno.utimeSync(path("vmcore.7"), 7000, 7000);
    const entries = await listDirectory(directory);
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

Deno.test("listDumps() tells a time that came without its zone", async () => {
  const info = (time: string) =>
    `Dump from w1 [192.0.2.7]\n  Architecture: amd64\n  Dumptime: ${time}\nDump complete\n`;
  const files = {
    "vmcore.7": buildMinidump(),
    "info.7": info("Wed May 17 05:07:58 2023"),
    "info.8": info("Wed May 17 05:07:58 2023"),
    "info.9": info("2023-05-17 05:07:58 +0200"),
  };
  await withFiles(files, async (directory) => {
    const entries = await listDirectory(directory);
    const told = new Map(entries.map(({ file, timeZoned }) => [file, timeZoned]));
    assertEquals([told.get("vmcore.7"), told.get("info.8"), told.get("info.9")], [false, false, true]);
    const text = await table(directory, styleFor(false, true), null);
    assertEquals(text.split("\n").filter((line) => / \* /.test(line)).length, 2);
  });
});

Deno.test("listDumps() keeps two dumps apart that a wrap-around gave the same number", async () => {
  const files = { "vmcore.0": MINIDUMP, "vmcore_encrypted.0": new Uint8Array(4096).fill(0xa5), "key.0": "x" };
  await withFiles(files, async (directory) => {
    const entries = await listDirectory(directory);
    // The messages tell when the one was, the other has the time of its file.
    assertEquals(entries.map(({ file, state }) => [file, state]), [
      ["vmcore_encrypted.0", "unknown"],
      ["vmcore.0", "whole"],
    ]);
  });
});

Deno.test("listDumps() goes on where one dump cannot be read", async () => {
  await withFiles({ "vmcore.0": MINIDUMP, "vmcore.1": MINIDUMP }, async (directory, path) => {
    Deno.chmodSync(path("vmcore.1"), 0);
    const entries = await listDirectory(directory);
    // root reads everything.
    const expected = Deno.uid() === 0 ? ["whole", "whole"] : ["whole", "unreadable"];
    assertEquals(entries.map(({ state }) => state).toSorted(), expected.toSorted());
  });
});

Deno.test("listDumps() calls TRUNCATED what was cut, PARTIAL what its server calls so, and BAD what is too long", async () => {
  const longer = new Uint8Array(MINIDUMP.byteLength + 8192);
  longer.set(MINIDUMP);
  const files = {
    ...receivedDump("w1.0", MINIDUMP.subarray(0, 30000), { header: { dumpLength: MINIDUMP.byteLength } }),
    ...receivedDump("w1.1", MINIDUMP, { ending: "Dump incomplete: client timed out" }),
    "vmcore.2": MINIDUMP.subarray(0, 9000),
    "vmcore.3": longer,
    ...receivedDump("w1.4", longer, { header: { dumpLength: MINIDUMP.byteLength } }),
  };
  await withFiles(files, async (directory) => {
    const states = Object.fromEntries(
      (await listDirectory(directory)).map(({ file, state }) => [file, state]),
    );
    assertEquals(states, {
      "vmcore.w1.0": "truncated",
      "vmcore.w1.1": "partial",
      "vmcore.2": "truncated",
      "vmcore.3": "bad",
      "vmcore.w1.4": "bad",
    });
  });
});

Deno.test("listDumps() sorts numbers as numbers where times are equal", async () => {
  await withFiles(
    Object.fromEntries([10, 9, 2, 100].map((n) => [`vmcore.${n}`, MINIDUMP])),
    async (directory) => {
      assertEquals((await listDirectory(directory)).map(({ number }) => number), [2, 9, 10, 100]);
    },
  );
});

Deno.test("listDumps() picks by time, host, state and count, and all of them where nothing is asked", async () => {
  await withFiles(everyFate(), async (directory, path) => {
    Deno.utimeSync(path("vmcore.7"), 7000, 7000);
    const files = async (selection: Selection) =>
      (await listDirectory(directory, selection)).map(({ file }) => file);
    assertEquals((await files({})).length, 6);
    assertEquals(await files({ sinceMs: 6_000_000 }), ["vmcore.7", "vmcore.w1.1"]);
    assertEquals(await files({ host: "w1" }), ["vmcore.w1.1", "vmcore.w1.0"]);
    assertEquals(await files({ host: "w1", limit: 1 }), ["vmcore.w1.1"]);
    assertEquals(await files({ state: "orphaned" }), ["info.gone.4"]);
    assertEquals(await files({ host: "none" }), []);
  });
});

Deno.test("listDumps() gives dumps as it reads them, and reads no more than are taken", async () => {
  const files = Object.assign(
    {},
    ...[5, 6, 7, 8].map((n) => receivedDump(`w1.${n}`, MINIDUMP, { header: { dumpTime: n * 1000 } })),
    // Without a header beside them the time of the file bounds that of the crash.
    { "vmcore.1": buildElfCore(), "vmcore.2": MINIDUMP },
  );
  await withFiles(files, async (directory, path) => {
    Deno.utimeSync(path("vmcore.1"), 6500, 6500);
    Deno.utimeSync(path("vmcore.2"), 1, 1);
    const entries = listDumps(findDumps(directory), { thoroughness: "glance" });
    const next = async () => {
      const { value } = await entries.next();
      return value === undefined ? undefined : [value.file, value.state];
    };
    // One whose messages tell a later time than its file has comes when it is read.
    assertEquals(await next(), ["vmcore.w1.8", "whole"]);
    for (const name of ["vmcore.1", "vmcore.w1.5"]) Deno.removeSync(path(name));
    assertEquals(await next(), ["vmcore.w1.7", "whole"]);
    assertEquals(await next(), ["vmcore.1", "unreadable"]);
    assertEquals(await next(), ["vmcore.w1.6", "whole"]);
    assertEquals(await next(), ["vmcore.w1.5", "unreadable"]);
    assertEquals(await next(), ["vmcore.2", "whole"]);
    assertEquals(await next(), undefined);
  });
});

Deno.test("listDumps() keeps the order where dumps tell other times than their files have", async () => {
  // Those without a header beside them are read when the time of their file has come, and wait for their own.
  const text = (time: number) => `panic: boom\ncpuid = 1\ntime = ${time}\nUptime: 3s\n`;
  const times = [50, 10, 90, 30, 70, 20, 80, 60, 40];
  const files: Record<string, Uint8Array | string> = Object.assign(
    {},
    ...times.map((time, i) => ({ [`vmcore.${i}`]: minidumpWithMessages(text(time)) })),
    ...[15, 45, 95, 25].map((dumpTime, i) => receivedDump(`w1.${i}`, MINIDUMP, { header: { dumpTime } })),
  );
  await withFiles(files, async (directory, path) => {
    for (const [i, time] of times.entries()) Deno.utimeSync(path(`vmcore.${i}`), time + i % 3, time + i % 3);
    const told = (await listDirectory(directory)).map(({ time }) => Date.parse(time!) / 1000);
    assertEquals(told, [...times, 15, 45, 95, 25].toSorted((a, b) => b - a));
  });
});

Deno.test("findDumps() looks into directories below, not into hidden ones, and follows no links", async () => {
  await withFiles(receivedDump("w1.0", MINIDUMP), async (directory, path) => {
    for (const below of ["lab/rack10", "lab/rack9", ".netdump", "lab/.zfs", "elsewhere"]) {
      Deno.mkdirSync(path(below), { recursive: true });
      Deno.writeFileSync(path(`${below}/vmcore.w1.0`), MINIDUMP);
    }
    Deno.symlinkSync(path("elsewhere"), path("link"));
    Deno.symlinkSync("..", path("lab/loop"));
    Deno.removeSync(path("elsewhere/vmcore.w1.0"));
    const { dumps, left } = findDumps(directory);
    assertEquals(dumps.map(({ below, files }) => [below, files[0]]), [
      ["", "vmcore.w1.0"],
      ["lab/rack10", "vmcore.w1.0"],
      ["lab/rack9", "vmcore.w1.0"],
    ]);
    assertEquals(left, []);
    const entries = await listDirectory(directory);
    assertEquals(entries.map((entry) => entry.directory), [
      directory,
      join(directory, "lab/rack9"),
      join(directory, "lab/rack10"),
    ]);
    const lines = (await table(directory, styleFor(false, true), null)).split("\n");
    assertMatch(lines[0]!, /^IN +HOST/);
    assertEquals(lines.slice(1, 4).map((line) => line.split(/ +/).slice(0, 2)), [
      [".", "w1"],
      ["lab/rack9", "w1"],
      ["lab/rack10", "w1"],
    ]);
  });
});

Deno.test("findDumps() says what it did not look into: a tree without end, more directories than there can be", async () => {
  await withFiles({}, async (directory, path) => {
    const deep = (levels: number) => Array(levels).fill("deeper").join("/");
    Deno.mkdirSync(path(deep(7)), { recursive: true });
    Deno.writeFileSync(path(`${deep(2)}/vmcore.w1.0`), MINIDUMP);
    // Nothing says that it is a dump directory.
    const strange = findDumps(directory);
    assertEquals(strange.dumps.map(({ below }) => below), [deep(2)]);
    assertMatch(
      strange.left.join("\n"),
      /^".*(?:\/deeper){3}": no more than 100 directories are, and none deeper than 2$/,
    );
    Deno.writeFileSync(path(`${deep(4)}/vmcore.w1.0`), MINIDUMP);
    for (const sign of [".netdump", "vmcore.0"]) {
      if (sign === ".netdump") Deno.mkdirSync(path(sign));
      else Deno.writeFileSync(path(sign), MINIDUMP);
      const { dumps, left } = findDumps(directory);
      assertEquals(dumps.filter(({ below }) => below !== "").map(({ below }) => below), [deep(2), deep(4)]);
      assertMatch(
        left.join("\n"),
        /^".*(?:\/deeper){5}": no more than 10000 directories are, and none deeper than 4$/,
      );
      Deno.removeSync(path(sign));
    }
    for (let i = 0; i < 5; i++) Deno.mkdirSync(path(`d${i}`));
    const { left } = findDumps(directory, { depth: 9, directories: 4 });
    assertEquals(left.length, 1);
    assertMatch(left[0]!, /^".*d3": no more than 4 directories/);
    await assertRejects(() => listDirectory(path("absent")), Deno.errors.NotFound);
  });
});

Deno.test("a thousand names of one dump are one dump", async () => {
  const names = Array.from({ length: 1000 }, (_, i) => {
    const suffixes = i.toString(2).padStart(10, "0").replaceAll("0", ".gz").replaceAll("1", ".zst");
    return `info.w1.0${suffixes}`;
  });
  await withFiles(
    Object.fromEntries([["vmcore.w1.0", MINIDUMP], ...names.map((name) => [name, ""])]),
    async (directory) => {
      const entries = await listDirectory(directory);
      assertEquals(entries.map(({ file, state }) => [file, state]), [["vmcore.w1.0", "whole"]]);
      assertEquals(entries[0]!.files.length <= 100, true);
    },
  );
});

Deno.test("directoryTable() lines up, marks equal panics, and fits the terminal", async () => {
  await withFiles(everyFate(), async (directory) => {
    const entries = await listDirectory(directory);
    const plain = (await table(directory, styleFor(false, true), null)).trimEnd().split("\n");
    assertMatch(plain[0]!, /^HOST +NO\. +TIME \(UTC\) +SIZE +KIND +STATE +SAME +PANIC$/);
    const column = plain[0]!.indexOf("STATE");
    for (const line of plain.slice(1)) assertMatch(line.slice(column), /^(whole|PARTIAL|ORPHANED)( |$)/);
    const tag = signatureTag(entries.find(({ file }) => file === "vmcore.w1.0")!.signature!);
    assertEquals(plain.filter((line) => line.includes(tag)).length, 2);
    const narrow = await table(directory, styleFor(true, false), 90);
    // deno-lint-ignore no-control-regex
    for (const line of narrow.replace(/\x1b\[\d+m/g, "").split("\n")) {
      assertEquals(line.length <= 90, true, line);
    }
    assertStringIncludes(narrow, "\x1b[31mPARTIAL");
  });
});

Deno.test("directoryTable() tells directories by their ends where the terminal has no room for all of them", async () => {
  await withFiles({ "vmcore.7": buildElfCore() }, async (directory, path) => {
    const deep = "a/directory/with/a/name/that/is/long/w1";
    const below = findDumps(directory).dumps.map((dump) => ({ ...dump, directory: path(deep), below: deep }));
    const found = { directory, dumps: below, left: [] };
    const entries = (await listDirectory(directory)).map((entry) => ({ ...entry, directory: path(deep) }));
    const lineOf = (width: number | null) =>
      directoryTable(found, styleFor(false, true), width).add(entries).split("\n")[1]!;
    assertStringIncludes(lineOf(null), `${deep} `);
    assertMatch(lineOf(120), /^….{12}long\/w1 /);
    assertMatch(lineOf(40), /^….{4}long\/w1 /);
  });
});

Deno.test("directoryTable() told in pieces has one head, and columns that only become wider", async () => {
  await withFiles(everyFate(), async (directory) => {
    const entries = await listDirectory(directory);
    const whole = await table(directory, styleFor(false, true), null);
    const pieces = directoryTable(findDumps(directory), styleFor(false, true), null);
    const text = entries.map((entry) => pieces.add([entry])).join("");
    assertEquals(text.match(/HOST/g)?.length, 1);
    assertEquals(text.replace(/ +/g, " "), whole.replace(/ +/g, " "));
    const columns = text.trimEnd().split("\n").map((line) => line.search(/whole|PARTIAL|ORPHANED|STATE/));
    assertEquals(columns, columns.toSorted((a, b) => a - b));
  });
});
