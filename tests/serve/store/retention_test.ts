import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type FileSystem, realFileSystem } from "../../../lib/os/file_system.ts";
import { removeOldDumps } from "../../../lib/serve/store/retention.ts";
import { TempDir } from "../../temp_dir.ts";

/** A dump directory with the given names; info files have the ending of a complete dump. */
function dumpDirectory(...names: string[]): TempDir {
  const temp = new TempDir();
  for (const name of names) {
    const info = "Dump from w1 [192.0.2.7]\nDump complete\n";
    Deno.writeTextFileSync(join(temp.path, name), name.startsWith("info.") ? info : "");
  }
  return temp;
}

function names(temp: TempDir): string[] {
  return Array.from(Deno.readDirSync(temp.path), ({ name }) => name).sort();
}

function dump(index: number, core = `vmcore.w1.${index}`): string[] {
  return [core, `info.w1.${index}`, `kdh.w1.${index}`];
}

Deno.test("removeOldDumps() removes all files of complete dumps but the newest, by their numbers", async () => {
  using temp = dumpDirectory(
    ...dump(2),
    ...dump(9, "vmcore_encrypted.w1.9.zst"),
    "key.w1.9",
    ...dump(10, "vmcore.w1.10.gz"),
    ...dump(11),
  );
  const removed = await removeOldDumps(realFileSystem, temp.path, "w1", 2);
  assertEquals(removed.toSorted(), [...dump(2), ...dump(9, "vmcore_encrypted.w1.9.zst"), "key.w1.9"].sort());
  assertEquals(names(temp), [...dump(10, "vmcore.w1.10.gz"), ...dump(11)].sort());
  assertEquals(await removeOldDumps(realFileSystem, temp.path, "w1", 2), []);
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
  assertEquals((await removeOldDumps(realFileSystem, temp.path, "w1", 1)).toSorted(), dump(1).sort());
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
    await removeOldDumps(fs, temp.path, "w1", 1).catch(() => {});
    await removeOldDumps(realFileSystem, temp.path, "w1", 1);
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
  const first = removeOldDumps(fs, temp.path, "w1", 1).then((removed) => {
    done = true;
    return removed;
  });
  const second = removeOldDumps(realFileSystem, temp.path, "w1", 1);
  await second;
  assertEquals([done, names(temp)], [false, dump(1).sort()]);
  const timer = setInterval(() => go(), 1);
  const both = [...await first, ...await second];
  clearInterval(timer);
  assertEquals([...new Set(both)].sort(), dump(0).sort());
});
