import { assertStringIncludes } from "@std/assert";
import { PROBLEMS } from "../../lib/kerneldump/problem.ts";

Deno.test("docs/problems.md lists every problem code with its meaning", async () => {
  const table = await Deno.readTextFile(new URL("../../docs/problems.md", import.meta.url));
  for (const [code, { meaning, complete }] of Object.entries(PROBLEMS)) {
    assertStringIncludes(table, `| \`${code}\` | ${complete} | ${meaning} |`);
  }
});
