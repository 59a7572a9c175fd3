import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import {
  checkPlace,
  freeIndex,
  PlaceError,
  raiseBounds,
  readBounds,
  reserveIndex,
  resolvePlace,
  seriesName,
} from "../../../lib/serve/store/dump_directory.ts";
import { type FileSystem, realFileSystem } from "../../../lib/os/file_system.ts";
import { TempDir } from "../../temp_dir.ts";

Deno.test("resolvePlace() finds existing directories below the dump directory, and no others (P5)", () => {
  using temp = new TempDir();
  const root = join(temp.path, "dumps");
  for (const name of ["dumps", "dumps/rack1", "dumps-of-others"]) Deno.mkdirSync(join(temp.path, name));
  Deno.writeTextFileSync(join(root, "file"), "");
  Deno.symlinkSync("rack1", join(root, "inside"));
  Deno.symlinkSync("..", join(root, "above"));
  Deno.symlinkSync("../dumps-of-others", join(root, "beside"));
  Deno.symlinkSync("loop", join(root, "loop"));
  Deno.mkdirSync(join(root, ".netdump"));
  Deno.symlinkSync(".netdump", join(root, "state"));
  const place = (path: string) => resolvePlace(realFileSystem, root, path);
  assertEquals(place("."), root);
  assertEquals(place("rack1"), join(root, "rack1"));
  assertEquals(place("inside"), join(root, "rack1"));
  for (
    const [path, reason] of [
      ["above", "leads outside the dump directory"],
      ["above/dumps-of-others", "leads outside the dump directory"],
      ["beside", "leads outside the dump directory"],
      ["file", "not a directory"],
      ["missing", "no such file or directory"],
      ["loop", ""],
      [".netdump", "belongs to the server"],
      ["state", "belongs to the server"],
    ] as const
  ) {
    assertThrows(() => place(path), PlaceError, reason);
  }
});

Deno.test("checkPlace() refuses a directory that has become a link", () => {
  using temp = new TempDir();
  const directory = join(temp.path, "rack1");
  Deno.mkdirSync(directory);
  checkPlace(realFileSystem, directory);
  Deno.renameSync(directory, join(temp.path, "away"));
  Deno.symlinkSync("away", directory);
  assertThrows(() => checkPlace(realFileSystem, directory), PlaceError, "replaced by a link");
});

Deno.test("reserveIndex() takes the index in bounds, or the next that no file of any kind has", () => {
  using temp = new TempDir();
  const reserve = () => {
    return reserveIndex(realFileSystem, temp.path, "w1");
  };
  assertEquals([reserve(), reserve()], [0, 1]);
  Deno.writeTextFileSync(join(temp.path, "bounds.w1"), "1023\n");
  Deno.writeTextFileSync(join(temp.path, "key.w1.1024"), "");
  Deno.symlinkSync("nowhere", join(temp.path, "vmcore.w1.1025.gz"));
  Deno.mkdirSync(join(temp.path, "info.w1.1026"));
  assertEquals([reserve(), reserve()], [1023, 1027]);
});

Deno.test("reserveIndex() begins again where the numbers are used up: bounds that somebody set", () => {
  using temp = new TempDir();
  Deno.writeTextFileSync(join(temp.path, "bounds.w1"), "999999999\n");
  Deno.writeTextFileSync(join(temp.path, "info.w1.0"), "");
  const reserve = () => reserveIndex(realFileSystem, temp.path, "w1");
  assertEquals([reserve(), reserve(), reserve()], [999_999_999, 1, 2]);
});

Deno.test("reserveIndex() does not share an index with others who take them at the same time", () => {
  using temp = new TempDir();
  // Others take an index each time between the look at it and its use.
  let rivals = 0;
  const fs: FileSystem = {
    ...realFileSystem,
    create: (path, mode) => {
      if (rivals++ < 3) Deno.writeTextFileSync(path, "theirs");
      return realFileSystem.create(path, mode);
    },
  };
  const index = reserveIndex(fs, temp.path, "w1");
  assertEquals(index, 3);
  assertEquals(Deno.readTextFileSync(join(temp.path, "info.w1.2")), "theirs");
});

Deno.test("readBounds() takes no number from what is none, and follows no link", () => {
  using temp = new TempDir();
  const bounds = join(temp.path, "bounds.w1");
  assertEquals(readBounds(realFileSystem, temp.path, "w1"), 0);
  for (
    const [text, expected] of [["", 0], ["7\n", 7], ["7", 7], ["-7\n", 0], ["7x", 0], ["9999999999\n", 0], [
      "\n",
      0,
    ]] as const
  ) {
    Deno.writeTextFileSync(bounds, text);
    assertEquals(readBounds(realFileSystem, temp.path, "w1"), expected, text);
  }
  Deno.removeSync(bounds);
  Deno.writeTextFileSync(join(temp.path, "elsewhere"), "7\n");
  Deno.symlinkSync("elsewhere", bounds);
  assertEquals(readBounds(realFileSystem, temp.path, "w1"), 0);
});

Deno.test("raiseBounds() never lowers them, clears what a killed server left, and follows no link", () => {
  using temp = new TempDir();
  const raise = (next: number) => raiseBounds(realFileSystem, temp.path, "w1", next);
  Deno.writeTextFileSync(join(temp.path, "bounds.w1.new"), "left");
  raise(2);
  raise(1);
  assertEquals(Array.from(Deno.readDirSync(temp.path), ({ name }) => name), ["bounds.w1"]);
  assertEquals(Deno.readTextFileSync(join(temp.path, "bounds.w1")), "2\n");
  Deno.removeSync(join(temp.path, "bounds.w1"));
  Deno.symlinkSync("elsewhere", join(temp.path, "bounds.w1"));
  assertThrows(() => raise(1), PlaceError, "bounds.w1 is not a file");
  assert(!Array.from(Deno.readDirSync(temp.path)).some(({ name }) => name === "elsewhere"));
});

Deno.test("freeIndex() finds an index behind thousands of dumps with few looks: bounds was lost", () => {
  for (const count of [0, 1, 2, 3, 1000, 5000, 999_000]) {
    let looks = 0;
    const index = freeIndex((at) => {
      looks++;
      return at < count;
    }, 0);
    assertEquals(index, count);
    assert(looks <= 45, `${looks} looks for ${count} dumps`);
  }
  // Where numbers have gaps it is free all the same.
  const taken = new Set([0, 1, 2, 3, 5, 6, 9, 12, 13, 14, 15]);
  assert(!taken.has(freeIndex((at) => taken.has(at), 0)));
});

Deno.test("seriesName() adds the address when a short name is another host's: another name and another address", () => {
  using temp = new TempDir();
  const info = (index: number, address: string, hostName: string | undefined) => {
    const line = hostName === undefined ? "" : `  Host Name: ${hostName}\n`;
    Deno.writeTextFileSync(
      join(temp.path, `info.w1.${index}`),
      `Dump from w1 [${address}]\n${line}Dump complete\n`,
    );
  };
  const name = (address: string, hostName: string | null) =>
    seriesName(realFileSystem, temp.path, "w1", { address, hostName });
  assertEquals(name("192.0.2.7", "w1.a.example"), "w1");
  info(0, "192.0.2.7", "w1.a.example");
  assertEquals(name("192.0.2.7", "w1.a.example"), "w1");
  // The host moved to another address, or its address has another name now.
  assertEquals(name("192.0.2.8", "w1.a.example"), "w1");
  assertEquals(name("192.0.2.7", "w1.b.example"), "w1");
  assertEquals(name("192.0.2.8", "w1.b.example"), "w1-192-0-2-8");
  // netdumpd's files do not tell the full name; theirs go on.
  info(1, "192.0.2.7", undefined);
  assertEquals(name("192.0.2.8", "w1.b.example"), "w1");
  Deno.writeTextFileSync(join(temp.path, "info.w1.2"), "not an info file");
  assertEquals(name("192.0.2.8", "w1.b.example"), "w1");
});

Deno.test("seriesName() finds the newest dump behind the bounds, and before them when the last ones were removed", () => {
  using temp = new TempDir();
  const info = (index: number, address: string, hostName: string) =>
    Deno.writeTextFileSync(
      join(temp.path, `info.w1.${index}`),
      `Dump from w1 [${address}]\n  Host Name: ${hostName}\n`,
    );
  const name = () =>
    seriesName(realFileSystem, temp.path, "w1", { address: "192.0.2.7", hostName: "w1.a.example" });
  info(40, "192.0.2.8", "w1.b.example");
  Deno.writeTextFileSync(join(temp.path, "bounds.w1"), "50\n");
  assertEquals(name(), "w1-192-0-2-7");
  info(50, "192.0.2.8", "w1.b.example");
  info(51, "192.0.2.7", "w1.a.example");
  assertEquals(name(), "w1");
  info(52, "192.0.2.8", "w1.b.example");
  assertEquals(name(), "w1-192-0-2-7");
});

Deno.test("a dump's place is found without listing the dump directory, which may be very full (P2)", () => {
  using temp = new TempDir();
  const fs: FileSystem = {
    ...realFileSystem,
    list: () => {
      throw new Error("listed");
    },
  };
  assertEquals(seriesName(fs, temp.path, "w1", { address: "192.0.2.7", hostName: null }), "w1");
  const index = reserveIndex(fs, temp.path, "w1");
  assertEquals(index, 0);
});
