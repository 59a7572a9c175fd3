import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "@std/path";
import {
  assertClean,
  changelogSection,
  formatSums,
  ReleaseError,
  sha256,
} from "../../docs/packaging/release.ts";
import { VERSION } from "../../lib/version.ts";
import { TempDir } from "../temp_dir.ts";
import { isInstalled } from "../programs.ts";
import { output, ROOT, skippable } from "./packaging.ts";

const CHANGELOG = `# Changes

## Unreleased

- new

## 1.2.0, 2026-12-01

- a
  and more of a
- b

### For those who build

- c

## 1.2.0-rc1

- d

## 1.1

## 1.0.0
- e`;

Deno.test("changelogSection() gives what stands below a version's heading, up to the next version's", () => {
  assertEquals(
    changelogSection(CHANGELOG, "1.2.0"),
    "- a\n  and more of a\n- b\n\n### For those who build\n\n- c\n",
  );
  assertEquals(changelogSection(CHANGELOG, "1.2.0-rc1"), "- d\n");
  assertEquals(changelogSection(CHANGELOG, "1.0.0"), "- e\n");
});

Deno.test("changelogSection() refuses a version of which nothing is said", () => {
  for (const version of ["1.1", "1.2", "2.0.0", "1"]) {
    assertThrows(() => changelogSection(CHANGELOG, version), ReleaseError, `nothing below "## ${version}"`);
  }
});

Deno.test("assertClean() refuses changed, removed and new files, and names them", () => {
  assertClean("");
  assertClean("\n");
  assertThrows(() => assertClean(" M lib/version.ts\n?? new.ts\n"), ReleaseError, "lib/version.ts, new.ts;");
  assertThrows(() => assertClean("?? x\n".repeat(7)), ReleaseError, "x, x, x, x, x and 2 more");
});

Deno.test("formatSums() and sha256() write what sha256sum --check reads", async () => {
  const sum = await sha256(new TextEncoder().encode("abc"));
  assertEquals(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assertEquals(formatSums(new Map([["b", "2"], ["a", sum]])), `${sum}  a\n2  b\n`);
});

const missing = ["git", "dpkg-deb", "sha256sum"].find((program) => !isInstalled(program));

skippable(
  "deno task release makes executable, package, sources, changes and sums of a clean tree, and none of another",
  missing === undefined ? undefined : `${missing} is not installed`,
  async () => {
    using temp = new TempDir("disk");
    const tree = join(temp.path, "tree");
    // What would be committed now.
    await output("cp", ["-R", ROOT, tree]);
    await Deno.remove(join(tree, ".git"), { recursive: true }).catch(() => {});
    const git = (...args: string[]) =>
      output("git", [
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.org",
        "-c",
        "commit.gpgsign=false",
        "-C",
        tree,
        ...args,
      ]);
    await git("init", "-q");
    await git("add", "-A");
    await git("commit", "-q", "-m", "x");
    // The deno binary stands in for the run-time one, which would be downloaded, on the one target that it is of.
    const release = async (target: string) => {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["task", "--quiet", "release", target],
        env: { DENORT_BIN: Deno.execPath() },
        ...{ cwd: tree, stdin: "null" },
      }).output();
      return [code, new TextDecoder().decode(stderr)] as const;
    };
    const [unknown, toldUnknown] = await release("plan9-mips");
    assertEquals(unknown, 1);
    assertMatch(toldUnknown, /no target "plan9-mips"; there are linux-x64, .*windows-x64/);
    await Deno.writeTextFile(join(tree, "CHANGELOG.md"), `# Changes\n\n## ${VERSION}\n\n- all of it\n`);
    const [dirty, toldDirty] = await release("linux-x64");
    assertEquals([dirty, /changes that no commit has: CHANGELOG.md;/.test(toldDirty)], [1, true], toldDirty);
    await git("commit", "-q", "-a", "-m", "y");
    const [released, told] = await release("linux-x64");
    assertEquals(released, 0, told);

    const dist = join(tree, "dist");
    assertEquals(Array.from(Deno.readDirSync(dist), ({ name }) => name).sort(), [
      "CHANGES.md",
      "SHA256SUMS",
      `netdump-${VERSION}.tar.gz`,
      "netdump-linux-x64",
      `netdump_${VERSION}_amd64.deb`,
    ]);
    assertEquals(await Deno.readTextFile(join(dist, "CHANGES.md")), "- all of it\n");
    const checked = await output("sha256sum", ["--check", "SHA256SUMS"], { cwd: dist });
    assertEquals(checked.match(/: OK$/gm)?.length, 3, checked);
    const sources = await output("tar", ["-tzf", join(dist, `netdump-${VERSION}.tar.gz`)]);
    assertMatch(sources, new RegExp(`^netdump-${VERSION}/main.ts$`, "m"));
    assertEquals(await git("status", "--porcelain"), "");
  },
);
