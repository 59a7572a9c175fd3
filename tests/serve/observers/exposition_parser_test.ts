/** The parser that stands in for promtool refuses what Prometheus or its linter does. */
import { assertEquals, assertThrows } from "@std/assert";
import { parseExposition } from "./exposition_parser.ts";

const HISTOGRAM = `# HELP h How long.
# TYPE h histogram
h_bucket{le="1"} 2
h_bucket{le="+Inf"} 3
h_sum 4.5
h_count 3
`;

Deno.test("parseExposition() reads counters, gauges and histograms with their labels", () => {
  const families = parseExposition(
    `# HELP a_total How often.\n# TYPE a_total counter\na_total{l="x\\"\\\\\\n,}",m=""} 1e3\n${HISTOGRAM}`,
  );
  assertEquals([...families.keys()], ["a_total", "h"]);
  assertEquals([...families.get("a_total")!.samples.values()], [1000]);
  assertEquals(families.get("h")!.samples.get("h_sum"), 4.5);
});

const gauge = (sample: string) => `# HELP g What.\n# TYPE g gauge\n${sample}\n`;

for (
  const [what, text] of [
    ["no line feed at the end", gauge("g 1").slice(0, -1)],
    ["an empty line", gauge("g 1\n")],
    ["a sample without a family", "g 1\n"],
    ["a family without help", "# TYPE g gauge\ng 1\n"],
    ["a type that is none", "# HELP g What.\n# TYPE g number\ng 1\n"],
    ["a counter without _total", "# HELP g What.\n# TYPE g counter\ng 1\n"],
    ["a gauge with _total", "# HELP g_total What.\n# TYPE g_total gauge\ng_total 1\n"],
    ["a sample of another family", gauge("other 1")],
    ["two values", gauge("g 1 2 3")],
    ["no number", gauge("g one")],
    ["a number that is not decimal", gauge("g 0x10")],
    ["two spaces", gauge("g  1")],
    ["a label without quotes", gauge("g{l=x} 1")],
    ["a label with a bare quote", gauge('g{l="a"b"} 1')],
    ["a label with an unknown escape", gauge('g{l="\\x"} 1')],
    ["a label's name with a dash", gauge('g{a-b="x"} 1')],
    ["a name with a dash", "# HELP g-h What.\n# TYPE g-h gauge\ng-h 1\n"],
    ["the same sample twice", gauge("g 1\ng 2")],
    ["a family twice", gauge("g 1") + gauge('g{l="x"} 1')],
    ["buckets that fall", HISTOGRAM.replace('le="+Inf"} 3', 'le="+Inf"} 1').replace("count 3", "count 1")],
    ["buckets out of order", HISTOGRAM.replace(/(h_bucket.*\n)(h_bucket.*\n)/, "$2$1")],
    ["no last bucket", HISTOGRAM.replace(/h_bucket\{le="\+Inf".*\n/, "")],
    ["a count that is not the last bucket's", HISTOGRAM.replace("count 3", "count 4")],
    ["a histogram without a sum", HISTOGRAM.replace(/h_sum.*\n/, "")],
  ] as const
) {
  Deno.test(`parseExposition() refuses ${what}`, () => {
    assertThrows(() => parseExposition(text));
  });
}
