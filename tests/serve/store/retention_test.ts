import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type FileSystem, realFileSystem } from "../../../lib/os/file_system.ts";
import { removeOldDumps } from "../../../lib/serve/store/retention.ts";
import { encodeKernelDumpHeader } from "../../../lib/kerneldump/files/header.ts";
import { JOURNAL_HEADER } from "../../kerneldump/journal_header.ts";
import { TempDir } from "../../temp_dir.ts";

const DAY_MS = 86_400_000;
const CLIENT = "192.0.2.7";
const HEADER = encodeKernelDumpHeader({ ...JOURNAL_HEADER, panicString: "page fault" });

/** A dump directory with the given names: info files are those of complete dumps, older the lower their number. */
function dumpDirectory(...names: string[]): TempDir {
  const temp = new TempDir();
  for (const name of names) {
    const path = join(temp.path, name);
    const isHeader = /^kdh\.w1\.\d+$/.test(name);
    if (isHeader) Deno.writeFileSync(path, HEADER);
    else Deno.writeTextFileSync(path, name.startsWith("info.") ? infoOf(CLIENT) : "");
    setAge(path, 20 - Number(name.split(".").at(-1)) || 0);
  }
  return temp;
}

function infoOf(client: string): string {
  return `Dump from w1 [${client}]\nDump complete\n`;
}

function setAge(path: string, days: number): void {
  const at = new Date(Date.now() - days * DAY_MS);
  Deno.utimeSync(path, at, at);
}

/** What `--keep` removes when the dump of that number has become complete. */
async function remove(
  temp: TempDir,
  index: number,
  keep: number,
  { fs = realFileSystem, spareBytes = Infinity }: { fs?: FileSystem; spareBytes?: number } = {},
): Promise<string[]> {
  const policy = { keep, nowMs: Date.now(), spareBytes };
  const removed = await removeOldDumps(fs, temp.path, { directory: ".", host: "w1" }, index, policy);
  return removed.flatMap(({ files }) => files).sort();
}

function names(temp: TempDir): string[] {
  return Array.from(Deno.readDirSync(temp.path), ({ name }) => name).sort();
}

function dump(index: number, core = `vmcore.w1.${index}`): string[] {
  return [core, `info.w1.${index}`, `kdh.w1.${index}`];
}

Deno.test("removeOldDumps() removes all files of complete dumps but the newest", async () => {
  using temp = dumpDirectory(
    ...dump(2),
    ...dump(9, "vmcore_encrypted.w1.9.zst"),
    "key.w1.9",
    ...dump(10, "vmcore.w1.10.gz"),
    ...dump(11),
  );
  assertEquals(
    await remove(temp, 11, 2),
    [...dump(2), ...dump(9, "vmcore_encrypted.w1.9.zst"), "key.w1.9"].sort(),
  );
  assertEquals(names(temp), [...dump(10, "vmcore.w1.10.gz"), ...dump(11)].sort());
  assertEquals(await remove(temp, 11, 2), []);
});

Deno.test("removeOldDumps() leaves partial dumps, other hosts, notes, links and directories alone (P5, P10)", async () => {
  using temp = dumpDirectory(
    ...dump(0, "vmcore.w1.0.incomplete"),
    ...dump(1),
    "vmcore.w1.1.notes",
    "kdh.w1.1.gz",
    "core.txt.w1.1",
    "vmcore.w10.1",
    "info.w10.1",
    "bounds.w1",
    ...dump(3),
  );
  Deno.writeTextFileSync(
    join(temp.path, "info.w1.2"),
    "Dump from w1 [192.0.2.7]\nDump incomplete: client timed out\n",
  );
  Deno.symlinkSync("/etc/passwd", join(temp.path, "key.w1.1"));
  Deno.mkdirSync(join(temp.path, "vmcore.w1.1.gz"));
  assertEquals(await remove(temp, 3, 1), dump(1).sort());
  const kept = ["vmcore.w1.0.incomplete", "info.w1.0", "kdh.w1.0", "info.w1.2", ...dump(3)];
  const others = [
    "vmcore.w1.1.notes",
    "kdh.w1.1.gz",
    "core.txt.w1.1",
    "vmcore.w10.1",
    "info.w10.1",
    "bounds.w1",
    "key.w1.1",
    "vmcore.w1.1.gz",
  ];
  assertEquals(names(temp), [...kept, ...others].sort());
});

Deno.test("removeOldDumps() that is killed half-way finishes its work the next time", async () => {
  for (let most = 0; most < 3; most++) {
    using temp = dumpDirectory(...dump(0), ...dump(1));
    let removals = 0;
    const fs: FileSystem = {
      ...realFileSystem,
      removeLarge: (path) =>
        removals++ < most ? realFileSystem.removeLarge(path) : Promise.reject(new Error("killed")),
    };
    await remove(temp, 1, 1, { fs }).catch(() => {});
    await remove(temp, 1, 1);
    assertEquals(names(temp), dump(1).sort());
  }
});

Deno.test("removeOldDumps() waits for a large file without holding up its thread, nor minds if another removed it (P2)", async () => {
  using temp = dumpDirectory(...dump(0), ...dump(1));
  let go = () => {};
  const fs: FileSystem = {
    ...realFileSystem,
    removeLarge: (path) => {
      const gone = realFileSystem.removeLarge(path);
      return new Promise((resolve) => go = () => resolve(gone));
    },
  };
  let done = false;
  const first = remove(temp, 1, 1, { fs }).then((removed) => {
    done = true;
    return removed;
  });
  const second = remove(temp, 1, 1);
  await second;
  assertEquals([done, names(temp)], [false, dump(1).sort()]);
  const timer = setInterval(() => go(), 1);
  const both = [...await first, ...await second];
  clearInterval(timer);
  assertEquals([...new Set(both)].sort(), dump(0).sort());
});

Deno.test("removeOldDumps() counts no dump without a sound header: forged ones push nothing out", async () => {
  using temp = dumpDirectory(...dump(1), ...dump(2), ...dump(3), "info.w1.4", "vmcore.w1.4", ...dump(5));
  const damaged = HEADER.slice();
  damaged[200]! ^= 1;
  Deno.writeFileSync(join(temp.path, "kdh.w1.5"), damaged);
  assertEquals(await remove(temp, 4, 1), []);
  assertEquals(await remove(temp, 5, 1), []);
  assertEquals(await remove(temp, 3, 2), dump(1).sort());
});

Deno.test("removeOldDumps() leaves the dumps of other addresses alone, though their host has the same name", async () => {
  using temp = dumpDirectory(...dump(1), ...dump(2), ...dump(3));
  Deno.writeTextFileSync(join(temp.path, "info.w1.3"), infoOf("192.0.2.8"));
  assertEquals(await remove(temp, 3, 1), []);
  assertEquals(await remove(temp, 2, 1), dump(1).sort());
});

Deno.test("removeOldDumps() keeps the newest of each panic before those that repeat one", async () => {
  using temp = dumpDirectory(...dump(1), ...dump(2), ...dump(3), ...dump(4));
  const other = encodeKernelDumpHeader({
    ...JOURNAL_HEADER,
    panicString: "Duplicate free of 0xfffff80339ef3000",
  });
  Deno.writeFileSync(join(temp.path, "kdh.w1.1"), other);
  assertEquals(await remove(temp, 4, 2), [...dump(2), ...dump(3)].sort());
});

Deno.test("removeOldDumps() removes nothing younger than a day, unless there is no room for another dump", async () => {
  using temp = dumpDirectory(...dump(18), ...dump(19), ...dump(20));
  Deno.writeTextFileSync(join(temp.path, "vmcore.w1.20"), "x".repeat(5000));
  setAge(join(temp.path, "info.w1.18"), 0.9);
  setAge(join(temp.path, "info.w1.19"), 0.5);
  assertEquals(await remove(temp, 20, 1), []);
  assertEquals(await remove(temp, 20, 1, { spareBytes: 4000 }), [...dump(18), ...dump(19)].sort());
});
