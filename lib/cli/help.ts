/**
 * `--help`, from the option table.
 *
 * @module
 */
import type { Command, Operands, Option, Valued } from "./option.ts";
import { commands, globalOptions } from "./options.ts";
import { foldLines } from "../text/fold.ts";
import { takesValue } from "./parse.ts";

/** Columns that help takes at most. */
const WIDTH = 80;
/** On a terminal narrower than this, help stands below what it is about. */
const NARROW = 60;
const NARROW_INDENT = 10;

/** Widest label that keeps its help on the same line. */
const LABEL_WIDTH = 27;

/**
 * The help of the whole program.
 *
 * @param columns of the terminal
 */
export function programHelp(columns = WIDTH): string {
  const width = Math.min(columns, WIDTH);
  const lines = [
    "netdump - receive, replay and read FreeBSD kernel crash dumps",
    "",
    "Usage: netdump COMMAND [OPTION...]",
    "",
    "Commands:",
    ...commands.map((command) => entry(width, command.name, command.summary)),
    "",
    "Options:",
    ...optionEntries(width, globalOptions),
    "",
    "netdump COMMAND --help tells more about a command.",
    "",
  ];
  return foldLines(lines.join("\n"), width);
}

/**
 * The help of one command.
 *
 * @param columns of the terminal
 */
export function commandHelp(command: Command, columns = WIDTH): string {
  const width = Math.min(columns, WIDTH);
  const lines = [
    `netdump ${command.name} - ${command.summary}`,
    "",
    `Usage: netdump ${command.name} [OPTION...]${usage(command.operands)}`,
    "",
    "Options:",
    ...optionEntries(width, command.options),
    "",
    ...unitNotes(command),
    "Examples:",
    ...command.examples.flatMap(([example, meaning]) => [`  ${example}`, `      ${meaning}`]),
    "",
  ];
  return foldLines(lines.join("\n"), width);
}

function usage(operands: Operands | undefined): string {
  if (operands === undefined) return "";
  const repeated = operands.placeholder + (operands.most > 1 ? "..." : "");
  return operands.least > 0 ? ` ${repeated}` : ` [${repeated}]`;
}

/** How sizes and durations are written, for a command that takes any. */
function unitNotes(command: Command): string[] {
  const placeholders = Object.values(command.options).map((option) =>
    takesValue(option) ? option.value.placeholder : ""
  );
  const notes = [
    ...(placeholders.some((text) => text.startsWith("SIZE"))
      ? ["SIZE takes k, M, G, T (powers of 1024)."]
      : []),
    ...(placeholders.includes("DURATION")
      ? ["DURATION takes ms, s, m, h, d; a bare number is seconds."]
      : []),
  ];
  return notes.length > 0 ? [...notes, ""] : [];
}

function optionEntries(width: number, options: Readonly<Record<string, Option>>): string[] {
  return Object.entries(options).map(([name, option]) => {
    const label = (option.short === undefined ? "    " : `-${option.short}, `) + `--${name}`;
    return takesValue(option)
      ? entry(width, `${label} ${option.value.placeholder}`, option.help, notes(option))
      : entry(width, label, option.help);
  });
}

/** What holds without the option, and how often it may be given, in one pair of parentheses. */
function notes(option: Valued<unknown>): string {
  const standard = option.default ?? option.defaultInWords;
  const all = [
    ...(standard === undefined ? [] : [`default: ${standard}`]),
    ...(option.repeatable ? ["repeatable"] : []),
    ...(option.required ? ["required"] : []),
  ];
  return all.length === 0 ? "" : `(${all.join("; ")})`;
}

/** A label with its help and notes beside it, wrapped; below it where the label is too wide, or the terminal narrow. */
function entry(width: number, label: string, help: string, note = ""): string {
  const isNarrow = width < NARROW;
  const indent = " ".repeat(isNarrow ? NARROW_INDENT : LABEL_WIDTH + 4);
  const [first = "", ...rest] = wrap(note === "" ? [help] : [help, note], width - indent.length);
  const start = label.length <= LABEL_WIDTH && !isNarrow
    ? `  ${label.padEnd(LABEL_WIDTH)}  ${first}`
    : `  ${label}\n${indent}${first}`;
  return [start, ...rest.map((line) => indent + line)].join("\n");
}

/** Lines of at most `width`, broken between the texts rather than within them. */
function wrap(texts: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const text of texts) {
    const whole = text.length <= width;
    for (const word of whole ? [text] : text.split(" ")) {
      const longer = `${lines.at(-1) ?? ""} ${word}`;
      if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
  }
  return lines;
}
