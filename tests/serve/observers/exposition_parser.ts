/**
 * Reads Prometheus' text format strictly, by its specification, so that tests see what a scrape sees: anything odd is an error.
 */
import { assert, assertEquals } from "@std/assert";

/** One family as it was exposed. */
export interface ParsedFamily {
  readonly type: string;
  readonly help: string;
  /** By the sample's line without its value. */
  readonly samples: ReadonlyMap<string, number>;
}

const SAMPLE =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"(?:,|(?=\})))+\})? (\S+)$/;

const NUMBER = /^(?:[+-]?Inf|[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)$/;

/** Parses an exposition; fails on what Prometheus refuses and on what its linter complains about. */
export function parseExposition(text: string): Map<string, ParsedFamily> {
  assert(text.endsWith("\n"), "the last line ends with a line feed");
  const families = new Map<string, { type: string; help: string; samples: Map<string, number> }>();
  let current = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, keyword, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === "HELP") {
      assert(!families.has(name!), `${name} is described once`);
      families.set(name!, { type: "", help: rest!, samples: new Map() });
      current = name!;
    } else if (keyword === "TYPE") {
      assertEquals(name, current, "TYPE follows its HELP");
      assert(["counter", "gauge", "histogram"].includes(rest!), line);
      assertEquals(
        rest === "counter",
        name!.endsWith("_total"),
        `${name}: counters end in _total, others do not`,
      );
      families.get(name!)!.type = rest!;
    } else {
      const [, sample, , value] = SAMPLE.exec(line) ?? [];
      assert(sample !== undefined, `no sample: ${line}`);
      const family = families.get(current)!;
      const ends = family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
      assert(ends.some((end) => sample === current + end), `${line} stands below ${current}`);
      const key = line.slice(0, line.lastIndexOf(" "));
      assert(!family.samples.has(key), `${key} is there once`);
      assert(NUMBER.test(value!), `no number: ${line}`);
      const number = Number(value!.replace("Inf", "Infinity"));
      family.samples.set(key, number);
    }
  }
  for (const [name, { type, samples }] of families) if (type === "histogram") checkHistogram(name, samples);
  return families;
}

function checkHistogram(name: string, samples: ReadonlyMap<string, number>): void {
  const buckets = Array.from(samples).filter(([key]) => key.startsWith(`${name}_bucket`));
  const bounds = buckets.map(([key]) => Number(/le="([^"]+)"/.exec(key)![1]!.replace("+Inf", "Infinity")));
  assertEquals(bounds, bounds.toSorted((a, b) => a - b));
  assertEquals(bounds.at(-1), Infinity);
  const counts = buckets.map(([, count]) => count);
  assertEquals(counts, counts.toSorted((a, b) => a - b), "buckets are cumulative");
  assertEquals(counts.at(-1), samples.get(`${name}_count`));
  assert(samples.has(`${name}_sum`), `${name} has a sum`);
}
