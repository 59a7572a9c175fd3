/**
 * Reads dumps for the status page, in a worker that may read the dump directory and nothing else: a dump is what a crashed
 * kernel or a stranger made of it.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { join, relative } from "@std/path";
import type { Entry } from "../inspect/directory/entry.ts";
import { findDumps } from "../inspect/directory/find_dumps.ts";
import { EntryCache } from "../inspect/directory/entry_cache.ts";
import { listDumps } from "../inspect/directory/list_dumps.ts";
import { examine } from "../inspect/examine.ts";
import type { Findings } from "../inspect/findings.ts";
import { makeReport } from "../inspect/tell/report.ts";
import { formatFindings } from "../inspect/tell/text.ts";
import { stripPriorities } from "../kerneldump/messages/message_text.ts";
import type { DumpDetails, MemoryPiece, StoredDump } from "../serve/observers/stored_dumps.ts";
import { escapeLines } from "../text/escape.ts";
import { styleFor } from "../text/style.ts";
import { VERSION } from "../version.ts";
import type { Question, Reply } from "./dump_questions.ts";

/** Dumps that are told of. */
const MOST_DUMPS = 1000;
/** So much of a message buffer's end is shown, in characters. */
const MOST_MESSAGES = 16_384;
/** Pieces of a picture of physical memory. */
const PIECES = 256;

const worker = self as unknown as DedicatedWorkerGlobalScope;

async function list(root: string): Promise<StoredDump[]> {
  const found = findDumps(root);
  const cache = EntryCache.open(found, VERSION, false);
  try {
    const entries = listDumps(found, { thoroughness: "glance", cache, selection: { limit: MOST_DUMPS } });
    return await Array.fromAsync(entries, (entry) => describe(root, entry));
  } finally {
    cache.close();
  }
}

function describe(root: string, entry: Entry): StoredDump {
  const { directory, file, host, time, size, kind, state, panic, signature } = entry;
  const path = relative(root, join(directory, file));
  return { file: path, host, time, sizeBytes: size, kind, state, panic, signature };
}

async function read(path: string): Promise<DumpDetails> {
  const examination = await examine(path, { thoroughness: "look", privateKey: null });
  try {
    const { findings } = examination;
    const messages = findings.messages === null ? null : stripPriorities(findings.messages);
    return {
      text: formatFindings(findings, styleFor(false, true)),
      report: makeReport(findings, { messages: false, priorities: false }),
      messages: messages === null ? null : escapeLines(messages.slice(-MOST_MESSAGES)),
      memory: await memoryOf(findings),
    };
  } finally {
    examination.close();
  }
}

async function memoryOf({ minidump, elf }: Findings): Promise<MemoryPiece[] | null> {
  if (minidump !== null) {
    const shares = await minidump.pageMap.spread(PIECES);
    const pages = minidump.coverage.reduce((sum, range) => sum + range.pages, 0);
    const sizeBytes = pages * minidump.minidump.pageSize / Math.max(1, shares.length);
    return shares.map((share) => ({ sizeBytes, share }));
  }
  return elf?.segments.slice(0, PIECES).map(({ fileSize, memorySize }) => ({
    sizeBytes: memorySize,
    share: memorySize === 0 ? 0 : Math.min(1, fileSize / memorySize),
  })) ?? null;
}

worker.onmessage = async ({ data: { number, root, file } }: MessageEvent<Question>) => {
  let reply: Reply;
  try {
    reply = file === null
      ? { number, result: await list(root) }
      : { number, result: await read(join(root, file)) };
  } catch (error) {
    reply = { number, failure: error instanceof Error ? error.message : String(error) };
  }
  worker.postMessage(reply);
};
