import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { fetchFile, partialPath } from "../../lib/archive/fetch_file.ts";
import { StoreError } from "../../lib/archive/store_error.ts";
import { realFileSystem } from "../../lib/os/file_system.ts";

const MIB = 2 ** 20;
const BYTES = new Uint8Array(9 * MIB + 5);
for (let at = 0; at < BYTES.length; at += 1000) BYTES[at] = at / 1000;
const SUMS = { bytes: BYTES.length, sha256: createHash("sha256").update(BYTES).digest("hex") };

/** A stored file whose store may fail behind some bytes. */
function sourceOf(bytes: Uint8Array, failsAt = Infinity) {
  let readBytes = 0;
  return {
    size: bytes.length,
    randomAccess: true,
    read: (offset: number, length: number) => {
      if (offset >= failsAt) return Promise.reject(new StoreError("unreachable", "it is away"));
      readBytes += Math.min(length, bytes.length - offset);
      return Promise.resolve(bytes.slice(offset, offset + length));
    },
    close: () => {},
    get readBytes() {
      return readBytes;
    },
  };
}

async function withPath(use: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "netdump-test-" });
  try {
    await use(`${directory}/vmcore.w1.0`);
    assertEquals([...Deno.readDirSync(directory)].filter(({ name }) => name.endsWith(".partial")), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const fetchTo = (path: string, source: ReturnType<typeof sourceOf>, sums: typeof SUMS | null = SUMS) =>
  fetchFile(realFileSystem, { source, sums, path, onProgress: () => {} });

Deno.test("fetchFile() goes on where an earlier try ended, wherever that was", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(BYTES.length), async (heldBytes) => {
      await withPath(async (path) => {
        await Deno.writeFile(partialPath(path), BYTES.subarray(0, heldBytes));
        const source = sourceOf(BYTES);
        assertEquals(await fetchTo(path, source), heldBytes);
        assertEquals(await Deno.readFile(path), BYTES);
        assertEquals(source.readBytes, BYTES.length - heldBytes);
      });
    }),
    { numRuns: 10, examples: [[0], [1], [4 * MIB], [BYTES.length]] },
  );
});

Deno.test("fetchFile() keeps what came before the store went away", async () => {
  await withPath(async (path) => {
    await assertRejects(() => fetchTo(path, sourceOf(BYTES, 5 * MIB)), StoreError, "away");
    assertEquals(await Deno.readFile(partialPath(path)), BYTES.slice(0, 8 * MIB));
    assertEquals(Deno.statSync(partialPath(path)).mode! & 0o777, 0o600);
    assertEquals(await fetchTo(path, sourceOf(BYTES)), 8 * MIB);
  });
});

Deno.test("fetchFile() begins anew on what is of another dump, or longer than this one", async () => {
  for (const other of [new Uint8Array(MIB).fill(7), new Uint8Array(BYTES.length + 1)]) {
    await withPath(async (path) => {
      await Deno.writeFile(partialPath(path), other);
      assertEquals(await fetchTo(path, sourceOf(BYTES)), 0);
      assertEquals(await Deno.readFile(path), BYTES);
    });
  }
});

Deno.test("fetchFile() gives no file that has another sum, other length or damage", async () => {
  const directory = await Deno.makeTempDir({ prefix: "netdump-test-" });
  try {
    const path = `${directory}/x`;
    const changed = BYTES.slice();
    changed[3 * MIB]! ^= 1;
    const short = { ...sourceOf(BYTES), read: () => Promise.resolve(BYTES.subarray(0, 7)) };
    for (const source of [sourceOf(changed), sourceOf(BYTES.subarray(1)), short]) {
      for (let tries = 0; tries < 2; tries++) {
        const error = await assertRejects(() => fetchTo(path, { ...source, readBytes: 0 }), StoreError);
        assertEquals(error.failure, "damaged");
        assert(realFileSystem.entry(path) === undefined);
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("fetchFile() overwrites nothing", async () => {
  await withPath(async (path) => {
    await Deno.writeTextFile(path, "mine");
    await assertRejects(() => fetchTo(path, sourceOf(BYTES)));
    assertEquals(await Deno.readTextFile(path), "mine");
    await Deno.remove(partialPath(path));
  });
});
