import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { WorkerDumpReader } from "../../lib/cli/dump_reader.ts";
import { TempDir } from "../temp_dir.ts";

Deno.test("the reader lists dumps of the directory and those below it, not through links, and reads one", async () => {
  using temp = new TempDir("disk");
  using elsewhere = new TempDir("disk");
  const reader = new WorkerDumpReader(temp.path);
  try {
    assertEquals(await reader.list(), []);
    Deno.writeTextFileSync(join(temp.path, "vmcore.w1.0"), "no dump");
    Deno.mkdirSync(join(temp.path, "lab"));
    Deno.writeTextFileSync(join(temp.path, "lab", "vmcore.w2.3.incomplete"), "half a dump");
    Deno.mkdirSync(join(temp.path, ".netdump"));
    Deno.writeTextFileSync(join(temp.path, ".netdump", "vmcore.w3.0"), "the server's own");
    Deno.writeTextFileSync(join(elsewhere.path, "vmcore.w4.0"), "not ours");
    Deno.symlinkSync(elsewhere.path, join(temp.path, "link"));
    Deno.symlinkSync(join(elsewhere.path, "vmcore.w4.0"), join(temp.path, "vmcore.w5.0"));
    const listed = await reader.list();
    assertEquals(listed?.map(({ file, host }) => [file, host]).sort(), [
      ["lab/vmcore.w2.3.incomplete", "w2"],
      ["vmcore.w1.0", "w1"],
    ]);
    const details = await reader.read("vmcore.w1.0");
    if (typeof details === "string") throw new Error(details);
    assertMatch(details.text, /vmcore\.w1\.0: .*7 bytes/);
    assertEquals([details.messages, details.memory], [null, null]);
  } finally {
    reader.close();
  }
});

Deno.test("the reader may read nothing outside the directory, and says why a dump cannot be read", async () => {
  using temp = new TempDir("disk");
  using elsewhere = new TempDir("disk");
  Deno.writeTextFileSync(join(elsewhere.path, "vmcore.w1.0"), "secret");
  const reader = new WorkerDumpReader(temp.path);
  try {
    assertMatch(
      String(await reader.read(`../${elsewhere.path.split("/").at(-1)}/vmcore.w1.0`)),
      /read access/,
    );
    assertMatch(String(await reader.read("vmcore.nobody.0")), /No such file/);
  } finally {
    const pending = reader.read("vmcore.nobody.0");
    await Promise.resolve();
    reader.close();
    // Whoever waits is told, at once.
    assertEquals(await pending, "The server stops");
  }
  assertEquals(await reader.read("vmcore.nobody.0"), "The server stops");
});
