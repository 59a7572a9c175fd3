/**
 * From arguments to an exit status: finds the command, answers help and version, reports errors in one line.
 *
 * @module
 */
import { escapeLine, quote } from "../text/escape.ts";
import { openLibc } from "../udp/native_abi.ts";
import { VERSION } from "../version.ts";
import { isShell, shellCompletions } from "./completions/completions.ts";
import { ExitStatus, OperationError } from "./exit_status.ts";
import { commandHelp, programHelp } from "./help.ts";
import type { Command } from "./option.ts";
import {
  commands,
  completionsCommand,
  helpCommand,
  inspectCommand,
  sendCommand,
  serveCommand,
  shells,
} from "./options.ts";
import { type Invocation, parseCommand, UsageError } from "./parse.ts";
import { writeStdout } from "./output.ts";
import { terminalWidth } from "./terminal.ts";

/** Runs the program. Never throws for a mistake of the user or a failure of the world. */
export async function run(args: readonly string[]): Promise<ExitStatus> {
  try {
    return await dispatch(args);
  } catch (error) {
    if (error instanceof UsageError) {
      const command = commands.find(({ name }) => name === args[0]);
      const where = command === undefined ? "netdump" : `netdump ${command.name}`;
      console.error(`${where}: ${error.message}. Try "${where} --help"`);
      return ExitStatus.USAGE;
    }
    if (error instanceof OperationError) {
      console.error(`netdump: ${error.message}`);
      return ExitStatus.FAILED;
    }
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    console.error(`netdump: ${escapeLine(text)}`);
    return ExitStatus.FAILED;
  }
}

async function dispatch(args: readonly string[]): Promise<ExitStatus> {
  const [word, ...rest] = args;
  switch (word) {
    case undefined:
      throw new UsageError(`Missing command: expected one of ${commandNames()}`);
    case "-h":
    case "--help":
      return await print(programHelp(columns()));
    case "-V":
    case "--version":
      return await print(versionLine());
    case serveCommand.name:
      return await runCommand(serveCommand, rest, serve);
    case sendCommand.name:
      return await runCommand(sendCommand, rest, send);
    case inspectCommand.name:
      return await runCommand(inspectCommand, rest, inspect);
    case completionsCommand.name:
      return await runCommand(completionsCommand, rest, completions);
    case helpCommand.name:
      return await runCommand(helpCommand, rest, help);
    default:
      throw new UsageError(
        word.startsWith("-") ? `Unknown option ${quote(word)} before the command` : unknownCommand(word),
      );
  }
}

async function runCommand<const C extends Command>(
  command: C,
  args: readonly string[],
  action: (invocation: Invocation<C>) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  const invocation = parseCommand(command, args);
  if (invocation === "help") return await print(commandHelp(command, columns()));
  if (invocation === "version") return await print(versionLine());
  return await action(invocation);
}

// What a command needs is loaded when it runs: it is most of what starting costs.

async function serve(invocation: Invocation<typeof serveCommand>): Promise<ExitStatus> {
  const { runServe } = await import("./serve.ts");
  return await runServe(invocation);
}

async function send(invocation: Invocation<typeof sendCommand>): Promise<ExitStatus> {
  const { runSend } = await import("./send.ts");
  return await runSend(invocation);
}

async function inspect(invocation: Invocation<typeof inspectCommand>): Promise<ExitStatus> {
  const { runInspect } = await import("./inspect/inspect.ts");
  return await runInspect(invocation);
}

async function help({ operands: [name] }: Invocation<typeof helpCommand>): Promise<ExitStatus> {
  if (name === undefined) return await print(programHelp(columns()));
  const command = commands.find((command) => command.name === name);
  if (command === undefined) throw new UsageError(unknownCommand(name));
  return await print(commandHelp(command, columns()));
}

async function completions(
  { operands: [shell = ""] }: Invocation<typeof completionsCommand>,
): Promise<ExitStatus> {
  if (!isShell(shell)) {
    throw new UsageError(`Unknown shell ${quote(shell)}: expected one of ${shells.join(", ")}`);
  }
  return await print(shellCompletions(shell));
}

function versionLine(): string {
  const native = openLibc() === undefined ? "no" : "yes";
  return `netdump ${VERSION} (Deno ${Deno.version.deno}, native datagrams: ${native})\n`;
}

function unknownCommand(name: string): string {
  return `Unknown command ${quote(name)}: expected one of ${commandNames()}`;
}

function commandNames(): string {
  return commands.map(({ name }) => name).join(", ");
}

async function print(text: string): Promise<ExitStatus> {
  await writeStdout(text);
  return ExitStatus.OK;
}

/** Columns for help; `undefined` where it is not read on a terminal. */
function columns(): number | undefined {
  return terminalWidth() ?? undefined;
}
