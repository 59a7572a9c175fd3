import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Extents, type Range } from "../../../lib/serve/session/extents.ts";

/** Offsets that the naive model knows. */
const SPACE = 64;

/** A set of offsets, one by one. */
class NaiveExtents {
  readonly #has = new Array<boolean>(SPACE).fill(false);

  add(start: number, end: number): number {
    let fresh = 0;
    for (let at = start; at < end; at++) {
      if (!this.#has[at]) fresh++;
      this.#has[at] = true;
    }
    return fresh;
  }

  ranges(start = 0, end = SPACE, value = true): Range[] {
    const ranges: { start: number; end: number }[] = [];
    for (let at = start; at < end; at++) {
      if (this.#has[at] !== value) continue;
      const last = ranges.at(-1);
      if (last?.end === at) last.end++;
      else ranges.push({ start: at, end: at + 1 });
    }
    return ranges;
  }
}

const range = fc.tuple(fc.nat(SPACE), fc.nat(SPACE)).map(([a, b]) =>
  [Math.min(a, b), Math.max(a, b)] as const
);

Deno.test("Extents says of any ranges what a set of single offsets says", () => {
  fc.assert(fc.property(fc.array(range, { maxLength: 40 }), range, (added, [from, to]) => {
    const extents = new Extents();
    const naive = new NaiveExtents();
    for (const [start, end] of added) assertEquals(extents.add(start, end), naive.add(start, end));
    const ranges = naive.ranges();
    assertEquals(extents.ranges(), ranges);
    assertEquals(extents.count, ranges.length);
    assertEquals(extents.end, ranges.at(-1)?.end ?? 0);
    assertEquals(extents.covered, ranges.reduce((sum, { start, end }) => sum + end - start, 0));
    assertEquals(extents.missing(from, to), naive.ranges(from, to, false));
    assertEquals(extents.missing(from, to, 2), naive.ranges(from, to, false).slice(0, 2));
    assertEquals(extents.contains(from, to), naive.ranges(from, to, false).length === 0);
  }));
});

Deno.test("Extents holds no more ranges than it may, and refuses only what would be one more", () => {
  fc.assert(fc.property(fc.array(range, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (added, most) => {
    const extents = new Extents(most);
    const naive = new NaiveExtents();
    for (const [start, end] of added) {
      const before = naive.ranges();
      const touches = before.some((known) => known.start <= end && known.end >= start);
      const isRefused = start < end && before.length === most && !touches;
      const fresh = extents.add(start, end);
      assertEquals(fresh, isRefused ? -1 : naive.add(start, end));
      assertEquals(extents.ranges(), naive.ranges());
    }
  }));
});

Deno.test("Extents grows with a dump received in order without another range", () => {
  const extents = new Extents(1);
  for (let at = 0; at < 2 ** 40; at += 2 ** 30) assertEquals(extents.add(at, at + 2 ** 30), 2 ** 30);
  assertEquals(extents.ranges(), [{ start: 0, end: 2 ** 40 }]);
});

Deno.test("Extents takes offsets up to 2^53", () => {
  const extents = new Extents();
  const most = Number.MAX_SAFE_INTEGER;
  assertEquals(extents.add(most - 10, most), 10);
  assertEquals(extents.add(0, 1), 1);
  assertEquals(extents.missing(0, most), [{ start: 1, end: most - 10 }]);
});

Deno.test("Extents keeps 8192 ranges as a rule, in whatever order they come", () => {
  const extents = new Extents();
  for (let i = 0; i < 8192; i++) {
    const at = ((i * 5) % 8192) * 2;
    assertEquals(extents.add(at, at + 1), 1);
  }
  assertEquals(extents.add(20_000, 20_001), -1);
  assertEquals(extents.add(1, 2), 1);
  assertEquals(extents.add(20_000, 20_001), 1);
  assertEquals([extents.count, extents.covered], [8192, 8194]);
});
