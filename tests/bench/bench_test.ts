import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import denoJson from "../../deno.json" with { type: "json" };

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** Runs `deno task bench` by its command line. */
async function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [, ...command] = denoJson.tasks.bench.split(" ");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...command, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

Deno.test({
  name: "deno task bench prints the machine and a table, in namespaces or not (needs Linux)",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const { code, stdout, stderr } = await bench("--only", "start-up", "--port", "29023");
    assertEquals(code, 0, stderr);
    assertStringIncludes(stdout, `Deno ${Deno.version.deno}`);
    assertMatch(stdout, /^- machine: \d+ cores/m);
    const [, median] = /^\| netdump +\| +([\d.]+) \|/m.exec(stdout) ?? [];
    assert(Number(median) > 10 && Number(median) < 20_000, stdout);
  },
});

Deno.test("deno task bench names an option that is wrong", async () => {
  const { code, stdout, stderr } = await bench("--only", "everything");
  assertEquals([code, stdout], [2, ""]);
  assertMatch(stderr, /^bench: .*--only.*\n$/);
});
