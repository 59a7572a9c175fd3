/**
 * Parses a command's arguments by the option table. `parseArgs` of @std/cli splits them; unknown options, missing
 * values, values of the wrong form and surplus operands are usage errors that name the option and say what is
 * expected.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { quote } from "../text/escape.ts";
import type { Command, Option, Valued, Values } from "./options.ts";

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
 * Parses the arguments that follow the command's name. With `--help` among them nothing else is checked.
 *
 * @throws {UsageError}
 */
export function parseCommand<C extends Command>(command: C, args: readonly string[]): Invocation<C> {
  const entries = Object.entries(command.options);
  const valued = entries.filter(([, option]) => takesValue(option)).map(([name]) => name);
  const parsed = parseArgs([...args], {
    string: ["_", ...valued],
    boolean: entries.filter(([, option]) => !takesValue(option)).map(([name]) => name),
    alias: Object.fromEntries(
      entries.flatMap(([name, option]) => option.short === undefined ? [] : [[name, option.short]]),
    ),
    collect: valued,
    unknown: (arg: string, key?: string) => {
      if (key !== undefined) throw new UsageError(`Unknown option ${quote(arg.replace(/=.*/s, ""))}`);
    },
  });
  refuseFlagValues(command, args);
  const options: Record<string, unknown> = {};
  const helpWanted = parsed["help"] === true;
  for (const [name, option] of entries) {
    options[name] = takesValue(option)
      ? readValues(name, option, parsed[name] as string[] | undefined ?? [], helpWanted)
      : parsed[name] === true;
  }
  const operands = parsed._.map(String);
  if (!helpWanted) checkOperands(command, operands);
  return { options: options as Values<C["options"]>, operands };
}

function readValues(
  name: string,
  option: Valued<unknown>,
  given: readonly string[],
  lenient: boolean,
): unknown {
  if (lenient) return undefined;
  for (const text of given) {
    if (text === "") throw new UsageError(`Option --${name} needs a value: ${option.value.placeholder}`);
  }
  const texts = given.length > 0 || option.default === undefined ? given : [option.default];
  const values = texts.map((text) => parseValue(name, option, text));
  if (option.repeatable) return values;
  if (given.length > 1) throw new UsageError(`Option --${name} is given more than once`);
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

/** parseArgs takes `--flag=anything` for true. */
function refuseFlagValues(command: Command, args: readonly string[]): void {
  for (const arg of args) {
    if (arg === "--") return;
    const [, name] = /^--([^=]+)=/.exec(arg) ?? [];
    const option = name === undefined ? undefined : command.options[name];
    if (option !== undefined && !takesValue(option)) throw new UsageError(`Option --${name} takes no value`);
  }
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const { placeholder, least, most } = command.operands ?? { placeholder: "", least: 0, most: 0 };
  if (operands.length < least) throw new UsageError(`Missing ${placeholder}`);
  if (operands.length > most) throw new UsageError(`Unexpected argument ${quote(operands[most] ?? "")}`);
}
