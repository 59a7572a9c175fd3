import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { commandHelp, programHelp } from "../../lib/cli/help.ts";
import type { Command } from "../../lib/cli/option.ts";
import { commands, sendCommand, serveCommand } from "../../lib/cli/options.ts";
import { parseCommand } from "../../lib/cli/parse.ts";

Deno.test("programHelp() lists every command with its summary", () => {
  for (const { name, summary } of commands) {
    assert(new RegExp(`^  ${name} +${summary}$`, "m").test(programHelp()), name);
  }
});

Deno.test("commandHelp() lists every option, long and short, with its placeholder", () => {
  for (const command of commands) {
    for (const [name, option] of Object.entries(command.options)) {
      const label = (option.short === undefined ? "    " : `-${option.short}, `) + `--${name}` +
        ("value" in option ? ` ${option.value.placeholder}` : "");
      assert(
        commandHelp(command).split("\n").some((line) =>
          line.slice(2) === label || line.startsWith(`  ${label} `)
        ),
        `${command.name} ${label}`,
      );
    }
  }
});

Deno.test("commandHelp() fits a terminal of 80 columns and ends its lines without blanks", () => {
  for (const text of [programHelp(), ...commands.map((command) => commandHelp(command))]) {
    for (const line of text.split("\n")) {
      assert(line.length <= 80 && line === line.trimEnd(), JSON.stringify(line));
    }
  }
});

Deno.test("commandHelp() fits narrow terminals, but for single words, and says the same", () => {
  const words = (text: string) => text.trim().split(/\s+/);
  for (const columns of [40, 50, 60, 70]) {
    for (const command of commands) {
      const text = commandHelp(command, columns);
      assertEquals(words(text), words(commandHelp(command)));
      for (const line of text.split("\n")) {
        assert(line.length <= columns || words(line).length <= 2, JSON.stringify(line));
      }
    }
  }
});

Deno.test("commandHelp() has defaults, repetition and need in one pair of parentheses", () => {
  const serve = commandHelp(serveCommand).replace(/\s+/g, " ");
  assertStringIncludes(serve, "local IPv4 address to listen on (default: every local address; repeatable)");
  assertStringIncludes(serve, "dump directory; must exist (default: /var/crash)");
  assertStringIncludes(commandHelp(sendCommand).replace(/\s+/g, " "), "(required)");
  for (const command of commands) {
    assert(!/\) \(/.test(commandHelp(command).replace(/\s+/g, " ")), command.name);
  }
});

Deno.test("commandHelp() shows brackets around operands that may be left out", () => {
  const usage = (command: Command) => commandHelp(command).split("\n")[2];
  assertEquals(commands.map(usage), [
    "Usage: netdump serve [OPTION...]",
    "Usage: netdump send [OPTION...] [VMCORE]",
    "Usage: netdump inspect [OPTION...] FILE...",
    "Usage: netdump completions [OPTION...] bash|zsh|fish",
    "Usage: netdump help [OPTION...] [COMMAND]",
  ]);
});

Deno.test("commandHelp() explains sizes and durations where there are any, and only there", () => {
  assertStringIncludes(commandHelp(serveCommand), "SIZE takes k, M, G, T");
  assertStringIncludes(commandHelp(serveCommand), "DURATION takes ms, s, m, h, d");
  for (const command of commands.filter(({ name }) => name === "completions" || name === "help")) {
    assert(!/takes k, M|takes ms/.test(commandHelp(command)), command.name);
  }
});

Deno.test("commandHelp() has examples, and each parses", () => {
  for (const command of commands) {
    assert(command.examples.length > 0, command.name);
    for (const [example] of command.examples) {
      const [line = ""] = example.split(" > ");
      const [program, name, ...args] = line.split(" ");
      assertEquals([program, name], ["netdump", command.name]);
      assert(typeof parseCommand(command, args) === "object", example);
      assertStringIncludes(commandHelp(command), `\n  ${example}\n`);
    }
  }
});
