import { assertEquals } from "@std/assert";
import { CacheFile } from "../../lib/os/cache_file.ts";
import { TempDir } from "../temp_dir.ts";

const NAME = ".kept";

/** What it holds for whoever opens it next; `undefined` if it cannot be had. */
function text(directory: string, toWrite = false): string | undefined {
  const file = CacheFile.open(directory, NAME, toWrite);
  const found = file?.read(1000);
  file?.close();
  return found;
}

Deno.test("CacheFile keeps a text for its owner alone, and a shorter one leaves nothing of it behind", () => {
  using temporary = new TempDir("disk");
  const directory = temporary.path;
  assertEquals(text(directory), undefined);
  const file = CacheFile.open(directory, NAME, true)!;
  assertEquals([file.read(1000), file.writable], ["", true]);
  file.replace(["a longer", " text"]);
  assertEquals(file.read(1000), "a longer text");
  file.replace(["short", " ä"]);
  file.close();
  assertEquals(text(directory), "short ä");
  const reader = CacheFile.open(directory, NAME, false);
  assertEquals(reader?.writable, false);
  reader?.close();
  if (Deno.build.os !== "windows") {
    assertEquals(Deno.statSync(`${directory}/${NAME}`).mode! & 0o777, 0o600);
  }
});

Deno.test("CacheFile reads no more than it is to", () => {
  using temporary = new TempDir("disk");
  const directory = temporary.path;
  Deno.writeTextFileSync(`${directory}/${NAME}`, "x".repeat(5000), { mode: 0o600 });
  assertEquals(text(directory)?.length, 1000);
});

Deno.test({
  name: "CacheFile neither believes nor writes what others could have put there",
  ignore: Deno.build.os === "windows",
  fn: () => {
    using temporary = new TempDir("disk");
    const directory = temporary.path;
    const path = `${directory}/${NAME}`;
    const mine = `${directory}/mine`;
    const wrongs: [what: string, put: () => void][] = [
      ["a link to a file", () => Deno.symlinkSync(mine, path)],
      ["a link to nothing", () => Deno.symlinkSync(`${directory}/absent`, path)],
      ["another name of a file", () => Deno.linkSync(mine, path)],
      ["a directory", () => Deno.mkdirSync(path)],
      ["a file that all may write", () => {
        Deno.writeTextFileSync(path, "mine");
        Deno.chmodSync(path, 0o666);
      }],
      ["a file that a group may write", () => {
        Deno.writeTextFileSync(path, "mine");
        Deno.chmodSync(path, 0o660);
      }],
      ["a pipe", () => {
        const made = new Deno.Command("mkfifo", { args: ["-m", "600", path] }).outputSync();
        assertEquals(made.success, true);
      }],
    ];
    for (const [what, put] of wrongs) {
      Deno.writeTextFileSync(mine, "mine", { mode: 0o600 });
      put();
      assertEquals([text(directory, true), text(directory)], [undefined, undefined], what);
      assertEquals(Deno.readTextFileSync(mine), "mine", what);
      Deno.removeSync(path);
    }
    assertEquals(Array.from(Deno.readDirSync(directory), ({ name }) => name), ["mine"]);
  },
});

Deno.test({
  name: "CacheFile believes the directory's owner and root, nobody else",
  ignore: Deno.build.os === "windows" || Deno.uid() !== 0,
  fn: () => {
    using temporary = new TempDir("disk");
    const directory = temporary.path;
    const path = `${directory}/${NAME}`;
    Deno.writeTextFileSync(path, "theirs", { mode: 0o600 });
    Deno.chownSync(path, 1234, 1234);
    assertEquals(text(directory, true), undefined);
    Deno.chownSync(directory, 1234, 1234);
    assertEquals(text(directory, true), "theirs");
    Deno.chownSync(path, 0, 0);
    assertEquals(text(directory, true), "theirs");
  },
});
