/**
 * Parses a command's arguments by the option table, with `parseArgs` of @std/cli. Unknown options, missing values,
 * values of the wrong form and surplus operands are usage errors that name the option and say what is expected.
 *
 * `parseArgs` takes unknown options silently, the file in `--json true` for the flag's value, drops the flag in `-D5`
 * and reads `-ddumps` as seven flags. So each option is first spelt out as `--name=value` by the conventions of
 * getopt_long(3), which leaves it nothing to guess.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { quote } from "../text/escape.ts";
import type { Command, Option, Valued, Values } from "./option.ts";

/** A mistake on the command line: exit status 2, one line, no stack trace. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What a command was called with. */
export interface Invocation<C extends Command> {
  readonly options: Values<C["options"]>;
  readonly operands: readonly string[];
}

/** Tells whether an option takes a value. */
export function takesValue(option: Option): option is Valued<unknown> {
  return "value" in option;
}

/**
 * Parses the arguments that follow the command's name. `--help` and `--version` win over anything else among them.
 *
 * @throws {UsageError}
 */
export function parseCommand<C extends Command>(
  command: C,
  args: readonly string[],
): Invocation<C> | "help" | "version" {
  const end = args.indexOf("--");
  const words = end < 0 ? args : args.slice(0, end);
  if (words.includes("--help") || words.includes("-h")) return "help";
  if (words.includes("--version") || words.includes("-V")) return "version";
  const entries = Object.entries(command.options);
  const valued = entries.filter(([, option]) => takesValue(option)).map(([name]) => name);
  const { spelt, operands } = spellOut(command, words);
  if (end >= 0) operands.push(...args.slice(end + 1));
  const parsed = parseArgs([...spelt, "--", ...operands], {
    string: ["_", ...valued],
    collect: valued,
    boolean: entries.filter(([, option]) => !takesValue(option)).map(([name]) => name),
  });
  if (parsed["help"]) return "help";
  if (parsed["version"]) return "version";
  const options: Record<string, unknown> = {};
  for (const [name, option] of entries) {
    const given = parsed[name];
    options[name] = takesValue(option) ? readValue(name, option, (given ?? []) as string[]) : given === true;
  }
  checkOperands(command, parsed._);
  return { options: options as Values<C["options"]>, operands: parsed._ };
}

/** Spells options out as `--name` or `--name=value`; a lone `-` is an operand. */
function spellOut(command: Command, words: readonly string[]): { spelt: string[]; operands: string[] } {
  const spelt: string[] = [];
  const operands: string[] = [];
  const rest = [...words];
  const add = (name: string, text?: string) => {
    if (text === "") throw missingValue(command, name);
    spelt.push(text === undefined ? `--${name}` : `--${name}=${text}`);
  };
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word.startsWith("--")) spellLong(command, word, rest, add);
    else if (word.startsWith("-") && word !== "-") spellShort(command, word, rest, add);
    else operands.push(word);
  }
  return { spelt, operands };
}

function missingValue(command: Command, name: string): UsageError {
  const option = command.options[name];
  const placeholder = option !== undefined && takesValue(option) ? option.value.placeholder : "";
  return new UsageError(`Option --${name} needs a value: ${placeholder}`);
}

type Add = (name: string, text?: string) => void;

/** `--name`, `--name=value` or `--name value`. */
function spellLong(command: Command, word: string, rest: string[], add: Add): void {
  const [, name = "", attached] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const option = Object.hasOwn(command.options, name) ? command.options[name] : undefined;
  if (option === undefined) throw new UsageError(`Unknown option ${quote(`--${name}`)}`);
  if (takesValue(option)) return add(name, attached ?? nextValue(command, name, rest));
  if (attached !== undefined) {
    throw new UsageError(`Option --${name} takes no value, found ${quote(attached)}`);
  }
  add(name);
}

/** `-x`, `-xvalue`, `-x=value`, `-x value`, and flags bundled before any of these. */
function spellShort(command: Command, word: string, rest: string[], add: Add): void {
  const letters = [...word].slice(1);
  for (const [at, letter] of letters.entries()) {
    const [name, option] = Object.entries(command.options).find(([, { short }]) => short === letter) ?? [];
    if (name === undefined || option === undefined) {
      const where = letters.length > 1 ? ` in ${quote(word)}` : "";
      throw new UsageError(`Unknown option ${quote(`-${letter}`)}${where}`);
    }
    const attached = letters.slice(at + 1).join("");
    if (takesValue(option)) {
      return add(name, attached === "" ? nextValue(command, name, rest) : attached.replace(/^=/, ""));
    }
    if (attached.startsWith("=")) {
      throw new UsageError(`Option --${name} takes no value, found ${quote(attached.slice(1))}`);
    }
    add(name);
  }
}

/** The word after an option; one that looks like another option means that the value was forgotten. */
function nextValue(command: Command, name: string, rest: string[]): string {
  const next = rest[0];
  if (next === undefined || /^-[^\d]/.test(next)) throw missingValue(command, name);
  rest.shift();
  return next;
}

function readValue(name: string, option: Valued<unknown>, given: readonly string[]): unknown {
  const texts = given.length > 0 || option.default === undefined ? given : [option.default];
  const values = texts.map((text) => parseValue(name, option, text));
  if (option.repeatable) return values;
  if (values.length > 1) throw new UsageError(`Option --${name} is given more than once`);
  if (option.required && values.length === 0) {
    throw new UsageError(`Option --${name} ${option.value.placeholder} is required`);
  }
  return values[0];
}

function parseValue(name: string, option: Valued<unknown>, text: string): unknown {
  try {
    return option.value.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`Option --${name}: expected ${error.message}, found ${quote(text)}`);
  }
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const { placeholder, least, most } = command.operands ?? { placeholder: "", least: 0, most: 0 };
  if (operands.length < least) throw new UsageError(`Missing ${placeholder}`);
  if (operands.length > most) throw new UsageError(`Unexpected argument ${quote(operands[most] ?? "")}`);
}
