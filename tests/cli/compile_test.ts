import { assert, assertEquals } from "@std/assert";
import { basename, fromFileUrl, join } from "@std/path";
import { Buffer } from "node:buffer";
import compileJson from "../../.compile.json" with { type: "json" };
import denoJson from "../../deno.json" with { type: "json" };
import { LIBC_PATHS } from "../../lib/udp/native_abi.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const tasks: Readonly<Record<string, string>> = denoJson.tasks;

/** The permissions a task asks for: what each is limited to, nothing for no limit. */
function permissions(task: string): Map<string, string[]> {
  const flags = [...(tasks[task] ?? "").matchAll(/--allow-([a-z]+)(?:=(\S+))?/g)];
  return new Map(flags.map(([, kind = "", limits]) => [kind, limits?.split(",") ?? []]));
}

Deno.test("deno task compile gives the executable what serve, send and inspect need together, and no more", () => {
  const needed = new Map<string, string[]>();
  for (const [kind, limits] of ["serve", "send", "inspect"].flatMap((task) => [...permissions(task)])) {
    const before = needed.get(kind);
    const unlimited = limits.length === 0 || before?.length === 0;
    needed.set(kind, unlimited ? [] : [...new Set([...before ?? [], ...limits])].sort());
  }
  assertEquals(new Map([...permissions("compile:to")].sort()), new Map([...needed].sort()));
});

Deno.test("deno task serve may open the libraries that move datagrams, and no others", () => {
  assertEquals(permissions("serve").get("ffi"), [...LIBC_PATHS].sort());
});

Deno.test("no task may ask for permissions while it runs, and none but the tests gets all", () => {
  for (const [name, command] of Object.entries(tasks)) {
    if (!/^deno (run|test|bench|compile) /.test(command)) continue;
    assert(command.includes(" --no-prompt "), name);
    assert(!/ (-A|--allow-all) /.test(command) || name === "test" || name === "bench", name);
  }
});

const TARGETS: Readonly<Record<string, string>> = {
  "linux-x64": "x86_64-unknown-linux-gnu",
  "linux-arm64": "aarch64-unknown-linux-gnu",
  "macos-x64": "x86_64-apple-darwin",
  "macos-arm64": "aarch64-apple-darwin",
  "windows-x64": "x86_64-pc-windows-msvc",
};

Deno.test("deno task compile:all makes an executable for each target, by the same flags", () => {
  for (const [name, target] of Object.entries(TARGETS)) {
    const executable = `dist/netdump-${name}${name.startsWith("windows") ? ".exe" : ""}`;
    assertEquals(tasks[`compile:${name}`], `deno task compile:to ${executable} --target ${target} main.ts`);
  }
  assertEquals(
    tasks["compile:all"],
    Object.keys(TARGETS).map((name) => `deno task compile:${name}`).join(" && "),
  );
});

Deno.test("the executable is compiled with what lib imports, by the same names and settings as the tests run with", () => {
  const { imports, unstable, compilerOptions } = compileJson;
  assertEquals([unstable, compilerOptions], [denoJson.unstable, denoJson.compilerOptions]);
  const all: Readonly<Record<string, string>> = denoJson.imports;
  for (const [name, target] of Object.entries(imports)) assertEquals(target, all[name]);
});

Deno.test("a run leaves nothing in the temporary directory, from which others' code might be run", async () => {
  const temp = await Deno.makeTempDir();
  try {
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", join(ROOT, "main.ts"), "--version"],
      env: { TMPDIR: temp },
    }).output();
    assertEquals([code, Array.from(Deno.readDirSync(temp))], [0, []]);
  } finally {
    await Deno.remove(temp, { recursive: true });
  }
});

/** The JSON text that starts at an offset. */
function jsonAt(bytes: Buffer, start: number): string {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < bytes.length; at++) {
    const character = bytes[at];
    if (quoted) {
      if (character === 0x5c) at++;
      else if (character === 0x22) quoted = false;
    } else if (character === 0x22) quoted = true;
    else if (character === 0x7b) depth++;
    else if (character === 0x7d && --depth === 0) return bytes.toString("utf8", start, at + 1);
  }
  throw new Error("JSON has no end");
}

Deno.test("deno task compile writes permissions, unstable features and all of lib/ into the executable", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const executable = join(directory, "netdump");
    // The deno binary stands in for the run-time one, which would be downloaded; so the executable cannot be run here.
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "compile:to", executable, "main.ts"],
      cwd: ROOT,
      env: { DENORT_BIN: Deno.execPath() },
      stdin: "null",
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const bytes = Buffer.from((await Deno.readFile(executable)).buffer);
    const metadata = JSON.parse(jsonAt(bytes, bytes.lastIndexOf('{"argv":')));
    assertEquals(metadata.argv, []);
    for (const kind of ["net", "read", "write", "run", "sys", "env", "ffi"]) {
      assertEquals(
        metadata.permissions[`allow_${kind}`] ?? undefined,
        permissions("compile:to").get(kind),
        kind,
      );
    }
    assertEquals(metadata.permissions.prompt, false);
    // Code that others left in the temporary directory is not run, and none is fetched.
    assertEquals([metadata.code_cache_key, metadata.permissions.deny_import], [null, []]);
    assert(!bytes.includes("fast-check/"), "test packages are in the executable");
    assertEquals(metadata.unstable_config.features, denoJson.unstable);
    for (const path of await librarySources()) {
      assert(bytes.lastIndexOf(`"${basename(path)}","o":[`) > 0, `${path} is not in the executable`);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

/** Every source in lib/: a worker's is reached by URL only, which the module graph does not follow. */
async function librarySources(directory = join(ROOT, "lib")): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = join(directory, name);
    if (isDirectory) paths.push(...await librarySources(path));
    else if (name.endsWith(".ts")) paths.push(path);
  }
  return paths;
}
