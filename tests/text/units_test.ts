import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatCount, formatDuration, formatSize, parseDuration, parseSize } from "../../lib/text/units.ts";

const SIZES: [text: string, sizeBytes: number][] = [
  ["0", 0],
  ["1", 1],
  ["4096", 4096],
  ["64k", 65536],
  ["64K", 65536],
  ["64kB", 65536],
  ["64KiB", 65536],
  ["1.5G", 1610612736],
  ["10M", 10485760],
  ["2t", 2199023255552],
  ["97.0MiB", 101711872],
  ["007", 7],
  ["9007199254740991", Number.MAX_SAFE_INTEGER],
];

for (const [text, sizeBytes] of SIZES) {
  Deno.test(`parseSize() reads ${text}`, () => assertEquals(parseSize(text), sizeBytes));
}

const NO_SIZES = [
  "",
  " ",
  "k",
  "-1",
  "+1",
  "1e3",
  "0x10",
  "1,5",
  ".5",
  "5.",
  "1 k",
  "1kk",
  "5ib",
  "1P",
  "10%",
  "NaN",
]
  .concat(["Infinity", "9007199254740992", "8192T", "9".repeat(400), "1\n", "１"]);

for (const text of NO_SIZES) {
  Deno.test(`parseSize() refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
    assertThrows(() => parseSize(text), SyntaxError, "a size in bytes");
  });
}

const DURATIONS: [text: string, durationMs: number][] = [
  ["0", 0],
  ["10", 10_000],
  ["500ms", 500],
  ["1.5s", 1500],
  ["10m", 600_000],
  ["2h", 7_200_000],
  ["1d", 86_400_000],
  ["36525d", 36_525 * 86_400_000],
];

for (const [text, durationMs] of DURATIONS) {
  Deno.test(`parseDuration() reads ${text}`, () => assertEquals(parseDuration(text), durationMs));
}

for (const text of ["", "s", "-1s", "1M", "1 s", "1e3s", "1w", "10m30s", "NaN", "36526d", "9".repeat(400)]) {
  Deno.test(`parseDuration() refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
    assertThrows(() => parseDuration(text), SyntaxError, "a duration with");
  });
}

const FORMATTED_SIZES: [sizeBytes: number, text: string][] = [
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.00 KiB"],
  [101711872, "97.0 MiB"],
  [1610612736, "1.50 GiB"],
  [10.0 * 1024, "10.0 KiB"],
  [1024 * 1024 - 1, "1.00 MiB"],
  [1023.4 * 1024, "1023 KiB"],
  [1023.6 * 1024, "1.00 MiB"],
  [Number.MAX_SAFE_INTEGER, "8.00 PiB"],
];

for (const [sizeBytes, text] of FORMATTED_SIZES) {
  Deno.test(`formatSize() writes ${sizeBytes} as ${text}`, () => assertEquals(formatSize(sizeBytes), text));
}

Deno.test("formatSize() writes what parseSize() reads, to three digits", () => {
  fc.assert(fc.property(fc.nat({ max: 2 ** 49 }), (sizeBytes) => {
    const back = parseSize(formatSize(sizeBytes).replace(" ", ""));
    assert(Math.abs(back - sizeBytes) <= sizeBytes * 0.0051, `${sizeBytes} came back as ${back}`);
  }));
});

const FORMATTED_DURATIONS: [durationMs: number, text: string][] = [
  [0, "0 ms"],
  [340, "340 ms"],
  [999.4, "999 ms"],
  [999.6, "1.0 s"],
  [4200, "4.2 s"],
  [59_940, "59.9 s"],
  [59_950, "1 min 00 s"],
  [187_000, "3 min 07 s"],
  [3_599_600, "1 h 00 min"],
  [7_500_000, "2 h 05 min"],
  [86_399_999, "1 d 00 h"],
  [3 * 86_400_000 + 4 * 3_600_000, "3 d 04 h"],
];

for (const [durationMs, text] of FORMATTED_DURATIONS) {
  Deno.test(`formatDuration() writes ${durationMs} ms as ${text}`, () =>
    assertEquals(formatDuration(durationMs), text));
}

Deno.test("formatCount() has one of a thing, and some or none of them", () => {
  assertEquals([0, 1, 2].map((count) => formatCount(count, "dump")), ["0 dumps", "1 dump", "2 dumps"]);
});
