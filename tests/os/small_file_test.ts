import { assertEquals, assertThrows } from "@std/assert";
import { readSmallFile } from "../../lib/os/small_file.ts";
import { TempDir } from "../temp_dir.ts";

Deno.test("readSmallFile() reads a file, and of a larger one no more than it is told to", () => {
  using temp = new TempDir();
  const path = `${temp.path}/file`;
  for (const size of [0, 1, 1000, 4096]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => i * 7);
    Deno.writeFileSync(path, bytes);
    for (const most of [1, 1000, 4096, 100_000]) {
      assertEquals(readSmallFile(path, most), bytes.slice(0, most), `${size} of at most ${most}`);
    }
  }
  Deno.truncateSync(path, 2 ** 40);
  assertEquals(readSmallFile(path, 65537).byteLength, 65537);
});

Deno.test({
  name: "readSmallFile() takes nothing but regular files, and waits for no pipe",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using temp = new TempDir();
    await new Deno.Command("mkfifo", { args: [`${temp.path}/fifo`] }).output();
    assertThrows(() => readSmallFile(`${temp.path}/fifo`, 10), TypeError, "it is not a regular file");
    assertThrows(() => readSmallFile(temp.path, 10), TypeError, "it is not a regular file");
    assertThrows(() => readSmallFile(`${temp.path}/none`, 10), Deno.errors.NotFound);
  },
});
