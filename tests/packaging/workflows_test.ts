import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import denoJson from "../../deno.json" with { type: "json" };
import { output, ROOT, skippable } from "./packaging.ts";

const DIRECTORY = join(ROOT, ".github/workflows");
const newest = /^newest=(.*)$/m.exec(Deno.readTextFileSync(join(ROOT, ".ci/run")))?.[1];

for (const { name } of Deno.readDirSync(DIRECTORY)) {
  const text = Deno.readTextFileSync(join(DIRECTORY, name));

  Deno.test(`the workflow ${name} runs on the newest Deno, what is there, with no more than it needs`, () => {
    for (const [, version] of text.matchAll(/deno-version: (.*)$/gm)) assertEquals(version, newest);
    for (const [, task] of text.matchAll(/deno task (?:--quiet )?([\w:]+)/g)) {
      assert(task! in denoJson.tasks, task);
    }
    for (const [path] of text.matchAll(/(?<=\s)(?:tests\/|\.github\/|\.ci\/|docs\/)[\w/.-]*\w(?=\s)/g)) {
      Deno.statSync(join(ROOT, path));
    }
    assertMatch(text, /^permissions:\n {2}contents: read$/m);
    // A token that lies in the checkout is one that every test could read.
    assertEquals(
      text.match(/actions\/checkout@/g)?.length,
      text.match(/persist-credentials: false/g)?.length,
    );
    assertEquals(
      text.match(/^ {2}\w+:\n {4}runs-on:/gm)?.length,
      text.match(/^ {4}timeout-minutes:/gm)?.length,
    );
  });
}

skippable(
  "the workflows' smoke test is a shell script",
  Deno.build.os === "windows" ? "there is no bash" : undefined,
  async () => {
    await output("bash", ["-n", join(ROOT, ".github/smoke.sh")]);
  },
);
