// For tests/inspect/readme_test.ts, once /tmp/readme-inspect.md is in README.md.
import { assertStringIncludes } from "@std/assert";
import { PROBLEMS } from "../../lib/kerneldump/problem.ts";

Deno.test("README lists every problem code with its meaning", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  for (const [code, { meaning, complete }] of Object.entries(PROBLEMS)) {
    assertStringIncludes(readme, `| \`${code}\` | ${complete} | ${meaning} |`);
  }
});
