/**
 * `deno task release [TARGET...]`: into `dist/`, from a clean tree only, the executables, Debian packages of those for Linux,
 * the sources, what changed, and the sums of all of it. `DENORT_BIN` names a run-time binary that is there already.
 *
 * @module
 */
import { join } from "@std/path";
import denoJson from "../../deno.json" with { type: "json" };

const DIST = "dist";
const { version } = denoJson;
/** Targets by their names in the tasks `compile:TARGET`. */
const TARGETS = Object.keys(denoJson.tasks).flatMap((task) =>
  /^compile:((?:linux|macos|windows)-\w+)$/.exec(task)?.[1] ?? []
);
/** What Debian calls the targets that it has packages for. */
const DEBIAN: Readonly<Record<string, string>> = { "linux-x64": "amd64", "linux-arm64": "arm64" };

/** Why there is no release. */
export class ReleaseError extends Error {
  override readonly name = "ReleaseError";
}

/**
 * What changed in a version: what stands below its heading in the changelog, `## 1.2.3` or `## 1.2.3, DAY`.
 *
 * @throws {ReleaseError} if nothing does
 */
export function changelogSection(changelog: string, version: string): string {
  const [, ...sections] = changelog.split(/^## /m);
  for (const section of sections) {
    const end = section.indexOf("\n");
    const [heading, text] = [section.slice(0, end), section.slice(end + 1).trim()];
    if (heading.split(/[ ,]/, 1)[0] === version && text !== "") return `${text}\n`;
  }
  throw new ReleaseError(
    `CHANGELOG.md says nothing below "## ${version}": name what is unreleased there so, and commit that`,
  );
}

/**
 * Refuses a tree that is not what its commit says.
 *
 * @param status what `git status --porcelain` prints
 * @throws {ReleaseError} if it prints anything
 */
export function assertClean(status: string): void {
  const changes = status.split("\n").filter((line) => line !== "");
  if (changes.length === 0) return;
  const more = changes.length > 5 ? ` and ${changes.length - 5} more` : "";
  const names = changes.slice(0, 5).map((line) => line.slice(3)).join(", ");
  throw new ReleaseError(`The tree has changes that no commit has: ${names}${more}; commit or remove them`);
}

/** Sums as `sha256sum --check` reads them, by name. */
export function formatSums(sums: ReadonlyMap<string, string>): string {
  return [...sums].sort(([a], [b]) => a < b ? -1 : 1).map(([name, sum]) => `${sum}  ${name}\n`).join("");
}

/** SHA-256 as lower-case hex. */
export async function sha256(bytes: BufferSource): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function release(targets: readonly string[]): Promise<void> {
  const unknown = targets.find((target) => !TARGETS.includes(target));
  if (unknown !== undefined) {
    throw new ReleaseError(`There is no target "${unknown}"; there are ${TARGETS.join(", ")}`);
  }
  assertClean(await run("git", ["status", "--porcelain"]));
  const changes = changelogSection(await Deno.readTextFile("CHANGELOG.md"), version);
  await Deno.remove(DIST, { recursive: true }).catch(() => {});
  await Deno.mkdir(DIST);

  const source = `netdump-${version}`;
  await run("git", [
    ...["archive", "--format=tar.gz", `--prefix=${source}/`, "-o", join(DIST, `${source}.tar.gz`), "HEAD"],
  ]);
  for (const target of targets) {
    console.error(`Compiling for ${target} ...`);
    await run(Deno.execPath(), ["task", "--quiet", `compile:${target}`]);
    const architecture = DEBIAN[target];
    if (architecture === undefined) continue;
    const executable = join(DIST, `netdump-${target}`);
    await run("docs/packaging/deb/build", [executable, architecture, DIST]);
  }
  // Compiling must not have changed what was compiled.
  assertClean(await run("git", ["status", "--porcelain"]));

  const sums = new Map<string, string>();
  for await (const { name } of Deno.readDir(DIST)) {
    sums.set(name, await sha256(await Deno.readFile(join(DIST, name))));
  }
  await Deno.writeTextFile(join(DIST, "SHA256SUMS"), formatSums(sums));
  await Deno.writeTextFile(join(DIST, "CHANGES.md"), changes);
  console.error(`netdump ${version} lies in ${DIST}: ${[...sums.keys()].sort().join(", ")}`);
}

/** Runs a program; gives what it prints. */
async function run(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args], stdin: "null" })
    .output();
  if (success) return new TextDecoder().decode(stdout);
  throw new ReleaseError(`${program} ${args.join(" ")} failed:\n${new TextDecoder().decode(stderr)}`);
}

if (import.meta.main) {
  try {
    await release(Deno.args.length > 0 ? Deno.args : TARGETS);
  } catch (error) {
    if (!(error instanceof ReleaseError)) throw error;
    console.error(`Cannot release: ${error.message}`);
    Deno.exit(1);
  }
}
