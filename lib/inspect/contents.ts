/**
 * Reads what is inside a dump's layers, kind by kind.
 *
 * @module
 */

import { checkElfCore, type ElfCore, elfCoreSize, readElfCore } from "../kerneldump/elf/elf_core.ts";
import { elfMemory } from "../kerneldump/elf/elf_memory.ts";
import { findDebuggerStack } from "../kerneldump/ddb_text.ts";
import type { DumpFile } from "../kerneldump/file_size.ts";
import { type Memory, minidumpMemory } from "../kerneldump/memory.ts";
import { type MessageBuffer, MESSAGES_LIMIT, messagesCut } from "../kerneldump/messages/message_buffer.ts";
import {
  readElfMessages,
  readMinidumpMessages,
  readNewerMinidumpMessages,
} from "../kerneldump/messages/message_reader.ts";
import { decodeMinidump, MINIDUMP_HEADER_SIZE } from "../kerneldump/minidump/minidump.ts";
import { decodeNewerMinidump, type NewerMinidump } from "../kerneldump/minidump/newer_minidump.ts";
import { checkMinidump, minidumpSize } from "../kerneldump/minidump_check.ts";
import { PageMap, SPREAD_PARTS } from "../kerneldump/minidump/page_map.ts";
import { type Problem, problem } from "../kerneldump/problem.ts";
import type { ReadAt } from "../bytes/source.ts";
import { readTextdump, readTextdumpMember } from "../kerneldump/textdump.ts";
import { formatSize } from "../text/units.ts";
import type { MinidumpFacts, TextdumpFacts } from "./findings.ts";

/** Reads a member of a textdump by its name, so many bytes of it at most; `null` if there is none. */
export type ReadMember = (name: string, mostBytes?: number) => Promise<string | null>;

/** What is inside a dump. What does not apply or cannot be read is `null`. */
export interface Contents {
  readonly minidump: MinidumpFacts | null;
  /** What a minidump of a version that is not known tells all the same. */
  readonly newer: NewerMinidump | null;
  readonly elf: ElfCore | null;
  readonly textdump: TextdumpFacts | null;
  readonly messages: string | null;
  readonly memory: Memory | null;
  /** `null` if it is no textdump. */
  readonly readMember: ReadMember | null;
  /** The architecture as the dump itself names it. */
  readonly architecture: string | null;
  /** What its parts add up to. */
  readonly expectedSize: number | null;
  readonly problems: readonly Problem[];
}

/** Nothing, with the problems that were the reason. */
export function noContents(...problems: Problem[]): Contents {
  return {
    minidump: null,
    newer: null,
    elf: null,
    textdump: null,
    messages: null,
    memory: null,
    readMember: null,
    architecture: null,
    expectedSize: null,
    problems,
  };
}

/** How much to read. */
export interface Effort {
  /** Bytes to search for a message buffer that is not where it should be; 0 where going back is dear. */
  readonly searchLimit: number;
}

/** Reads a minidump. */
export async function readMinidump(
  readAt: ReadAt,
  file: DumpFile,
  { searchLimit }: Effort,
): Promise<Contents> {
  const start = (await readAt(0, MINIDUMP_HEADER_SIZE)).slice();
  const newer = decodeNewerMinidump(start);
  if (newer !== undefined) return await readNewerMinidump(readAt, newer);
  let minidump;
  try {
    minidump = decodeMinidump(start);
  } catch (error) {
    return noContents(damaged(error));
  }
  const pageMap = await PageMap.read(readAt, minidump);
  const messages = await readMinidumpMessages(readAt, minidump, pageMap.pages, searchLimit);
  const size = minidumpSize(pageMap);
  return {
    ...noContents(...checkMinidump(minidump, pageMap, file), ...messages?.problems ?? []),
    minidump: {
      minidump,
      pageMap,
      coverage: await pageMap.coverage(),
      spread: await pageMap.spread(SPREAD_PARTS),
      size,
    },
    messages: messages?.text ?? null,
    memory: minidumpMemory({ readAt, minidump, pageMap }),
    architecture: minidump.architecture,
    expectedSize: size,
  };
}

async function readNewerMinidump(readAt: ReadAt, newer: NewerMinidump): Promise<Contents> {
  const messages = await readNewerMinidumpMessages(readAt, newer);
  const { architecture, architectureKnown, version, newestKnown } = newer;
  const what = architectureKnown
    ? `Version ${version} of minidumps of ${architecture} is not known, only 1 to ${newestKnown}`
    : `Minidumps of ${architecture} are not known`;
  const message = `${what}: what it holds beside its messages, and whether it is whole, cannot be told`;
  return {
    ...noContents(problem("version-newer", message), ...messages?.problems ?? []),
    newer,
    messages: messages?.text ?? null,
    architecture: architectureKnown ? architecture : null,
  };
}

/** Reads a full dump. */
export async function readElf(readAt: ReadAt, file: DumpFile, { searchLimit }: Effort): Promise<Contents> {
  let core: ElfCore;
  try {
    core = await readElfCore(readAt);
  } catch (error) {
    return noContents(damaged(error));
  }
  const messages = await readElfMessages(readAt, core, searchLimit);
  return {
    ...noContents(...checkElfCore(core, file), ...messageProblems(messages, elfCoreSize(core), searchLimit)),
    elf: core,
    messages: messages?.text ?? null,
    memory: elfMemory(readAt, core),
    architecture: core.machine,
    expectedSize: elfCoreSize(core),
  };
}

function messageProblems(
  messages: MessageBuffer | undefined,
  size: number,
  searchLimit: number,
): readonly Problem[] {
  if (messages !== undefined) return messages.problems;
  const where = searchLimit === 0
    ? "A compressed full dump is not searched for the message buffer: decompress it first"
    : searchLimit < size
    ? `No message buffer was found in ${formatSize(searchLimit)} of the full dump; --dmesg searches all of it`
    : "No message buffer was found in the full dump";
  return [problem("message-buffer-not-found", where)];
}

/** More than any member has; what `--member` prints of one at most. */
const MEMBER_LIMIT = 64 * 2 ** 20;
/** A panic has 255 bytes, a version a few lines. */
const LINE_LIMIT = 4096;

/** The most that `debug.ddb.capture.maxbufsize` is set to, and more. */
const DDB_LIMIT = 8 * 2 ** 20;

/** Reads a textdump. */
export async function readTextdumpContents(readAt: ReadAt): Promise<Contents> {
  const textdump = await readTextdump(readAt);
  const text = (name: string, limit = MEMBER_LIMIT) => readTextdumpMember(readAt, textdump, name, limit);
  const ddb = await text("ddb.txt", DDB_LIMIT);
  const messages = await readTextdumpMember(readAt, textdump, "msgbuf.txt", MESSAGES_LIMIT, "last");
  const isCut = textdump.members.some(({ name, size }) => name === "msgbuf.txt" && size > MESSAGES_LIMIT);
  return {
    ...noContents(...textdump.problems, ...(isCut ? [messagesCut()] : [])),
    readMember: text,
    textdump: {
      members: textdump.members,
      panic: await text("panic.txt", LINE_LIMIT),
      version: await text("version.txt", LINE_LIMIT),
      ddb,
      stack: ddb === null ? null : findDebuggerStack(ddb) ?? null,
    },
    messages,
  };
}

function damaged(error: unknown): Problem {
  if (error instanceof SyntaxError) return problem("header-damaged", error.message);
  throw error;
}
