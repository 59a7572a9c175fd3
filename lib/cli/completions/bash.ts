/**
 * Completions for bash 4 and later, with or without the package bash-completion.
 *
 * File names are left to readline (`compopt -o default`), which knows how to quote them.
 *
 * @module
 */
import type { Command } from "../option.ts";
import { globalOptions } from "../options.ts";
import { takesValue } from "../parse.ts";
import type { Completion } from "../values.ts";

/** The completion script. */
export function bashCompletions(commands: readonly Command[]): string {
  return `# bash completion for netdump
# Made from the table of options by "netdump completions bash".

# _netdump_value COMMAND OPTION: sets \`kind\` to what completes the option's value; fails if it takes none.
_netdump_value() {
  case $1:$2 in
${commands.flatMap(valueCases).join("\n")}
    *) return 1 ;;
  esac
}

# _netdump_words WORD...: offers the words that fit.
_netdump_words() {
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$*" -- "$cur"))
}

# _netdump_offer KIND: offers files, directories or the words of a choice.
_netdump_offer() {
  case $1 in
    file) compopt -o default ;;
    directory) compopt -o dirnames ;;
    none) ;;
    *) _netdump_words "$1" ;;
  esac
}

_netdump() {
  local cur=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]}
  local i=2 word kind expects='' plain='' operands=0 most=0 operand=none options=''
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    if [[ $cur == -* ]]; then
      _netdump_words ${longOptions(globalOptions).join(" ")}
    else
      _netdump_words ${commands.map(({ name }) => name).join(" ")}
    fi
    return
  fi
  case $command in
${commands.flatMap(commandCase).join("\n")}
    *) return ;;
  esac

  # What stands before the cursor: operands, and perhaps an option that waits for its value.
  # "--name=value" comes as three words.
  while ((i < COMP_CWORD)); do
    word=\${COMP_WORDS[i++]}
    if [[ $plain || $word != -?* ]]; then
      ((++operands))
    elif [[ $word == -- ]]; then
      plain=yes
    elif _netdump_value "$command" "$word"; then
      if [[ \${COMP_WORDS[i]} == '=' ]]; then ((++i)); fi
      if ((i >= COMP_CWORD)); then expects=$kind; fi
      ((++i))
    fi
  done

  if [[ $expects ]]; then
    if [[ $cur == '=' ]]; then cur=''; fi
    _netdump_offer "$expects"
  elif [[ ! $plain ]] && [[ $cur == -* || $most == 0 ]]; then
    _netdump_words "$options"
  elif ((operands < most)); then
    _netdump_offer "$operand"
  fi
}

complete -F _netdump netdump
`;
}

function longOptions(options: Command["options"]): string[] {
  return Object.keys(options).map((name) => `--${name}`);
}

/** Lines of the case in `_netdump_value`, options with the same kind of value together. */
function valueCases({ name: command, options }: Command): string[] {
  const byKind = new Map<string, string[]>();
  for (const [name, option] of Object.entries(options)) {
    if (!takesValue(option)) continue;
    const kind = kindWord(option.value.completion);
    const spellings = [
      `${command}:--${name}`,
      ...(option.short === undefined ? [] : [`${command}:-${option.short}`]),
    ];
    byKind.set(kind, [...(byKind.get(kind) ?? []), ...spellings]);
  }
  return [...byKind].map(([kind, spellings]) => `    ${spellings.join(" | ")}) kind='${kind}' ;;`);
}

function commandCase({ name, options, operands }: Command): string[] {
  const most = operands === undefined ? 0 : Number.isFinite(operands.most) ? operands.most : 1_000_000;
  return [
    `    ${name})`,
    `      options='${longOptions(options).join(" ")}'`,
    ...(operands === undefined ? [] : [`      operand='${kindWord(operands.completion)}' most=${most}`]),
    `      ;;`,
  ];
}

function kindWord(completion: Completion): string {
  return typeof completion === "string" ? completion : completion.join(" ");
}
