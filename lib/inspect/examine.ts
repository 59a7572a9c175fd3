/**
 * Examines a file: opens it down to the dump in it, reads what the dump tells, and judges whether it is whole.
 *
 * @module
 */

import { basename } from "@std/path";
import type { Memory } from "../kerneldump/memory.ts";
import { findPanic } from "../kerneldump/messages/message_text.ts";
import { completeness, type Problem, problem } from "../kerneldump/problem.ts";
import { parseDumpName } from "../kerneldump/files/dump_name.ts";
import { readCompanions } from "./open/companions.ts";
import { openContainer } from "./open/container.ts";
import {
  type Contents,
  type Effort,
  noContents,
  readElf,
  type ReadMember,
  readMinidump,
  readTextdumpContents,
} from "./contents.ts";
import type { Findings, HeaderFacts, Kind } from "./findings.ts";
import { judgeArchitecture, judgeInfo, judgeLength } from "./judge/judge.ts";
import { type OpenedLayers, openLayers } from "./open/layers.ts";
import { NO_KERNEL, PLAIN_KERNEL, readKernel } from "./read_kernel.ts";
import { readAll } from "./judge/read_through.ts";
import { judgeLayers, judgeStreams, plainSize, readLayers } from "./read_layers.ts";
import { examineCoreText, examineHeader, examineInfo, examineKey } from "./small_files.ts";
import { FileSource } from "../os/file_source.ts";
import type { Source } from "../bytes/source.ts";
import {
  chooseHeader,
  type Elsewhere,
  type ExamineOptions,
  makeFindings,
  type Task,
  type Thoroughness,
} from "./examination.ts";

/** A file that was examined, still open: close it. */
export interface Examination {
  readonly findings: Findings;
  readonly memory: Memory | null;
  /** `null` if the file is no textdump. */
  readonly readMember: ReadMember | null;
  /** The dump without encryption, as the kernel would have saved it; `null` if it cannot be decrypted. */
  readonly decrypted: Source | null;
  close(): void;
}

/** How much is searched for a message buffer that is not where it should be. */
const SEARCH_BYTES: Readonly<Record<Thoroughness, number>> = {
  glance: 2 ** 22,
  look: 2 ** 25,
  messages: Infinity,
  verify: 2 ** 25,
};
/** What a compressed dump is read for at most, short of all of it: its bitmap may be that far. */
const STREAM_LIMIT = 256 * 2 ** 20;

/**
 * Examines a file.
 *
 * @param elsewhere where the file is, if not in a directory; it is closed with the examination
 * @throws {Error} of the file system if the file cannot be opened, or its beginning cannot be read
 */
export async function examine(
  path: string,
  options: ExamineOptions,
  elsewhere?: Elsewhere,
): Promise<Examination> {
  const file = elsewhere?.file ?? FileSource.open(path);
  try {
    const isName = elsewhere !== undefined || options.beside !== undefined;
    const name = basename(isName ? path : realName(path));
    const companions = readCompanions(path, elsewhere?.beside, options.beside);
    const container = await openContainer(file, name);
    const examined = await examineContainer({ path, name, file, companions, container, options });
    return { ...examined, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

type Examined = Omit<Examination, "close">;

async function examineContainer(task: Task): Promise<Examined> {
  switch (task.container.identity.kind) {
    case "key":
      return withoutDump(await examineKey(task));
    case "kernel-dump-header":
      return withoutDump(examineHeader(task));
    default: {
      const text = await examineText(task);
      return text === null ? await examineDump(task) : withoutDump(text);
    }
  }
}

/** Examines a text that lies beside dumps; `null` if the file is none. */
async function examineText(task: Task): Promise<Findings | null> {
  const { kind } = task.container.identity;
  switch (kind) {
    case "info":
      return await examineInfo(task);
    case "core-txt":
      return await examineCoreText(task);
    case "bounds":
    case "minfree":
      return makeFindings(task, { kind, header: null, problems: [] });
    default:
      return null;
  }
}

/** A text may have been compressed to be sent to somebody: it is what it is below that. */
async function examineTextBelow(
  task: Task,
  opened: OpenedLayers,
  plain: number | null,
  problems: readonly Problem[],
): Promise<Findings | null> {
  const container = { ...task.container, source: opened.source, identity: opened.identity };
  const found = opened.layers.length === 0 ? null : await examineText({ ...task, container });
  return found === null ? null : {
    ...found,
    layers: opened.layers,
    plainSize: plain,
    complete: completeness(problems) === false ? false : found.complete,
    problems: [...found.problems, ...problems],
  };
}

function withoutDump(findings: Findings): Examined {
  return { findings, memory: null, readMember: null, decrypted: null };
}

async function examineDump(task: Task): Promise<Examined> {
  const { companions, container, options, name } = task;
  const header = chooseHeader(task);
  const opened = await openLayers(container.source, container.identity, {
    name,
    headerSaysEncrypted: header === null || header.dumpKeySize === null ? null : header.dumpKeySize > 0,
    key: container.key ?? companions.key?.bytes ?? null,
    privateKey: options.privateKey,
  });
  const streams = await readLayers(opened, options);
  const plain = plainSize(opened, streams);
  const streamProblems = judgeStreams(opened, streams, header);
  const text = await examineTextBelow(task, opened, plain, streamProblems);
  if (text !== null) return withoutDump(text);
  const contents = await readContents(task, opened, plain);
  const sizes = { plain, expected: contents.expectedSize };
  const panic = contents.messages === null ? null : findPanic(contents.messages) ?? null;
  // One dump among many is told from others by its backtrace, which its messages have as a rule.
  const enough = options.thoroughness === "glance" && (panic?.backtrace.length ?? 0) > 0;
  const read = enough ? NO_KERNEL : await readKernel(
    { contents, source: opened.source, size: plain, panic },
    options.kernel ?? PLAIN_KERNEL,
    options.onProgress,
  );
  const problems = [
    ...container.problems,
    ...companions.problems,
    ...opened.problems,
    ...contents.problems,
    ...streamProblems,
    ...(header === null ? [] : judgeHeader(task, header, contents)),
    ...(header === null ? [] : judgeLength(header, opened, sizes)),
    ...judgeLayers(header, opened, streams, options.thoroughness),
    ...(companions.info === null ? [] : judgeInfo(companions.info.info)),
    ...judgeName(task),
    ...(options.thoroughness === "verify" && opened.compressed.length === 0
      ? await readAll(container.source, options.onProgress)
      : []),
    ...judgeIdentity(opened),
    ...read.problems,
  ];
  const kind = kindOf(opened);
  const findings = makeFindings(task, {
    kind,
    header,
    opened,
    contents,
    panic,
    plain,
    problems,
    kernel: read.kernel,
  });
  return { findings, memory: contents.memory, readMember: contents.readMember, decrypted: opened.decrypted };
}

async function readContents(task: Task, opened: OpenedLayers, size: number | null): Promise<Contents> {
  const { source } = opened;
  const { container, companions, options } = task;
  const fromNetwork = companions.header !== null || companions.newerHeader !== null ||
    (companions.info?.info.client ?? null) !== null;
  const dumpFile = { size, maybeSparse: container.plainFile && opened.layers.length === 0 && !fromNetwork };
  const { thoroughness } = options;
  const effort: Effort = { searchLimit: source.randomAccess ? SEARCH_BYTES[thoroughness] : 0 };
  const readAt = source.randomAccess || thoroughness === "verify" || thoroughness === "messages"
    ? source.read.bind(source)
    : limited(source, STREAM_LIMIT);
  switch (opened.identity.kind) {
    case "minidump":
      return await readMinidump(readAt, dumpFile, effort);
    case "elf-core":
      return await readElf(readAt, dumpFile, effort);
    case "textdump":
      return await readTextdumpContents(readAt);
    default:
      return noContents();
  }
}

/** Makes a stream end early for readers that go by what a hostile header says. */
function limited(source: Source, limit: number): Source["read"] {
  return (offset, length) =>
    source.read(Math.min(offset, limit), Math.max(0, Math.min(length, limit - offset)));
}

function judgeHeader({ container }: Task, header: HeaderFacts, { architecture }: Contents): Problem[] {
  const mismatch = architecture === null ? [] : judgeArchitecture(header, architecture);
  // Headers on a device were judged with the device.
  if (container.header !== null || header.parityOk !== false) return mismatch;
  return [
    ...mismatch,
    problem("header-parity", "The kernel dump header's parity is wrong: its fields may be damaged"),
  ];
}

function judgeName({ name, companions }: Task): Problem[] {
  const said = companions.info?.info.ending ?? null;
  const { id, incomplete } = parseDumpName(name);
  if (id === null || !incomplete || (said !== null && said !== "Dump complete")) return [];
  return [problem("received-incomplete", "Its name says that it never arrived completely")];
}

function judgeIdentity({ identity }: OpenedLayers): Problem[] {
  if (identity.kind !== "unknown") return [];
  const message = identity.hint === null
    ? "This is nothing that belongs to a kernel dump"
    : `This is not read as a kernel dump: it is ${identity.hint}`;
  return [problem("unrecognized", message)];
}

function kindOf({ identity }: OpenedLayers): Kind {
  switch (identity.kind) {
    case "minidump":
    case "elf-core":
    case "textdump":
      return identity.kind;
    default:
      return "unknown";
  }
}

function realName(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}
