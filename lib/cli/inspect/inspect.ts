/**
 * `netdump inspect`: reads dumps and what lies beside them, for people or as JSON.
 *
 * @module
 */

import { type Examination, examine } from "../../inspect/examine.ts";
import { type Findings, whyUnreadable } from "../../inspect/findings.ts";
import type { KernelOptions } from "../../inspect/kernel_findings.ts";
import { SymbolFileError } from "../../inspect/open/symbol_files.ts";
import type { PrivateKey } from "../../inspect/open/private_key.ts";
import { STORE_ADVICE, StoreError } from "../../archive/store_error.ts";
import { describeError } from "../../os/system_error.ts";
import { toJsonLine } from "../../text/json.ts";
import { makeReport, makeUnreadableReport } from "../../inspect/tell/report.ts";
import type { ExamineOptions, Thoroughness } from "../../inspect/examination.ts";
import { formatFindings } from "../../inspect/tell/text.ts";
import { stripPriorities } from "../../kerneldump/messages/message_text.ts";
import { PROBLEMS } from "../../kerneldump/problem.ts";
import { escapeLine, quote } from "../../text/escape.ts";
import { foldLines } from "../../text/fold.ts";
import { styleFor } from "../../text/style.ts";
import { ExitStatus, OperationError } from "../exit_status.ts";
import { keepOnly } from "../permissions.ts";
import { isInBucket, openObject } from "../bucket.ts";
import { fetchObject, inspectShelf, isShelf } from "./bucket.ts";
import { inspectDirectory, type OpenDirectory, openDirectory } from "./directory.ts";
import {
  checkBucketOptions,
  checkDirectoryOptions,
  checkInspectOptions,
  checkSelection,
  loadPrivateKey,
  type Options,
} from "./options.ts";
import { printCoreText, printMember, printMemory, writePlainDump } from "./actions.ts";
import type { inspectCommand } from "../options.ts";
import { OutputError, writeLines, writeStdout } from "../output.ts";
import type { Invocation } from "../parse.ts";
import { terminalWidth } from "../terminal.ts";
import { ByteProgress } from "../byte_progress.ts";

/** Runs `netdump inspect`. A file that cannot be read does not keep the others from being read. */
export async function runInspect(
  { options, operands }: Invocation<typeof inspectCommand>,
): Promise<ExitStatus> {
  checkInspectOptions(options, operands);
  const lists = operands.filter((path) => isShelf(path) || isDirectory(path));
  checkSelection(options, lists.length);
  checkBucketOptions(options, operands);
  for (const directory of lists) checkDirectoryOptions(options, directory);
  const directories = await openDirectories(operands);
  const writes = options.output !== undefined || kernelOptions(options) !== undefined;
  await keepOnly(
    "read",
    ...(writes ? ["write" as const] : []),
    ...(operands.some(isInBucket) ? ["net" as const, "env" as const] : []),
  );
  const privateKey = await loadPrivateKey(options);
  let failed = false;
  for (const [index, path] of operands.entries()) {
    try {
      const directory = directories.get(path);
      if (directory !== undefined && "error" in directory) throw directory.error;
      const good = isShelf(path)
        ? await inspectShelf(path, options)
        : directory !== undefined
        ? await inspectDirectory(directory, options, operands.length > 1)
        : await inspectFile(path, options, privateKey, { index, count: operands.length });
      failed ||= !good;
    } catch (error) {
      // Whatever is wrong there, it is not the dump.
      if (error instanceof OutputError) throw error;
      const message = describeFailure(path, error);
      console.error(`netdump: ${message}`);
      if (options.json) await writeStdout(toJsonLine(makeUnreadableReport(path, message)) + "\n");
      failed = true;
    }
  }
  return failed ? ExitStatus.FAILED : ExitStatus.OK;
}

function describeFailure(path: string, error: unknown): string {
  if (error instanceof OperationError) return error.message;
  if (error instanceof StoreError) {
    return `Cannot read ${quote(path)}: ${escapeLine(error.message)}; ${STORE_ADVICE[error.failure]}`;
  }
  if (error instanceof SymbolFileError) {
    const { cause } = error;
    const why = cause instanceof SyntaxError || cause instanceof TypeError
      ? cause.message
      : describeError(cause);
    return `Cannot use ${quote(error.path)}: ${escapeLine(why)}`;
  }
  const reason = error instanceof Deno.errors.NotCapable && path.startsWith("/dev/")
    // Deno's own rule, whatever is allowed to be read.
    ? "Deno opens devices only with --allow-all; or copy it to a file with dd and inspect that"
    : error instanceof TypeError
    ? error.message
    : describeError(error);
  return `Cannot read ${quote(path)}: ${escapeLine(reason)}`;
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    // Opening the file tells what is wrong with it.
    return false;
  }
}

/** A directory that was opened, or why it could not be. */
type Opened = OpenDirectory | { readonly error: unknown };

/** Looks into the directories, as long as there is permission to write beside the dumps in them. */
async function openDirectories(operands: readonly string[]): Promise<Map<string, Opened>> {
  const opened = new Map<string, Opened>();
  for (const path of operands) {
    if (isShelf(path) || !isDirectory(path)) continue;
    opened.set(path, await openDirectory(path).catch((error: unknown) => ({ error })));
  }
  return opened;
}

/** @returns whether the dump is good, as far as was asked */
async function inspectFile(
  path: string,
  options: Options,
  privateKey: PrivateKey | null,
  place: { index: number; count: number },
): Promise<boolean> {
  // With a private key it is the plain dump that is wanted.
  if (options.output !== undefined && isInBucket(path) && privateKey === null) {
    return await fetchObject(path, options, options.output);
  }
  const thoroughness = chooseThoroughness(options);
  const progress = new ByteProgress(path);
  let examination: Examination;
  try {
    const examineOptions: ExamineOptions = {
      thoroughness,
      privateKey,
      onProgress: progress.update,
      kernel: kernelOptions(options),
    };
    const elsewhere = isInBucket(path) ? await openObject(path, options) : undefined;
    examination = await examine(path, examineOptions, elsewhere);
  } finally {
    progress.stop();
  }
  try {
    return await show(examination, options, place);
  } finally {
    examination.close();
  }
}

/** `undefined` if nothing is asked about the kernel. */
function kernelOptions(options: Options): KernelOptions | undefined {
  const { kernel, modules, threads, variable: variables, spool } = options;
  const processes = options.processes || options["core-txt"];
  const asked = threads || processes || variables.length > 0;
  if (kernel === undefined && modules === undefined && !asked) return undefined;
  // A report is worth having without its backtrace.
  const spoolOptional = options["core-txt"] && spool === undefined;
  return { kernel, modules, threads, processes, variables, spool, spoolOptional };
}

function chooseThoroughness(options: Options): Thoroughness {
  if (options.verify) return "verify";
  return options.dmesg || options["core-txt"] ? "messages" : "look";
}

async function show(
  examination: Examination,
  options: Options,
  { index, count }: { index: number; count: number },
): Promise<boolean> {
  const { findings } = examination;
  refuseWrongKey(findings);
  if (options.output !== undefined) return await writePlainDump(examination, options.output);
  if (options["core-txt"]) return await printCoreText(examination);
  if (options.member !== undefined) return await printMember(examination, options.member);
  if (options.physical !== undefined || options.virtual !== undefined) {
    return await printMemory(examination, options);
  }
  if (options.json) {
    const parts = { messages: options.dmesg, priorities: options.priorities };
    await writeStdout(toJsonLine(makeReport(findings, parts)) + "\n");
  } else if (options.dmesg) {
    await printMessages(findings, options, index, count);
  } else {
    const style = styleFor(Deno.stdout.isTerminal(), Deno.noColor);
    await writeStdout((index > 0 ? "\n" : "") + foldLines(formatFindings(findings, style), terminalWidth()));
  }
  return isGood(findings, options);
}

/** A private key that does not fit is a mistake to be told before anything else. */
function refuseWrongKey({ file, problems }: Findings): void {
  const wrong = problems.find(({ code }) => code === "private-key-wrong");
  if (wrong !== undefined) throw new OperationError(`Cannot decrypt ${quote(file)}: ${wrong.message}`);
}

/**
 * The dump is bad if it is known not to be whole, or the file is nothing that belongs to a dump; with --verify also
 * if it could not be told, or anything about it is doubtful.
 */
function isGood({ complete, kind, layers, problems }: Findings, { verify, dmesg }: Options): boolean {
  const recognized = kind !== "unknown" || layers.includes("encrypted");
  if (dmesg && !verify) return recognized;
  if (complete === false || !recognized) return false;
  return !verify || (kind !== "unknown" && problems.every(({ code }) => PROBLEMS[code].complete === true));
}

async function printMessages(
  findings: Findings,
  options: Options,
  index: number,
  count: number,
): Promise<void> {
  const { file, messages, problems } = findings;
  for (const { code, message } of problems) {
    if (code.startsWith("message-buffer")) console.error(`netdump: ${quote(file)}: ${message}`);
  }
  if (messages === null) {
    const why = whyUnreadable(findings);
    throw new OperationError(`${quote(file)} holds no message buffer${why === undefined ? "" : `. ${why}`}`);
  }
  if (count > 1) await writeStdout(`${index > 0 ? "\n" : ""}==> ${escapeLine(file)} <==\n`);
  await writeLines(options.priorities ? messages : stripPriorities(messages));
}
