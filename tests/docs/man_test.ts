import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { manPages } from "./man_pages.ts";

const directory = fromFileUrl(new URL("../../docs/man/", import.meta.url));
const mandoc = await hasMandoc();

async function hasMandoc(): Promise<boolean> {
  try {
    const { code } = await new Deno.Command("mandoc", { args: ["-T", "lint", "/dev/null"], stdin: "null" })
      .output();
    return code < 5;
  } catch {
    return false;
  }
}

for (const { file, text } of manPages()) {
  Deno.test(`docs/man/${file} is made from the option table`, () => {
    if (Deno.env.get("UPDATE_GOLDEN") === "1") Deno.writeTextFileSync(directory + file, text);
    assertEquals(Deno.readTextFileSync(directory + file), text);
  });

  Deno.test({
    name: `mandoc finds nothing wrong with docs/man/${file}${
      mandoc ? "" : " [skipped: mandoc is not there]"
    }`,
    ignore: !mandoc,
    fn: async () => {
      const args = ["-T", "lint", "-W", "warning", directory + file];
      const { stdout, stderr } = await new Deno.Command("mandoc", { args, stdin: "null" }).output();
      assertEquals(new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr), "");
    },
  });
}
