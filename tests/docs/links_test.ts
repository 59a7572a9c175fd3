/** Every link between pages leads somewhere, to its heading too, and every test that a page names is there. */
import { assert, assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** All pages, below a directory. */
function pages(directory: string): string[] {
  return Array.from(Deno.readDirSync(directory)).flatMap(({ name, isDirectory }) => {
    const path = join(directory, name);
    if (isDirectory) return pages(path);
    return name.endsWith(".md") ? [path] : [];
  });
}

/** A page without what stands in code. */
function prose(path: string): string {
  return Deno.readTextFileSync(path).replace(/^```.*?^```/gms, "").replace(/`[^`\n]*`/g, "");
}

/** The anchors of a page's headings. */
function anchors(path: string): string[] {
  const text = Deno.readTextFileSync(path).replace(/^```.*?^```/gms, "");
  return Array.from(
    text.matchAll(/^#+ (.+)$/gm),
    ([, heading]) => heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-"),
  );
}

const own = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "lib/README.md"].map((name) => join(ROOT, name));

for (const page of [...own, ...pages(join(ROOT, "docs"))]) {
  Deno.test(`the links of ${page.slice(ROOT.length)} lead somewhere`, () => {
    for (const [, target = ""] of prose(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : join(dirname(page), path);
      assert(exists(file), `${target}: there is no ${file}`);
      if (anchor !== undefined) {
        assertEquals(anchors(file).includes(anchor), true, `${target}: no such heading`);
      }
    }
  });
}

Deno.test("the tests that pages name are there", () => {
  for (const page of [...own, ...pages(join(ROOT, "docs"))]) {
    for (const [, name = ""] of Deno.readTextFileSync(page).matchAll(/`([\w/]+_test\.ts)`/g)) {
      assert(exists(join(ROOT, "tests", name)) || exists(join(ROOT, name)), `${page} names ${name}`);
    }
  }
});

Deno.test("the files that the map names are there", () => {
  const map = Deno.readTextFileSync(join(ROOT, "lib/README.md"));
  for (const [, name = ""] of map.matchAll(/`([\w/]+\/\w+\.ts)`/g)) {
    assert(exists(join(ROOT, "lib", name)) || exists(join(ROOT, name)), `lib/README.md names ${name}`);
  }
});

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
