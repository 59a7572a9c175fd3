import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeMinidump, minidumpLayout } from "../../../lib/kerneldump/minidump/minidump.ts";
import { PageMap, SPREAD_PARTS } from "../../../lib/kerneldump/minidump/page_map.ts";
import { type ReadAt, readAtOf } from "../../../lib/bytes/source.ts";
import { realVmcore, testWithVmcores } from "../real_vmcores.ts";
import { buildMinidump, buildReferenceFixture, MINIDUMP_KINDS } from "../synthetic.ts";
import { cpuMs } from "../../cpu_time.ts";

function readMap(dump: Uint8Array): Promise<PageMap> {
  return PageMap.read(readAtOf(dump), decodeMinidump(dump));
}

const PAGE = new Uint8Array(4096).fill(0x5a);

Deno.test("PageMap finds the pages of the reference's fixture", async () => {
  const map = await readMap(buildReferenceFixture());
  assertEquals(map.problems, []);
  assertEquals(map.dumpedPages, 4);
  assertEquals(map.pages, { offset: 0x6000, size: 0x4000 });
  const found = async (address: number) => {
    const location = await map.find(address);
    return location.kind === "page" ? location.fileOffset : location.kind;
  };
  assertEquals(await found(0x1000), 0x6000);
  assertEquals(await found(0x1fff), 0x6000);
  assertEquals(await found(0x100000), 0x7000);
  assertEquals(await found(0x101010), 0x8000);
  assertEquals(await found(0x1ff010), 0x9000);
  assertEquals(await found(0x2000), "not-in-dump");
  assertEquals(await found(0x102000), "not-in-dump");
  assertEquals(await found(0x9f000), "no-such-memory");
  assertEquals(await found(0x200000), "no-such-memory");
  assertEquals((await map.coverage()).map((r) => [r.start, r.end, r.firstBit, r.pages, r.dumpedPages]), [
    [0, 0x9f000, 0, 159, 1],
    [0x100000, 0x200000, 159, 256, 3],
  ]);
});

for (const kind of MINIDUMP_KINDS) {
  const { architecture, version, littleEndian, pageSize } = kind;
  const order = littleEndian ? "little" : "big";
  Deno.test(`PageMap finds each page of ${architecture} version ${version}, ${order} endian, ${pageSize}`, async () => {
    const numbers = [0, 1, 7, 8, 9, 31, 32, 63, 64, 65, 500, 32767, 32768, 40000, 99999];
    const pages = Object.fromEntries(numbers.map((n) => [n * pageSize, new Uint8Array(4).fill(n % 251 + 1)]));
    const dump = buildMinidump({ ...kind, pages, ranges: [[0, 50000 * pageSize], [99999 * pageSize, 2e9]] });
    const map = await readMap(dump);
    assertEquals(map.problems, []);
    assertEquals(map.pages.offset + map.pages.size, dump.byteLength);
    for (const n of numbers) {
      const location = await map.find(n * pageSize + 5);
      assert(location.kind === "page", `page ${n}`);
      assertEquals(dump[location.fileOffset], n % 251 + 1, `page ${n}`);
      if (!numbers.includes(n + 1)) {
        assert((await map.find((n + 1) * pageSize)).kind !== "page", `page ${n + 1}`);
      }
    }
  });
}

for (const kind of MINIDUMP_KINDS) {
  const { architecture, version, littleEndian, pageSize } = kind;
  const order = littleEndian ? "little" : "big";
  Deno.test(`PageMap reads the bitmap of ${architecture} version ${version}, ${order} endian, ${pageSize} once`, async () => {
    const numbers = [0, 1, 30, 32767, 32768, 40000, 49999, 99999, 120000];
    const pages = Object.fromEntries(numbers.map((n) => [n * pageSize, new Uint8Array(1)]));
    const ranges: [number, number][] = [[0, 50000 * pageSize], [99999 * pageSize, 130001 * pageSize]];
    const dump = buildMinidump({ ...kind, pages, ranges });
    const minidump = decodeMinidump(dump);
    const { bitmap } = minidumpLayout(minidump);
    let read = 0;
    const readAt: ReadAt = (offset, length) => {
      if (offset >= bitmap.offset && offset < bitmap.offset + bitmap.size) read += length;
      return readAtOf(dump)(offset, length);
    };
    const map = await PageMap.read(readAt, minidump);
    const coverage = await map.coverage();
    const spread = await map.spread(SPREAD_PARTS);
    assertEquals(read, bitmap.size);
    const inRanges = coverage.map(({ start, end, dumpedPages }) => [
      dumpedPages,
      numbers.filter((n) => n * pageSize >= start && n * pageSize < end).length,
    ]);
    for (const [found, expected] of inRanges) assertEquals(found, expected);
    // The same as by looking at the bitmap for it.
    const doubled = await map.spread(2 * SPREAD_PARTS + 1);
    assert(read > bitmap.size);
    assertEquals(spread.length, SPREAD_PARTS);
    for (const shares of [spread, doubled]) {
      const bits = coverage.reduce((sum, range) => sum + range.pages, 0);
      const ends = shares.map((_, i) => Math.round(bits * (i + 1) / shares.length));
      const total = shares.reduce((sum, share, i) => sum + share * (ends[i]! - (ends[i - 1] ?? 0)), 0);
      assertEquals(Math.round(total), numbers.length);
    }
  });
}

Deno.test("PageMap counts partial pages at the ends of ranges as pages", async () => {
  const ranges = [[0x800, 0x1800], [0x3000, 0x3001], [0x10000, 0x12000]] as const;
  const map = await readMap(buildMinidump({ ranges, pages: { 0x1000: PAGE, 0x3000: PAGE, 0x11000: PAGE } }));
  assertEquals(map.problems, []);
  assertEquals((await map.coverage()).map((r) => [r.firstBit, r.pages, r.dumpedPages]), [
    [0, 2, 1],
    [2, 1, 1],
    [3, 2, 1],
  ]);
  assertEquals(await map.find(0x1800), { kind: "no-such-memory" });
});

Deno.test("PageMap agrees with a list of pages, for any ranges and pages", async () => {
  const dumps = fc.record({
    gaps: fc.array(fc.tuple(fc.integer({ min: 0, max: 40000 }), fc.integer({ min: 1, max: 40000 })), {
      minLength: 1,
      maxLength: 6,
    }),
    picks: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 12 }),
    big: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(dumps, async ({ gaps, picks, big }) => {
      let at = 0;
      const ranges = gaps.map(([gap, length]): [number, number] => {
        at += gap + length;
        return [(at - length) * 4096, at * 4096];
      });
      const addresses = [
        ...new Set(picks.map(([r, p]) => {
          const [start, end] = ranges[r % ranges.length]!;
          return start + (p % ((end - start) / 4096)) * 4096;
        })),
      ].sort((a, b) => a - b);
      const dump = buildMinidump({
        architecture: "powerpc64",
        littleEndian: !big,
        ranges,
        pages: Object.fromEntries(addresses.map((a) => [a, PAGE])),
      });
      const map = await readMap(dump);
      assertEquals(map.problems, []);
      assertEquals(map.dumpedPages, addresses.length);
      for (const [i, address] of addresses.entries()) {
        assertEquals(await map.find(address), { kind: "page", fileOffset: map.pages.offset + i * 4096 });
      }
      const coverage = await map.coverage();
      assertEquals(
        coverage.map((r) => r.dumpedPages),
        ranges.map(([start, end]) => addresses.filter((a) => a >= start && a < end).length),
      );
      const shares = await map.spread(7);
      assert(shares.every((share) => share >= 0 && share <= 1));
    }),
    { numRuns: 60 },
  );
});

Deno.test("PageMap.spread() tells where in physical memory the dumped pages lie", async () => {
  const pages = Object.fromEntries(Array.from({ length: 128 }, (_, i) => [i * 4096, new Uint8Array(0)]));
  const map = await readMap(buildMinidump({ ranges: [[0, 256 * 4096]], pages }));
  assertEquals(await map.spread(4), [1, 1, 0, 0]);
  assertEquals(await map.spread(1), [0.5]);
  assertEquals((await map.spread(1000)).length, 256, "no part is smaller than a page");
});

Deno.test("PageMap tells bits beyond the last range", async () => {
  const dump = buildReferenceFixture();
  dump[0x4000 + 52] = 0x03;
  assertEquals((await readMap(dump)).problems.map((p) => p.code), ["bitmap-stray-bits"]);
});

Deno.test("PageMap tells a bitmap that does not fit the ranges", async () => {
  const dump = buildReferenceFixture();
  new DataView(dump.buffer).setBigUint64(0x3000 + 24, 0x40000000n, true);
  const map = await readMap(dump);
  assertEquals(map.problems.map((p) => p.code), ["bitmap-size"]);
  assertEquals((await map.find(0x3ffff000)).kind, "not-in-dump", "no bit outside the bitmap is looked up");
});

Deno.test("PageMap tells damaged tables of physical ranges and keeps the ranges before the damage", async () => {
  const damaged = async (...entries: (readonly [bigint, bigint])[]) => {
    const dump = buildReferenceFixture();
    const view = new DataView(dump.buffer);
    entries.forEach(([start, end], i) => {
      view.setBigUint64(0x3000 + 16 * i, start, true);
      view.setBigUint64(0x3008 + 16 * i, end, true);
    });
    const map = await readMap(dump);
    assertEquals(map.problems.map((p) => p.code), ["dump-avail-malformed"]);
    return [map.ranges.length, map.problems[0]!.message];
  };
  const [kept, message] = await damaged([0n, 0x9f000n], [0x3000n, 0x4000n]);
  assertEquals(kept, 1);
  assert(String(message).includes("entry 2 (0x3000 to 0x4000) overlaps"), String(message));
  assertEquals((await damaged([0x5000n, 0x5000n]))[0], 0);
  assertEquals((await damaged([0n, 0xffffffffffffffffn]))[0], 0);
  const full = Array.from(
    { length: 256 },
    (_, i) => [BigInt(2 * i) * 4096n, BigInt(2 * i + 1) * 4096n] as const,
  );
  const [all, unended] = await damaged(...full);
  assertEquals(all, 256);
  assert(String(unended).includes("no end"), String(unended));
});

Deno.test("PageMap of a file that ends in the bitmap keeps what is there", async () => {
  const dump = buildMinidump({
    ranges: [[0, 65536 * 4096]],
    pages: { 0x0: PAGE, 0x1000: PAGE, 0xffff000: PAGE },
  });
  const { bitmap } = minidumpLayout(decodeMinidump(dump));
  for (const length of [0, 1, 7, 4095, 4096, 4097, 8191]) {
    const map = await readMap(dump.subarray(0, bitmap.offset + length));
    assertEquals(map.problems.map((p) => p.code), ["bitmap-size"], `${length} bytes`);
    assertEquals(map.dumpedPages, length === 0 ? 0 : 2, `${length} bytes`);
    assertEquals((await map.find(0x1000)).kind, length === 0 ? "not-in-dump" : "page", `${length} bytes`);
    assertEquals((await map.find(0xffff000)).kind, "not-in-dump", `${length} bytes`);
  }
});

Deno.test("PageMap reads a bitmap of a terabyte machine in a moment and little memory", async () => {
  // 2^28 pages of 4 KiB: 32 MiB of bitmap, every fourth page dumped.
  const bitmapSize = 2 ** 28 / 8;
  const head = buildMinidump({ architecture: "amd64", version: 2 });
  new DataView(head.buffer).setUint32(32, bitmapSize, true);
  const { bitmap } = minidumpLayout(decodeMinidump(head));
  const pattern = new Uint8Array(1 << 20).fill(0x11);
  const readAt: ReadAt = (offset, length) => {
    if (offset < bitmap.offset) return Promise.resolve(head.subarray(offset, offset + length));
    return Promise.resolve(pattern.subarray(0, Math.min(length, bitmap.offset + bitmap.size - offset)));
  };
  const started = cpuMs();
  const map = await PageMap.read(readAt, decodeMinidump(head));
  assert(cpuMs() - started < 2000, `took ${cpuMs() - started} ms`);
  assertEquals(map.problems, []);
  assertEquals(map.dumpedPages, 2 ** 26);
  const last = (2 ** 28 - 4) * 4096;
  assertEquals(await map.find(last), { kind: "page", fileOffset: map.pages.offset + (2 ** 26 - 1) * 4096 });
});

testWithVmcores("PageMap counts the pages of the real vmcores", async () => {
  const amd64 = await readMap(await realVmcore("amd64"));
  assertEquals([amd64.dumpedPages, amd64.problems], [24144, []]);
  assertEquals(amd64.pages.offset + amd64.pages.size, 107388928);
  assertEquals(amd64.ranges.map((r) => [r.start, r.end, r.firstBit]), [
    [0, 0x9f000, 0],
    [0x104000, 0x7fdf000, 159],
  ]);
  const arm64 = await readMap(await realVmcore("arm64"));
  assertEquals([arm64.dumpedPages, arm64.problems], [19296, []]);
  assertEquals(arm64.pages.offset, 0x6ca000);
});
