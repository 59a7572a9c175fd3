/**
 * `--help`, from the option table.
 *
 * @module
 */
import { type Command, commands, globalOptions, helperCommands, type Option } from "./options.ts";
import { takesValue } from "./parse.ts";

/** Widest label that keeps its help on the same line. */
const LABEL_WIDTH = 32;

/** The help of the whole program. */
export function programHelp(): string {
  return [
    "netdump - receive, replay and read FreeBSD kernel crash dumps",
    "",
    "Usage: netdump COMMAND [OPTION...]",
    "",
    "Commands:",
    ...commands.map((command) => line(command.name, command.summary)),
    ...Object.entries(helperCommands).map(([name, summary]) => line(name, summary)),
    "",
    "Options:",
    ...optionLines(globalOptions),
    "",
    "netdump COMMAND --help tells more about a command.",
    "",
  ].join("\n");
}

/** The help of one command. */
export function commandHelp(command: Command): string {
  const { operands } = command;
  const usage = operands === undefined
    ? ""
    : operands.most > 1
    ? ` ${operands.placeholder}...`
    : ` ${operands.placeholder}`;
  return [
    `netdump ${command.name} - ${command.summary}`,
    "",
    `Usage: netdump ${command.name} [OPTION...]${usage}`,
    "",
    "Options:",
    ...optionLines(command.options),
    "",
    "Sizes take k, M, G, T (powers of 1024); durations take ms, s, m, h, d.",
    "",
    "Examples:",
    ...command.examples.flatMap(([example, meaning]) => [`  ${example}`, `      ${meaning}`]),
    "",
  ].join("\n");
}

function optionLines(options: Readonly<Record<string, Option>>): string[] {
  return Object.entries(options).map(([name, option]) => {
    const short = option.short === undefined ? "    " : `-${option.short}, `;
    if (!takesValue(option)) return line(`${short}--${name}`, option.help);
    const notes = [
      ...(option.default === undefined ? [] : [`default: ${option.default}`]),
      ...(option.repeatable ? ["repeatable"] : []),
      ...(option.required ? ["required"] : []),
    ];
    const suffix = notes.length === 0 ? "" : ` (${notes.join("; ")})`;
    return line(`${short}--${name} ${option.value.placeholder}`, option.help + suffix);
  });
}

function line(label: string, help: string): string {
  return label.length <= LABEL_WIDTH
    ? `  ${label.padEnd(LABEL_WIDTH)}  ${help}`
    : `  ${label}\n${" ".repeat(LABEL_WIDTH + 4)}${help}`;
}
