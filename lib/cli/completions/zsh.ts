/**
 * Completions for zsh, as specifications for its `_arguments`.
 *
 * @module
 */
import type { Command, Option } from "../option.ts";
import { globalOptions } from "../options.ts";
import { takesValue } from "../parse.ts";
import type { Completion } from "../values.ts";

/** The completion script: works as `_netdump` in a directory of fpath, and with `source`. */
export function zshCompletions(commands: readonly Command[]): string {
  return `#compdef netdump
# Made from the table of options by "netdump completions zsh".

_netdump_commands() {
  local -a commands=(
${
    commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll("\\", "\\\\")}`)}`).join(
      "\n",
    )
  }
  )
  _describe -t commands command commands
}

_netdump() {
  local curcontext=$curcontext state state_descr line ret=1
  typeset -A opt_args

  _arguments -s -S -C \\
${continued([...optionSpecs(globalOptions), "'1: :_netdump_commands'", "'*:: :->arguments'"])} && ret=0
  [[ $state == arguments ]] || return ret

  curcontext=\${curcontext%:*:*}:netdump-$words[1]:
  case $words[1] in
${commands.map(commandCase).join("\n")}
  esac
  return ret
}

if [[ $funcstack[1] == _netdump ]]; then
  _netdump "$@"
else
  compdef _netdump netdump
fi
`;
}

function commandCase({ name, options, operands }: Command): string {
  const operandSpecs = operands === undefined ? [] : [
    quoted(
      `${operands.most > 1 ? "*" : "1"}:${message(operands.placeholder)}:${action(operands.completion)}`,
    ),
  ];
  return `    ${name})
      _arguments -s -S \\
${continued([...optionSpecs(options), ...operandSpecs], "        ")} && ret=0
      ;;`;
}

/** One word a specification, each on its line. */
function continued(specs: readonly string[], indent = "    "): string {
  return specs.map((spec) => indent + spec).join(" \\\n");
}

function optionSpecs(options: Readonly<Record<string, Option>>): string[] {
  return Object.entries(options).map(([name, option]) => optionSpec(name, option));
}

/** As in \`'(-d --dir)'{-d+,--dir=}'[dump directory]:DIR:_files -/'\`. */
function optionSpec(name: string, option: Option): string {
  const valued = takesValue(option);
  const spellings = [
    ...(option.short === undefined ? [] : [`-${option.short}${valued ? "+" : ""}`]),
    `--${name}${valued ? "=" : ""}`,
  ];
  const bare = spellings.map((spelling) => spelling.replace(/[+=]$/, ""));
  const excluded = name in globalOptions ? "(- *)" : `(${bare.join(" ")})`;
  const prefix = quoted(valued && option.repeatable ? "*" : excluded);
  const value = valued ? `:${message(option.value.placeholder)}:${action(option.value.completion)}` : "";
  const suffix = quoted(`[${option.help.replace(/[\\\]]/g, "\\$&")}]${value}`);
  return prefix + (spellings.length > 1 ? `{${spellings.join(",")}}` : spellings[0]) + suffix;
}

function action(completion: Completion): string {
  switch (completion) {
    case "file":
      return "_files";
    case "directory":
      return "_files -/";
    case "none":
      return " ";
    default:
      return `(${completion.join(" ")})`;
  }
}

function message(text: string): string {
  return text.replace(/[\\:]/g, "\\$&");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
