/**
 * Completions for fish.
 *
 * @module
 */
import type { Command, Option } from "../option.ts";
import { globalOptions } from "../options.ts";
import { takesValue } from "../parse.ts";
import type { Completion } from "../values.ts";

/** The completion script. */
export function fishCompletions(commands: readonly Command[]): string {
  return `# fish completion for netdump
# Made from the table of options by "netdump completions fish".

function __netdump_no_command
    test (count (commandline -opc)) -eq 1
end

function __netdump_command -a name
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = $name
end

function __netdump_first_operand -a name
    set -l words (commandline -opc)
    test (count $words) -eq 2; and test $words[2] = $name
end

# What the token after "--name=" completes to; fish 3 takes the option for part of the directory.
function __netdump_directories
    __fish_complete_directories (commandline -ct | string replace -r -- '^-[^=]*=' '') ''
end

complete -c netdump -f
${
    commands.map(({ name, summary }) =>
      `complete -c netdump -n __netdump_no_command -a ${name} -d ${quoted(summary)}`
    )
      .join("\n")
  }
${optionLines("__netdump_no_command", globalOptions).join("\n")}
${commands.map(commandLines).join("\n")}
`;
}

function commandLines({ name, options, operands }: Command): string {
  const lines = ["", ...optionLines(quoted(`__netdump_command ${name}`), options)];
  if (operands !== undefined) {
    const condition = typeof operands.completion === "string"
      ? "__netdump_command"
      : "__netdump_first_operand";
    lines.push(`complete -c netdump -n ${quoted(`${condition} ${name}`)} ${offer(operands.completion)}`);
  }
  return lines.join("\n");
}

function optionLines(condition: string, options: Readonly<Record<string, Option>>): string[] {
  return Object.entries(options).map(([name, option]) => {
    const short = option.short === undefined ? "" : ` -s ${option.short}`;
    const value = takesValue(option) ? ` -r ${offer(option.value.completion)}` : "";
    return `complete -c netdump -n ${condition}${short} -l ${name}${value} -d ${quoted(option.help)}`;
  });
}

function offer(completion: Completion): string {
  switch (completion) {
    case "file":
      return "-F";
    case "directory":
      return "-f -a '(__netdump_directories)'";
    case "none":
      return "-f";
    default:
      return `-f -a ${quoted(completion.join(" "))}`;
  }
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
