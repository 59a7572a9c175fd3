import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { SendError } from "../../lib/send/failure.ts";
import { type DumpChoice, loadDump } from "../../lib/send/load_dump.ts";
import { dumpBytes } from "../dump_data.ts";
import { TempDir } from "../temp_dir.ts";

const windows = Deno.build.os === "windows";

function choose(path: string, more: Partial<DumpChoice> = {}): DumpChoice {
  const overrides = {
    hostname: undefined,
    panicString: undefined,
    architecture: undefined,
    versionString: undefined,
  };
  return {
    path,
    elsewhere: undefined,
    headerPath: undefined,
    keyPath: undefined,
    overrides,
    force: true,
    ...more,
  };
}

async function fails(choice: DumpChoice, words: string): Promise<void> {
  const { message } = await assertRejects(() => loadDump(choice), SendError);
  assertStringIncludes(message, words);
}

async function makeFifo(path: string): Promise<void> {
  await new Deno.Command("mkfifo", { args: [path] }).output();
}

Deno.test({
  name: "loadDump() waits for no FIFO, be it the dump or what lies beside it or is named in its place",
  ignore: windows,
  fn: async () => {
    using temp = new TempDir();
    const path = `${temp.path}/vmcore.w1.0`;
    await makeFifo(path);
    await fails(choose(path), "it is not a regular file");
    Deno.removeSync(path);
    Deno.writeFileSync(path, dumpBytes(1, 8192));
    for (const name of ["kdh.w1.0", "info.w1.0"]) {
      await makeFifo(`${temp.path}/${name}`);
      await fails(choose(path), `${name}": it is not a regular file`);
      Deno.removeSync(`${temp.path}/${name}`);
    }
    const fifo = `${temp.path}/fifo`;
    await makeFifo(fifo);
    await fails(choose(path, { headerPath: fifo }), "it is not a regular file");
    await fails(choose(path, { keyPath: fifo }), "it is not a regular file");
    await fails(choose(temp.path), "it is a directory");
  },
});

Deno.test("loadDump() reads no more of what lies beside a dump than belongs there, however large it is", async () => {
  using temp = new TempDir();
  const path = `${temp.path}/vmcore.w1.0`;
  Deno.writeFileSync(path, dumpBytes(1, 8192));
  const huge = (name: string) => {
    Deno.writeFileSync(`${temp.path}/${name}`, new Uint8Array());
    Deno.truncateSync(`${temp.path}/${name}`, 3 * 2 ** 30);
  };
  huge("kdh.w1.0");
  await fails(choose(path), "is not a kernel dump header");
  Deno.removeSync(`${temp.path}/kdh.w1.0`);
  huge("info.w1.0");
  await fails(choose(path), "it is no info file");
  Deno.removeSync(`${temp.path}/info.w1.0`);
  huge("key");
  await fails(choose(path, { keyPath: `${temp.path}/key` }), "is not a dump key");
  const { open, headerFrom } = await loadDump(choose(path));
  assertEquals([open.dataSize, headerFrom], [8192, null]);
  open.file.close();
});
