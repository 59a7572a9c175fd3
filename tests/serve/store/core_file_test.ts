import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { CoreFile } from "../../../lib/serve/store/core_file.ts";
import { Extents } from "../../../lib/serve/session/extents.ts";
import { type FileSystem, realFileSystem } from "../../../lib/os/file_system.ts";
import { dumpBytes } from "../../dump_data.ts";
import { seededRandom } from "../../helpers.ts";
import { TempDir } from "../../temp_dir.ts";

const PAGE = 4096;

function open(fs: FileSystem, path: string): { core: CoreFile; fd: number } {
  const fd = fs.create(path, 0o600);
  return { core: new CoreFile(fs, fd), fd };
}

/** Writes bytes as a receiver does, from a larger memory that ends with others. */
function write(core: CoreFile, bytes: Uint8Array, offset: number, fresh = offset >= core.size): void {
  const memory = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4 + 64).fill(0xff);
  memory.set(bytes);
  core.write(memory, new Int32Array(memory.buffer), bytes.byteLength, offset, fresh);
}

Deno.test("CoreFile holds what was written, whatever pieces zeros and other bytes come in", () => {
  using temp = new TempDir();
  for (let seed = 0; seed < 200; seed++) {
    const random = seededRandom(seed);
    const below = (n: number) => Math.floor(random() * n);
    const { core } = open(realFileSystem, join(temp.path, `${seed}`));
    const expected = new Uint8Array(20 * PAGE);
    const written = new Extents();
    let end = 0;
    for (let i = 0; i < 30; i++) {
      // Behind the end, over old data, or beyond a hole that later pieces fall into.
      const offset = random() < 0.6 ? Math.min(end, 18 * PAGE) : below(18 * PAGE);
      const bytes = dumpBytes(seed + i, 1 + below(2 * PAGE));
      if (random() < 0.6) bytes.fill(0, below(bytes.byteLength), below(2 * bytes.byteLength));
      // A lone byte at the end of zeros is what a careless search for zeros loses.
      if (random() < 0.3) bytes.fill(0, 0, bytes.byteLength - 1);
      const fresh = !written.intersects(offset, offset + bytes.byteLength);
      write(core, bytes, offset, fresh);
      written.add(offset, offset + bytes.byteLength);
      expected.set(bytes, offset);
      end = Math.max(end, offset + bytes.byteLength);
    }
    core.close();
    assertEquals(core.size, end);
    assertEquals(Deno.readFileSync(join(temp.path, `${seed}`)), expected.subarray(0, end), `seed ${seed}`);
  }
});

Deno.test("CoreFile writes no block of zeros behind the end of the file, but does over old data", () => {
  using temp = new TempDir();
  const writes: [length: number, position: number][] = [];
  const fs: FileSystem = {
    ...realFileSystem,
    write: (fd, bytes, at, length, position) => {
      writes.push([length, position]);
      realFileSystem.write(fd, bytes, at, length, position);
    },
  };
  const { core } = open(fs, join(temp.path, "core"));
  const bytes = dumpBytes(1, 5 * PAGE);
  bytes.fill(0, PAGE, 3 * PAGE);
  write(core, bytes, 0);
  assertEquals(writes.splice(0), [[PAGE, 0], [2 * PAGE, 3 * PAGE]]);
  write(core, new Uint8Array(1000), 5 * PAGE);
  write(core, new Uint8Array(2 * PAGE), 5 * PAGE + 1000);
  assertEquals([writes, core.size], [[], 7 * PAGE + 1000]);
  write(core, new Uint8Array(PAGE), 0);
  assertEquals(writes.splice(0), [[PAGE, 0]]);
  core.close();
  assertEquals(Deno.readFileSync(join(temp.path, "core")).subarray(0, PAGE), new Uint8Array(PAGE));
});

Deno.test("CoreFile leaves zeros out of a hole that is filled later, and writes them over old data", () => {
  using temp = new TempDir();
  let writes = 0;
  const fs: FileSystem = {
    ...realFileSystem,
    write: (...given) => {
      writes++;
      realFileSystem.write(...given);
    },
  };
  const { core } = open(fs, join(temp.path, "core"));
  write(core, dumpBytes(1, PAGE), 4 * PAGE);
  write(core, new Uint8Array(2 * PAGE), PAGE, true);
  assertEquals([writes, core.size], [1, 5 * PAGE]);
  write(core, new Uint8Array(PAGE), 4 * PAGE, false);
  assertEquals(writes, 2);
  core.close();
  assertEquals(Deno.readFileSync(join(temp.path, "core")), new Uint8Array(5 * PAGE));
});

Deno.test("CoreFile syncs a long dump as it grows, and sync() waits for what is under way (P2)", async () => {
  using temp = new TempDir();
  let syncs = 0;
  const ends: (() => void)[] = [];
  const fs: FileSystem = {
    ...realFileSystem,
    write: () => {},
    sync: () => {
      syncs++;
      return new Promise((resolve) => ends.push(resolve));
    },
  };
  const { core } = open(fs, join(temp.path, "core"));
  const piece = new Uint8Array(1024 * 1024).fill(1);
  const fail = () => assert(false);
  for (let i = 0; i < 127; i++) {
    write(core, piece, i * piece.byteLength);
    core.syncAsItGrows(fail);
  }
  assertEquals(syncs, 0);
  // Written again and again at one place counts as well: it is as much to be synced.
  write(core, piece, 0);
  core.syncAsItGrows(fail);
  assertEquals(syncs, 1);
  const synced = core.sync();
  assertEquals(syncs, 1);
  ends[0]!();
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(syncs, 2);
  ends[1]!();
  await synced;
  core.close();
});

Deno.test("CoreFile does not close its descriptor under a sync", async () => {
  using temp = new TempDir();
  let end = () => {};
  let closed = false;
  const fs: FileSystem = {
    ...realFileSystem,
    write: () => {},
    sync: () => new Promise((resolve) => end = resolve),
    close: (fd) => {
      closed = true;
      realFileSystem.close(fd);
    },
  };
  const { core } = open(fs, join(temp.path, "core"));
  const piece = new Uint8Array(64 * 1024 * 1024).fill(1);
  for (let i = 0; i < 2; i++) write(core, piece, i * piece.byteLength);
  core.syncAsItGrows(() => {});
  core.close();
  assertEquals(closed, false);
  end();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(closed, true);
});
