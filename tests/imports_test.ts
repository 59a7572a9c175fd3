import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import denoJson from "../deno.json" with { type: "json" };

const ROOT = fromFileUrl(new URL("../", import.meta.url));
const IMPORT = /^(?:import|export)\b[^;"]*\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm;
const imports: Readonly<Record<string, string>> = denoJson.imports;

/** Every TypeScript source below a directory, as a path. */
async function* sources(directory: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = join(directory, name);
    if (isDirectory) yield* sources(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

/** What the sources import that is not a file of theirs: the specifier, and which file has it. */
async function bareImports(): Promise<[specifier: string, path: string][]> {
  const found: [string, string][] = [];
  const paths = [join(ROOT, "main.ts")];
  for (const folder of ["lib", "tests"]) {
    for await (const path of sources(join(ROOT, folder))) paths.push(path);
  }
  for (const path of paths) {
    for (const [, from, alone, call] of (await Deno.readTextFile(path)).matchAll(IMPORT)) {
      const specifier = from ?? alone ?? call ?? "";
      if (!/^\.{1,2}\//.test(specifier)) found.push([specifier, path]);
    }
  }
  return found;
}

Deno.test("sources name their packages as deno.json does, so that a move to JSR changes deno.json alone", async () => {
  const found = await bareImports();
  assert(found.some(([specifier]) => specifier === "@std/assert"));
  for (const [specifier, path] of found) {
    assert(specifier in imports || specifier.startsWith("node:"), `${path} imports ${specifier}`);
  }
});

Deno.test("deno.json names every @std import as JSR does", () => {
  for (const [specifier, target] of Object.entries(imports)) {
    const [, path = ""] = /^@std\/(.+)$/.exec(specifier) ?? [];
    if (path === "") {
      assertMatch(target, new RegExp(`^npm:${specifier}@\\d`));
    } else {
      const file = path.includes("/") ? path.replaceAll("-", "_") : `${path}/mod`;
      assertEquals(target.replace(/^npm:deno-std@[\d.]+\//, ""), `${file}.js`);
    }
  }
});
