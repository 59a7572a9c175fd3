import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { type FileSystem, realFileSystem } from "../../lib/os/file_system.ts";
import { checkReadiness, roomFor, type Subject } from "../../lib/serve/readiness.ts";
import { leastRoom, spareBytes } from "../../lib/serve/store/space.ts";
import { TempDir } from "../temp_dir.ts";

const GIB = 2 ** 30;

/** A file system with so much free, below each path that ends so. */
function withFree(free: Readonly<Record<string, number>>): FileSystem {
  return {
    ...realFileSystem,
    space: (path) => {
      const [, freeBytes] = Object.entries(free).find(([end]) => path.endsWith(end)) ?? ["", 100 * GIB];
      return { freeBytes, totalBytes: 200 * GIB };
    },
  };
}

/** What the checks say of a directory that is well but for some settings. */
function findings(special: Partial<Subject>, fs = withFree({})): string[] {
  using temp = new TempDir();
  Deno.mkdirSync(join(temp.path, ".netdump"));
  Deno.mkdirSync(join(temp.path, "lab"));
  const subject: Subject = {
    root: temp.path,
    defaultPath: ".",
    minFree: GIB,
    timeoutMs: 600_000,
    mostSessions: 256,
    room: 300,
    ...special,
  };
  return checkReadiness(fs, subject).map(({ check, problem, advice }) => `${check}: ${problem}; ${advice}`);
}

Deno.test("checkReadiness() finds nothing where all is well, and leaves nothing behind", () => {
  assertEquals(findings({}), []);
  using temp = new TempDir();
  Deno.mkdirSync(join(temp.path, ".netdump"));
  checkReadiness(realFileSystem, {
    ...{ root: temp.path, defaultPath: ".", minFree: 0, timeoutMs: 60_000, mostSessions: 1, room: null },
  });
  assertEquals(Array.from(Deno.readDirSync(join(temp.path, ".netdump"))), []);
});

const CASES: readonly (readonly [what: string, special: Partial<Subject>, line: RegExp])[] = [
  [
    "a default path that does not exist",
    { defaultPath: "missing" },
    /^path: .*"missing".* no such file.*make the directory/,
  ],
  [
    "a timeout below a kernel's patience",
    { timeoutMs: 5000 },
    /^timeout: --timeout 5\.0 s is less .* 12\.0 s;/,
  ],
  [
    "a bare number that was meant as a share",
    { minFree: 5 },
    /^min-free: --min-free 5 means 5 bytes; write 5% or 5G/,
  ],
  [
    "too few descriptors",
    { room: 40 },
    /^descriptors: .* 40 dumps at once only, --max-sessions is 256; raise .*ulimit -n/,
  ],
  [
    "less free than is to be kept",
    { minFree: 101 * GIB },
    /^free-space: .* 100 GiB free, and 101 GiB are to be kept/,
  ],
  ["a dump directory that cannot be written", { root: "/nowhere" }, /^directory: Cannot create a file/],
];

for (const [what, special, line] of CASES) {
  Deno.test(`checkReadiness() finds ${what} before a dump does (P11)`, () => {
    assertMatch(findings(special)[0] ?? "nothing", line);
  });
}

Deno.test("checkReadiness() asks the disk that the default path is on, too", () => {
  assertMatch(
    findings({ defaultPath: "lab" }, withFree({ lab: 1 }))[0] ?? "",
    /^free-space: .*lab has 1 B free/,
  );
});

Deno.test("roomFor() keeps descriptors for finishing: three a session, some for each receiver, each worker and the program", () => {
  const room = (descriptors: number, receivers: number, heraldSockets: number, sideWorkers = 0) =>
    roomFor(descriptors, { receivers, heraldSockets, sideWorkers });
  assertEquals([room(1024, 2, 3), room(256, 1, 2), room(256, 1, 2, 2), room(60, 1, 1)], [316, 64, 46, 0]);
});

Deno.test("a share to be kept free is one of each disk, not of the dump directory's", () => {
  const small: FileSystem = {
    ...realFileSystem,
    space: (path) =>
      path.endsWith("lab")
        ? { freeBytes: 30 * 2 ** 20, totalBytes: 50 * 2 ** 20 }
        : { freeBytes: GIB, totalBytes: 250 * GIB },
  };
  assertEquals(spareBytes(small, ["/x/lab"], { percent: 20 }), 20 * 2 ** 20);
  assertEquals(spareBytes(small, ["/x", "/x/lab"], 2 ** 20), 29 * 2 ** 20);
  assertEquals(leastRoom(small, ["/x", "/x/lab"], { percent: 5 })?.directory, "/x");
});
