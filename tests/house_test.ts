/** The house: what each room of `lib/` may import, and what every file owes its reader (`lib/README.md`). */
import { assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { type Rule, RULES, STATE_OF_THE_MACHINE } from "./house_rules.ts";

const ROOT = fromFileUrl(new URL("../", import.meta.url));
const IMPORT = new RegExp(
  [
    /^(?:import|export)\s+(?:type\s+)?([^"';]*?)\bfrom\s+"([^"]+)"/,
    /(?:\bconst\s+(\{[^}]*\})\s+=\s+await\s+)?\bimport\("([^"]+)"\)/,
    /\bnew URL\("([^"]+\.ts)", import\.meta\.url\)/,
  ].map(({ source }) => source).join("|"),
  "gm",
);
const EXPORT =
  /^export (?:declare )?(?:async )?(?:abstract )?(?:function\*?|class|interface|type|const enum|const|let|enum) ([A-Za-z0-9_$]+)/gm;

/** One source, with its comments and strings still in it. */
interface SourceFile {
  /** Path below the root, `lib/serve/session/batch.ts`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

interface Import {
  /** What is imported: a path below the root, or a package's name. */
  readonly target: string;
  /** Names imported; `*` for all of them. */
  readonly names: readonly string[];
}

async function* typescript(directory: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, directory))) {
    if (isDirectory) yield* typescript(`${directory}/${name}`);
    else if (name.endsWith(".ts") && !name.endsWith(".d.ts")) yield `${directory}/${name}`;
  }
}

async function readSources(...directories: string[]): Promise<Map<string, SourceFile>> {
  const sources = new Map<string, SourceFile>();
  for (const directory of directories) {
    for await (const path of typescript(directory)) {
      const text = await Deno.readTextFile(join(ROOT, path));
      const imports = [...text.matchAll(IMPORT)].map(([, first, from, later, call, worker]) => ({
        target: resolveImport(path, (from ?? call ?? worker)!),
        names: namesOf(first ?? later ?? "*"),
      }));
      sources.set(path, { path, text, imports });
    }
  }
  return sources;
}

function namesOf(imported: string): string[] {
  if (!imported.includes("{")) return ["*"];
  const names = imported.replace(/[{}]/g, "").split(",");
  return names.map((name) => name.trim().replace(/^type /, "").split(" ")[0]!).filter((name) => name !== "");
}

function resolveImport(path: string, specifier: string): string {
  return specifier.startsWith(".") ? join(dirname(path), specifier) : specifier;
}

const lib = await readSources("lib");

/** The rule of a file: the longest room that its path begins with. */
function ruleOf(path: string): Rule {
  const rules = RULES.filter(({ room }) => path.startsWith(`lib/${room}/`) || path === `lib/${room}.ts`);
  const rule = rules.sort((a, b) => b.room.length - a.room.length)[0];
  if (rule === undefined) {
    throw new Error(`${path} is in no room: lib/README.md tells the rooms, tests/house_rules.ts has them`);
  }
  return rule;
}

/** Whether a room may import a file: by a room's name (with the rooms in it) or a file's, without `.ts`. */
function mayImport(rule: Rule, target: string): boolean {
  const name = target.replace(/^lib\//, "").replace(/\.ts$/, "");
  return [rule.room, ...rule.imports].some((allowed) => name === allowed || name.startsWith(`${allowed}/`)) &&
    !(rule.except ?? []).some((not) => name === not || name.startsWith(`${not}/`));
}

Deno.test("every file of lib imports what its room may, and nothing else", () => {
  const wrong: string[] = [];
  for (const { path, imports } of lib.values()) {
    const rule = ruleOf(path);
    for (const { target } of imports) {
      if (target.startsWith("lib/") && !mayImport(rule, target)) {
        wrong.push(
          `${path} imports ${target}, but ${rule.room} may import ${
            rule.imports.join(", ") || "nothing of ours"
          }. ${rule.instead}`,
        );
      }
    }
  }
  assertEquals(wrong, []);
});

Deno.test("only the rooms that touch the machine name Deno.* or node:fs", () => {
  const wrong: string[] = [];
  for (const { path, text } of lib.values()) {
    const rule = ruleOf(path);
    if (rule.machine === true) continue;
    const code = text.replace(/\/\*.*?\*\//gs, "").replace(/\/\/.*$/gm, "");
    for (const [found] of code.matchAll(STATE_OF_THE_MACHINE)) {
      wrong.push(`${path} uses ${found}: ${rule.room} is pure, or asks lib/os for it`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("no file of lib imports itself, however far around", () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, way: string[]) => {
    const at = way.indexOf(path);
    if (at >= 0) {
      circles.push([...way.slice(at), path].join(" -> "));
      return;
    }
    if (done.has(path)) return;
    for (const { target } of lib.get(path)?.imports ?? []) {
      if (target.startsWith("lib/")) walk(target, [...way, path]);
    }
    done.add(path);
  };
  for (const path of lib.keys()) walk(path, []);
  assertEquals(circles, []);
});

Deno.test("what a file of lib exports, another one uses", async () => {
  const tests = await readSources("tests");
  const used = new Set<string>(["lib/cli/run.ts run"]);
  for (const { imports } of [...lib.values(), ...tests.values()]) {
    for (const { target, names } of imports) for (const name of names) used.add(`${target} ${name}`);
  }
  for await (const path of typescript("lib")) {
    // A worker's module is used as a whole.
    if (used.has(`${path} *`)) continue;
    const { text } = lib.get(path)!;
    for (const [, name] of text.matchAll(EXPORT)) {
      // What a file uses itself in the shape of what it exports (a type of a parameter) needs a name there.
      const elsewhere = new RegExp(`\\b${name!.replaceAll("$", "\\$")}\\b`, "g");
      if (!used.has(`${path} ${name}`) && [...text.matchAll(elsewhere)].length > 1) {
        used.add(`${path} ${name}`);
      }
    }
  }
  const unused: string[] = [];
  for (const { path, text } of lib.values()) {
    if (used.has(`${path} *`)) continue;
    for (const [, name] of text.matchAll(EXPORT)) {
      if (!used.has(`${path} ${name}`)) unused.push(`${path} exports ${name}, which nobody uses: remove it`);
    }
  }
  assertEquals(unused, []);
});

Deno.test("what a file of lib exports has a doc comment", () => {
  const bare: string[] = [];
  for (const { path, text } of lib.values()) {
    for (const match of text.matchAll(EXPORT)) {
      const before = text.slice(0, match.index).replace(/\n\/\/ deno-lint-ignore[^\n]*\n$/, "").trimEnd();
      if (!before.endsWith("*/") || before.endsWith("@module\n */")) bare.push(`${path}: ${match[1]}`);
    }
  }
  assertEquals(bare, []);
});

Deno.test("the sections that comments cite are there in docs/reference", async () => {
  const sections = new Map<string, Set<string>>();
  for await (const { name } of Deno.readDir(join(ROOT, "docs/reference"))) {
    const text = await Deno.readTextFile(join(ROOT, "docs/reference", name));
    sections.set(name, new Set([...text.matchAll(/^#+ (\d+(?:\.\d+)*)\.? /gm)].map(([, number]) => number!)));
  }
  const wrong: string[] = [];
  for (const { path, text } of lib.values()) {
    const plain = text.replace(/\n\s*(?:\*|\/\/) ?/g, " ");
    for (const [, document, list] of plain.matchAll(CITATION)) {
      const known = sections.get(document!);
      if (known === undefined) wrong.push(`${path} cites ${document}, which docs/reference does not have`);
      for (const [number] of (list ?? "").matchAll(/\d+(?:\.\d+)*/g)) {
        if (known !== undefined && !known.has(number)) {
          wrong.push(`${path} cites section ${number} of ${document}, which has no such section`);
        }
      }
    }
  }
  assertEquals(wrong, []);
});

/** `netdump-protocol.md, sections 3.3 and 4.1`; also `netdump-protocol.md 3.3`. */
const CITATION =
  /\b([a-z-]+\.md),? (?:sections? )?(\d+(?:\.\d+)*(?:(?:, | and | to |, and )\d+(?:\.\d+)*)*)/g;
