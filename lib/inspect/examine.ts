/**
 * Examines a file: opens it down to the dump in it, reads what the dump tells, and judges whether it is whole.
 *
 * @module
 */

import { basename } from "@std/path";
import { parseInfo } from "../kerneldump/info.ts";
import { decodeKernelDumpKey, type KernelDumpKey } from "../kerneldump/key.ts";
import type { Memory } from "../kerneldump/memory.ts";
import { findPanic } from "../kerneldump/message_text.ts";
import { completeness, type Problem, problem } from "../kerneldump/problem.ts";
import { type Companions, parseDumpName, readCompanions } from "./companions.ts";
import { type Container, openContainer } from "./container.ts";
import {
  type Contents,
  type Effort,
  noContents,
  readElf,
  readMinidump,
  readTextdumpContents,
} from "./contents.ts";
import { factsOfHeader, factsOfInfo, type Findings, type HeaderFacts, type Kind } from "./findings.ts";
import { headerVouches, judgeArchitecture, judgeInfo, judgeLength } from "./judge.ts";
import { type OpenedLayers, openLayers } from "./layers.ts";
import type { PrivateKey } from "./private_key.ts";
import { judgeStream, type OnProgress, readAll, readStream, type StreamResult } from "./read_through.ts";
import { FileSource, type Source } from "./source.ts";
import { summarize } from "./summary.ts";

/**
 * How much work to put into a file: a glance for one among many, a look that takes less than a second, the messages
 * wherever they are, or reading all of it.
 */
export type Thoroughness = "glance" | "look" | "messages" | "verify";

/** How to examine a file. */
export interface ExamineOptions {
  readonly thoroughness: Thoroughness;
  readonly privateKey: PrivateKey | null;
  readonly onProgress?: OnProgress;
}

/** A file that was examined, still open: close it. */
export interface Examination {
  readonly findings: Findings;
  readonly memory: Memory | null;
  /** The dump without encryption, as the kernel would have saved it; `null` if it cannot be decrypted. */
  readonly decrypted: Source | null;
  close(): void;
}

/** How much is decompressed to see whether a dump is whole: a small one is read to its end unasked. */
const DECOMPRESS_BYTES: Readonly<Record<Thoroughness, number>> = {
  glance: 2 ** 20,
  look: 16 * 2 ** 20,
  messages: 2 ** 20,
  verify: Infinity,
};
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
 * @throws {Error} of the file system if the file cannot be opened, or its beginning cannot be read
 */
export async function examine(path: string, options: ExamineOptions): Promise<Examination> {
  const file = FileSource.open(path);
  try {
    const name = basename(realName(path));
    const companions = readCompanions(path);
    const container = await openContainer(file, name);
    const examined = await examineContainer({ path, name, file, companions, container, options });
    return { ...examined, close: () => file.close() };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The file at hand, and how to go about it. */
interface Task {
  readonly path: string;
  readonly name: string;
  readonly file: FileSource;
  readonly companions: Companions;
  readonly container: Container;
  readonly options: ExamineOptions;
}

type Examined = Omit<Examination, "close">;

async function examineContainer(task: Task): Promise<Examined> {
  switch (task.container.identity.kind) {
    case "info":
      return await examineInfo(task);
    case "key":
      return await examineKey(task);
    case "kernel-dump-header":
      return examineHeader(task);
    default:
      return await examineDump(task);
  }
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
  const contents = await readContents(task, opened, plain);
  const sizes = { plain, expected: contents.expectedSize };
  const problems = [
    ...container.problems,
    ...companions.problems,
    ...opened.problems,
    ...contents.problems,
    ...streams.flatMap((result, i) => result === null ? [] : judgeStream(opened.compressed[i]!, result)),
    ...(header === null ? [] : judgeHeader(task, header, contents)),
    ...(header === null ? [] : judgeLength(header, opened, sizes)),
    ...judgeUnread(header, opened, streams),
    ...(companions.info === null ? [] : judgeInfo(companions.info.info)),
    ...judgeName(task),
    ...(options.thoroughness === "verify" && opened.compressed.length === 0
      ? await readAll(container.source, options.onProgress)
      : []),
    ...judgeIdentity(opened),
  ];
  const kind = kindOf(opened);
  const findings = makeFindings(task, { kind, header, opened, contents, plain, problems });
  return { findings, memory: contents.memory, decrypted: opened.decrypted };
}

/** The header in the file itself goes before the one beside it, which goes before the info file. */
function chooseHeader({ name, companions, container }: Task): HeaderFacts | null {
  if (container.header !== null) return factsOfHeader(name, container.header);
  if (companions.header !== null) return factsOfHeader(companions.header.name, companions.header.header);
  return companions.info === null ? null : factsOfInfo(companions.info.name, companions.info.info);
}

/** Reads compressed layers through: all of them if asked to, else as far as is quickly done. */
async function readLayers(opened: OpenedLayers, options: ExamineOptions): Promise<(StreamResult | null)[]> {
  const { thoroughness, onProgress } = options;
  const results: (StreamResult | null)[] = [];
  for (const layer of opened.compressed) {
    results.push(await readStream(layer, DECOMPRESS_BYTES[thoroughness], onProgress));
  }
  return results;
}

function plainSize(opened: OpenedLayers, streams: readonly (StreamResult | null)[]): number | null {
  if (opened.decrypted === null) return null;
  const innermostLayer = opened.layers.at(-1);
  if (innermostLayer === undefined || innermostLayer === "encrypted") return opened.source.size;
  const innermost = streams.at(-1);
  return innermost?.end.reason === "end" ? innermost.produced : null;
}

async function readContents(task: Task, opened: OpenedLayers, size: number | null): Promise<Contents> {
  const { source } = opened;
  const { container, companions, options } = task;
  const fromNetwork = companions.header !== null || (companions.info?.info.client ?? null) !== null;
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

function judgeUnread(
  header: HeaderFacts | null,
  opened: OpenedLayers,
  streams: readonly (StreamResult | null)[],
): Problem[] {
  if (!streams.includes(null) || headerVouches(header, opened)) return [];
  const message = "Whether the compressed dump is whole takes reading all of it: --verify does";
  return [problem("compressed-unread", message)];
}

function judgeName({ name, companions }: Task): Problem[] {
  const said = companions.info?.info.ending ?? null;
  if (parseDumpName(name)?.incomplete !== true || (said !== null && said !== "Dump complete")) return [];
  return [problem("received-incomplete", "Its name says that it never arrived completely")];
}

function judgeIdentity({ identity }: OpenedLayers): Problem[] {
  if (identity.kind !== "unknown") return [];
  const hint = identity.hint === null ? "" : `: it is ${identity.hint}`;
  return [problem("unrecognized", `This is nothing that belongs to a kernel dump${hint}`)];
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

/** Info files are a few lines. */
const INFO_LIMIT = 2 ** 20;

async function examineInfo(task: Task): Promise<Examined> {
  const info = parseInfo(new TextDecoder().decode(await task.file.read(0, INFO_LIMIT))) ?? null;
  const header = info === null ? null : factsOfInfo(task.name, info);
  const problems = [
    ...(info === null ? [] : judgeInfo(info)),
    ...(header?.parityOk === false
      ? [problem("header-parity", "The kernel dump header's parity was wrong: its fields may be damaged")]
      : []),
  ];
  return withoutDump(makeFindings(task, { kind: "info", header, info, problems }));
}

async function examineKey(task: Task): Promise<Examined> {
  let key: KernelDumpKey | null = null;
  const problems: Problem[] = [];
  try {
    key = decodeKernelDumpKey(await task.file.read(0, KEY_LIMIT));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    problems.push(problem("key-damaged", error.message));
  }
  return withoutDump(makeFindings(task, { kind: "key", header: null, key, problems }));
}

const KEY_LIMIT = 2 ** 16;

function examineHeader(task: Task): Examined {
  const header = chooseHeader(task);
  const problems = header === null
    ? [
      problem(
        "header-damaged",
        "The file begins like a kernel dump header, but is cut or of an unknown version",
      ),
    ]
    : judgeBareHeader(header);
  return withoutDump(makeFindings(task, { kind: "kernel-dump-header", header, problems }));
}

function judgeBareHeader(header: HeaderFacts): Problem[] {
  if (header.magic === "Cleared Kernel Dump") {
    return [problem("header-cleared", "savecore has saved this dump and cleared its header")];
  }
  return header.parityOk === false
    ? [problem("header-parity", "The kernel dump header's parity is wrong: its fields may be damaged")]
    : [];
}

function withoutDump(findings: Findings): Examined {
  return { findings, memory: null, decrypted: null };
}

/** What {@linkcode makeFindings} puts together. */
interface Found {
  readonly kind: Kind;
  readonly header: HeaderFacts | null;
  readonly info?: Findings["info"];
  readonly key?: KernelDumpKey | null;
  readonly opened?: OpenedLayers;
  readonly contents?: Contents;
  readonly plain?: number | null;
  readonly problems: readonly Problem[];
}

function makeFindings(task: Task, found: Found): Findings {
  const contents = found.contents ?? noContents();
  const panic = contents.messages === null ? null : findPanic(contents.messages) ?? null;
  const info = found.info ?? task.companions.info?.info ?? null;
  const whole = completeness(found.problems);
  // A key and a header alone say nothing about the dump.
  const complete = (found.kind === "key" || found.kind === "kernel-dump-header") && whole === true
    ? null
    : whole;
  return {
    file: task.path,
    size: task.file.size,
    layers: found.opened?.layers ?? [],
    kind: found.kind,
    onDevice: !task.container.plainFile,
    header: found.header,
    info,
    minidump: contents.minidump,
    elf: contents.elf,
    textdump: contents.textdump,
    key: found.key ?? found.opened?.key ?? null,
    messages: contents.messages,
    panic,
    summary: summarize({
      header: found.header,
      info,
      textdump: contents.textdump,
      panic,
      messages: contents.messages,
    }),
    plainSize: found.plain ?? null,
    verified: task.options.thoroughness === "verify",
    complete,
    problems: found.problems,
  };
}

function realName(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}
