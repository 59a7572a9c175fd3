import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { shellCompletions } from "../../../lib/cli/completions/completions.ts";
import { fishCompletions } from "../../../lib/cli/completions/fish.ts";
import { zshCompletions } from "../../../lib/cli/completions/zsh.ts";
import type { Command } from "../../../lib/cli/option.ts";
import { commands, serveCommand, shells } from "../../../lib/cli/options.ts";
import { text } from "../../../lib/cli/values.ts";
import { type InteractiveShell, startBash, startZsh } from "./interactive_shell.ts";
import { netdump } from "../netdump_process.ts";
import { isInstalled } from "../../programs.ts";

const FILES = { bash: "netdump.bash", zsh: "_netdump", fish: "netdump.fish" } as const;
const DIRECTORY = fromFileUrl(new URL("../../../completions/", import.meta.url));

for (const shell of shells) {
  Deno.test(`completions/${FILES[shell]} is what the option table gives now (else: deno task completions)`, async () => {
    assertEquals(await Deno.readTextFile(join(DIRECTORY, FILES[shell])), shellCompletions(shell));
  });

  Deno.test(`netdump completions ${shell} prints completions/${FILES[shell]}`, async () => {
    const stdout = await Deno.readTextFile(join(DIRECTORY, FILES[shell]));
    assertEquals(await netdump(["completions", shell]), { status: 0, stdout, stderr: "" });
  });
}

const serveOptions = Object.keys(serveCommand.options).map((name) => `--${name}`);

/** What a user types, and every completion that is offered for the last word. */
const OFFERED: [line: string, offered: string[]][] = [
  ["netdump ", commands.map(({ name }) => name)],
  ["netdump se", ["serve", "send"]],
  ["netdump --", ["--help", "--version"]],
  ["netdump serve --", serveOptions],
  ["netdump serve --debug --port 1 --m", [
    "--max-dump-size",
    "--max-sessions",
    "--max-sessions-per-client",
    "--min-free",
  ]],
  ["netdump serve --kernel", []],
  ["netdump send --kernel ", ["12", "13", "14", "main"]],
  ["netdump send --kernel=1", ["12", "13", "14"]],
  ["netdump serve --log-format ", ["text", "json"]],
  ["netdump serve --log-format=", ["text", "json"]],
  ["netdump serve --log-format j", ["json"]],
  ["netdump serve --port ", []],
  ["netdump serve --port=", []],
  ["netdump send -s ", []],
  ["netdump serve --dir ", ["dir one"]],
  ["netdump serve --dir=", ["dir one"]],
  ["netdump serve -D -d ", ["dir one"]],
  ["netdump serve --exec p", ["plain"]],
  ["netdump serve -P ", ["dir one", "it's $5;`id`", "plain"]],
  ["netdump inspect ", ["dir one", "it's $5;`id`", "plain"]],
  ["netdump inspect it", ["it's $5;`id`"]],
  ["netdump inspect --json plain p", ["plain"]],
  ["netdump inspect -- p", ["plain"]],
  ["netdump inspect -- --", []],
  ["netdump send -s host pl", ["plain"]],
  ["netdump serve pl", []],
  ["netdump completions ", ["bash", "zsh", "fish"]],
  ["netdump completions b", ["bash"]],
  ["netdump help i", ["inspect"]],
  ["netdump inspect serve --d", ["--dmesg"]],
  ["netdump nonsense ", []],
];

/** A home and a directory with names that ask for quoting. */
async function withFiles(test: (directory: string, home: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir();
  const [directory, home] = [join(root, "files"), join(root, "home")];
  try {
    await Deno.mkdir(join(directory, "dir one"), { recursive: true });
    await Deno.mkdir(home);
    await Deno.writeTextFile(join(directory, "it's $5;`id`"), "");
    await Deno.writeTextFile(join(directory, "plain"), "");
    await test(directory, home);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** A test that needs programs; skipped, and says so, where one is missing. */
function testWith(programs: readonly string[], name: string, fn: () => Promise<void>): void {
  const missing = programs.filter((program) => !isInstalled(program));
  Deno.test({
    name: missing.length === 0 ? name : `${name} [skipped: ${missing.join(", ")} not installed]`,
    ignore: missing.length > 0,
    fn,
  });
}

async function output(program: string, args: readonly string[], directory: string): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args: [...args], cwd: directory, stdin: "null" })
    .output();
  return new TextDecoder().decode(stdout);
}

/** Asserts what is offered for each line; `complete` gives the words that the last one turns into. */
async function checkOffers(complete: (head: string, typed: string) => Promise<string[]>): Promise<void> {
  for (const [line, offered] of OFFERED) {
    const cut = line.lastIndexOf(" ") + 1;
    const typed = line.slice(cut);
    const found = (await complete(line.slice(0, cut), typed))
      .filter((word) => !/^-[A-Za-z]$/.test(word))
      .map((word) => typed.includes("=") ? word.replace(/^--[^=]*=/, "") : word)
      .map((word) => word.replace(/[/=]$/, ""));
    assertEquals(found.sort(), [...offered].sort(), line);
  }
}

/** The words a shell makes of a line: those that were offered, quoted as they were inserted. */
async function checkInserted(
  shell: "bash" | "zsh",
  interactive: InteractiveShell,
  directory: string,
): Promise<void> {
  await checkOffers(async (head, typed) => {
    const completed = await interactive.completeAll(head + typed);
    if (completed === (head + typed).trimEnd()) return [];
    const inserted = completed.slice(head.length);
    return (await output(shell, ["-c", `printf '%s\\0' ${inserted}`], directory)).split("\0").slice(0, -1);
  });
}

const bashScript = `source '${join(DIRECTORY, FILES.bash)}'`;

testWith(
  ["bash", "script"],
  "bash completes commands, options, choices, files and directories, quoted",
  async () => {
    await withFiles(async (directory, home) => {
      await using bash = await startBash(directory, home, bashScript);
      await checkInserted("bash", bash, directory);
    });
  },
);

testWith(
  ["bash", "script"],
  "bash completes while its user has odd settings: IFS, noclobber, nounset",
  async () => {
    await withFiles(async (directory, home) => {
      await using bash = await startBash(
        directory,
        home,
        `${bashScript}\nIFS=t; set -o noclobber -o nounset`,
      );
      await checkInserted("bash", bash, directory);
    });
  },
);

const BASH_COMPLETION = "/usr/share/bash-completion/bash_completion";
const hasBashCompletion = isInstalled("bash") && isInstalled("script") &&
  await Deno.stat(BASH_COMPLETION).then(() => true, () => false);

Deno.test({
  name: "bash-completion loads netdump's completions by itself" +
    (hasBashCompletion ? "" : " [skipped: bash-completion not installed]"),
  ignore: !hasBashCompletion,
  fn: () =>
    withFiles(async (directory, home) => {
      const folder = join(home, ".local/share/bash-completion/completions");
      await Deno.mkdir(folder, { recursive: true });
      await Deno.copyFile(join(DIRECTORY, FILES.bash), join(folder, "netdump"));
      await using bash = await startBash(directory, home, `unset XDG_DATA_HOME; source ${BASH_COMPLETION}`);
      await checkInserted("bash", bash, directory);
    }),
});

testWith(
  ["zsh", "script"],
  "zsh completes commands, options, choices, files and directories, quoted",
  async () => {
    await withFiles(async (directory, home) => {
      await using zsh = await startZsh(directory, home, { before: `fpath=('${DIRECTORY}' $fpath)` });
      await checkInserted("zsh", zsh, directory);
    });
  },
);

testWith(["zsh", "script"], "zsh takes its completions with source, too", async () => {
  await withFiles(async (directory, home) => {
    await using zsh = await startZsh(directory, home, { after: `source '${join(DIRECTORY, FILES.zsh)}'` });
    await checkInserted("zsh", zsh, directory);
  });
});

testWith(["fish"], "fish completes commands, options, choices, files and directories", async () => {
  await withFiles(async (directory) => {
    await checkOffers(async (head, typed) => {
      const script = `source $argv[1]; complete -C $argv[2]`;
      const args = ["--no-config", "-c", script, join(DIRECTORY, FILES.fish), head + typed];
      return (await output("fish", args, directory)).split("\n").slice(0, -1).map((line) =>
        line.split("\t")[0] ?? ""
      );
    });
  });
});

Deno.test("completion scripts quote whatever the option table may hold", () => {
  const command: Command = {
    name: "odd",
    summary: 'it\'s $HOME `id` "x" [y]: \\z',
    options: { opt: { value: text("A:B[C]'"), help: 'it\'s $HOME `id` "x" [y]: \\z' } },
    examples: [],
  };
  assertStringIncludes(fishCompletions([command]), "-d 'it\\'s $HOME `id` \"x\" [y]: \\\\z'");
  const zsh = zshCompletions([command]);
  assertStringIncludes(zsh, `--opt='[it'\\''s $HOME \`id\` "x" [y\\]: \\\\z]:A\\:B[C]'\\'': '`);
  assertStringIncludes(zsh, `'odd:it'\\''s $HOME \`id\` "x" [y]: \\\\z'`);
});
