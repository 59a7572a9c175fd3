/**
 * Every regular expression in the rooms that meet bytes of a dump, of a file or of the network takes time in proportion to
 * its input, whatever that is. They are found in the sources, so that a new one cannot be forgotten.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { cpuMs } from "./cpu_time.ts";

const ROOT = fromFileUrl(new URL("../lib/", import.meta.url));
const ROOMS = ["bytes", "kerneldump", "kernel", "inspect", "serve", "send", "protocol", "text", "os"];
/** Characters of an input. A quadratic expression takes seconds for them, a linear one milliseconds. */
const LENGTH = 30_000;
const MOST_MS = 150;
/** A literal: behind what an expression can stand behind, up to its flags. */
const LITERAL =
  /(?<=[=(,:?[!&|;{]\s*|return\s+|^\s+)\/((?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuy]*)(?=\s*[.,;)\]:\n])/gm;

interface Found {
  readonly place: string;
  readonly pattern: RegExp;
}

function* sources(directory: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, directory))) {
    if (isDirectory) yield* sources(`${directory}/${name}`);
    else if (name.endsWith(".ts")) yield `${directory}/${name}`;
  }
}

function patternsIn(path: string): Found[] {
  // Comments hold examples; strings hold no expressions of ours.
  const text = Deno.readTextFileSync(join(ROOT, path)).replace(
    /\/\*\*.*?\*\//gs,
    (comment) => comment.replace(/[^\n]/g, " "),
  )
    .replace(/^\s*\/\/.*$/gm, "");
  return [...text.matchAll(LITERAL)].map(([, source, flags]) => ({
    place: `${path}: /${source}/${flags}`,
    pattern: new RegExp(source!, flags),
  }));
}

/** What is repeated to make an input: pieces that the expression itself may take, alone and behind its beginning. */
function pumps(pattern: RegExp): string[] {
  const plain = pattern.source.replace(
    /\\u\{?[0-9a-f]+\}?|\\x[0-9a-f]{2}|\\p\{[^}]*\}|\\[dwsbDWSB]|[\^$*+?.()|{}[\]\\]/gi,
    "\0",
  );
  const words = plain.split("\0").filter((word) => word !== "");
  const pieces = [
    " ",
    "\t",
    "\n",
    "a",
    "f",
    "0",
    "1",
    "(",
    ")",
    "[",
    "]",
    ".",
    "..",
    "-",
    "#",
    "<",
    "0x",
    "1d",
    " [",
    ") at ",
    "a.",
    ": ",
    "\u0301",
    "é",
  ];
  const all = [
    ...pieces,
    ...words,
    words.join(""),
    ...words.map((word) => `${word} `),
    ...words.map((word) => `${word}0`),
  ];
  return [...new Set(all)].filter((piece) => piece !== "");
}

function inputs(pattern: RegExp): string[] {
  const words = pumps(pattern);
  const heads = ["", ...words.slice(-6), "panic: ", "Dump from ", "  "];
  return words.flatMap((pump) => {
    const body = pump.repeat(Math.ceil(LENGTH / pump.length));
    return heads.flatMap((head) => [head + body, `${head}${body}\n!`]);
  });
}

const found = ROOMS.filter((room) => {
  try {
    return Deno.statSync(join(ROOT, room)).isDirectory;
  } catch {
    return false;
  }
}).flatMap((room) => [...sources(room)]).flatMap(patternsIn);

Deno.test("the regular expressions of the sources are found", () => {
  assert(found.length > 60, `${found.length} found`);
  for (const place of ["kerneldump/files/read_info.ts", "text/escape.ts", "serve/store/dump_directory.ts"]) {
    assert(found.some((one) => one.place.startsWith(place)), place);
  }
});

Deno.test("every regular expression takes time in proportion to its input, whatever that is", () => {
  const slow: string[] = [];
  for (const { place, pattern } of found) {
    for (const input of inputs(pattern)) {
      // What a clock calls quick is so. Else what was computed counts, and where no thread has an account of its own,
      // others' is in it: what is slow is so three times.
      let tookMs = timeOf(pattern, input, () => performance.now());
      for (let i = 0; i < 3 && tookMs >= MOST_MS; i++) {
        tookMs = Math.min(tookMs, timeOf(pattern, input, cpuMs));
      }
      if (tookMs < MOST_MS) continue;
      slow.push(`${place} takes ${tookMs.toFixed(0)} ms for ${JSON.stringify(input.slice(0, 40))}...`);
      break;
    }
  }
  assertEquals(slow, []);
});

function timeOf(pattern: RegExp, input: string, nowMs: () => number): number {
  const startedMs = nowMs();
  if (pattern.global) { for (const _ of input.matchAll(pattern)) { /* all of them */ } }
  else pattern.exec(input);
  return nowMs() - startedMs;
}
