/**
 * Examines the files that lie beside dumps, when they are asked about themselves: info files, keys, bare headers.
 *
 * @module
 */

import { type CoreText, parseCoreText } from "../kerneldump/files/core_text.ts";
import { type InfoFile, MAX_INFO_BYTES, parseInfo } from "../kerneldump/files/read_info.ts";
import { decodeKernelDumpKey, type KernelDumpKey } from "../kerneldump/files/key.ts";
import { readSpan } from "../bytes/source.ts";
import { type Problem, problem } from "../kerneldump/problem.ts";
import { factsOfInfo, type Findings, type HeaderFacts } from "./findings.ts";
import { judgeInfo } from "./judge/judge.ts";
import { newerHeaderProblem } from "./open/companions.ts";
import { chooseHeader, makeFindings, type Task } from "./examination.ts";
import { decodeUtf8 } from "../text/utf8.ts";

/** More than the largest key block. */
const KEY_LIMIT = 2 ** 16;

/** Examines an info file. */
export async function examineInfo(task: Task): Promise<Findings> {
  const info = parseInfo(decodeUtf8(await task.container.source.read(0, MAX_INFO_BYTES))) ?? null;
  const header = info === null ? null : factsOfInfo(task.name, info);
  const problems = [
    ...(info === null ? [CUT_AT_ONCE] : [...judgeInfo(info), ...judgeEnd(info)]),
    ...(header?.parityOk === false
      ? [problem("header-parity", "The kernel dump header's parity was wrong: its fields may be damaged")]
      : []),
  ];
  return makeFindings(task, { kind: "info", header, info, problems });
}

const CUT_AT_ONCE = problem(
  "savecore-no-verdict",
  "The info file is empty, or cut in its first line: it tells nothing of its dump",
);

/** savecore writes its verdict last, and has done so since it had one. */
function judgeEnd({ device, dumpStatus }: InfoFile): Problem[] {
  if (device === null || dumpStatus !== null) return [];
  return [
    problem("savecore-no-verdict", "The info file has no Dump Status: it was cut, or is still being written"),
  ];
}

/** Reports of large machines have some MiB. */
const CORE_TEXT_LIMIT = 32 * 2 ** 20;

/** Examines crashinfo's report: it is read, not judged. */
export async function examineCoreText(task: Task): Promise<Findings> {
  const { source } = task.container;
  const bytes = await readSpan(source.read.bind(source), 0, CORE_TEXT_LIMIT);
  const coreText = parseCoreText(decodeUtf8(bytes)) ?? CUT_REPORT;
  return makeFindings(task, { kind: "core-txt", header: null, problems: [], coreText });
}

/** A report that was cut in its first line. */
const CUT_REPORT: CoreText = {
  host: null,
  vmcore: null,
  written: null,
  version: null,
  machine: null,
  panic: null,
  backtrace: [],
  sections: [],
  whole: false,
};

/** Examines a key. */
export async function examineKey(task: Task): Promise<Findings> {
  let key: KernelDumpKey | null = null;
  const problems: Problem[] = [];
  try {
    key = decodeKernelDumpKey(await task.file.read(0, KEY_LIMIT));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    problems.push(problem("key-damaged", error.message));
  }
  return makeFindings(task, { kind: "key", header: null, key, problems });
}

/** Examines a kernel dump header in a file of its own. */
export function examineHeader(task: Task): Findings {
  const header = chooseHeader(task);
  const { newerHeader } = task.container;
  const problems = newerHeader !== null ? [newerHeaderProblem(task.name, newerHeader)] : header === null
    ? [
      problem(
        "header-damaged",
        "The file begins like a kernel dump header, but is cut or of no known version",
      ),
    ]
    : judgeBareHeader(header);
  return makeFindings(task, { kind: "kernel-dump-header", header, problems });
}

function judgeBareHeader(header: HeaderFacts): Problem[] {
  if (header.magic === "Cleared Kernel Dump") {
    return [problem("header-cleared", "savecore has saved this dump and cleared its header")];
  }
  return header.parityOk === false
    ? [problem("header-parity", "The kernel dump header's parity is wrong: its fields may be damaged")]
    : [];
}
