/**
 * From arguments to an exit status: finds the command, answers help and version, reports errors in one line.
 *
 * @module
 */
import { escapeLine, quote } from "../text/escape.ts";
import { VERSION } from "../version.ts";
import { isShell, shellCompletions } from "./completions.ts";
import { ExitStatus, OperationError } from "./exit_status.ts";
import { commandHelp, programHelp } from "./help.ts";
import { runInspect } from "./inspect.ts";
import { type Command, commands, inspectCommand, sendCommand, serveCommand, shells } from "./options.ts";
import { type Invocation, parseCommand, UsageError } from "./parse.ts";
import { runSend } from "./send.ts";
import { runServe } from "./serve.ts";
import { writeStdout } from "./output.ts";

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
      throw new UsageError(`Missing command: one of ${commands.map(({ name }) => name).join(", ")}`);
    case "-h":
    case "--help":
      return await print(programHelp());
    case "-V":
    case "--version":
      return await print(`netdump ${VERSION}\n`);
    case "help":
      return await help(rest);
    case "completions":
      return await completions(rest);
    case serveCommand.name:
      return await runCommand(serveCommand, rest, runServe);
    case sendCommand.name:
      return await runCommand(sendCommand, rest, runSend);
    case inspectCommand.name:
      return await runCommand(inspectCommand, rest, runInspect);
    default:
      throw new UsageError(
        word.startsWith("-") ? `Unknown option ${quote(word)}` : `Unknown command ${quote(word)}`,
      );
  }
}

async function runCommand<const C extends Command>(
  command: C,
  args: readonly string[],
  action: (invocation: Invocation<C>) => Promise<ExitStatus>,
): Promise<ExitStatus> {
  if (args.includes("--version")) return await print(`netdump ${VERSION}\n`);
  const invocation = parseCommand(command, args);
  if ((invocation.options as { help: boolean }).help) return await print(commandHelp(command));
  return await action(invocation);
}

async function help([word, surplus]: readonly string[]): Promise<ExitStatus> {
  if (surplus !== undefined) throw new UsageError(`Unexpected argument ${quote(surplus)}`);
  if (word === undefined) return await print(programHelp());
  const command = commands.find(({ name }) => name === word);
  if (command === undefined) throw new UsageError(`Unknown command ${quote(word)}`);
  return await print(commandHelp(command));
}

async function completions([shell, surplus]: readonly string[]): Promise<ExitStatus> {
  if (shell === undefined || !isShell(shell) || surplus !== undefined) {
    throw new UsageError(`"netdump completions" takes one of ${shells.join(", ")}`);
  }
  return await print(shellCompletions(shell));
}

async function print(text: string): Promise<ExitStatus> {
  await writeStdout(text);
  return ExitStatus.OK;
}
