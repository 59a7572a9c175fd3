/**
 * Opens a dump and finds what belongs to it: `kdh.*`, `info.*` and `key.*` beside it, by its name.
 *
 * @module
 */
import { basename, dirname, join } from "@std/path";
import { parseInfo } from "../kerneldump/files/info.ts";
import { decodeKernelDumpKey } from "../kerneldump/files/key.ts";
import { MAX_KEY_SIZE } from "../protocol/message.ts";
import { quote } from "../text/escape.ts";
import {
  type HeaderOverrides,
  type HeaderSource,
  type HeaderToSend,
  makeHeader,
  paddedKeySize,
} from "./dump_header.ts";
import { type DumpName, parseDumpName } from "../kerneldump/files/dump_name.ts";
import { readBeginning, refuseWhatIsNoDump } from "./recognize.ts";
import { SAMPLE_START_SIZE } from "../kerneldump/identify.ts";
import { SendError } from "./failure.ts";
import { readSmallFile } from "../os/small_file.ts";
import { describeError } from "../os/system_error.ts";
import type { OpenDump } from "./read_ahead.ts";
import { decodeUtf8 } from "../text/utf8.ts";

/** Enough of a dump to tell what it is. */
const BEGINNING_SIZE = SAMPLE_START_SIZE;
/** No info file is larger: strings of 512 bytes in all, escaped, and a few lines. */
const MAX_INFO_SIZE = 65536;
/** What is read of a file beside the dump; the largest of them is info. */
const MAX_COMPANION_SIZE = MAX_INFO_SIZE;

/** What the user named. */
export interface DumpChoice {
  readonly path: string;
  readonly headerPath: string | undefined;
  readonly keyPath: string | undefined;
  readonly overrides: HeaderOverrides;
  /** Whether to send what is recognized as no dump. */
  readonly force: boolean;
}

/** A dump, ready to be sent. */
export interface LoadedDump {
  readonly open: OpenDump;
  readonly name: DumpName;
  readonly header: HeaderToSend;
  /** File that the header is from; `null` if it was built without one. */
  readonly headerFrom: string | null;
  /** The key, padded as the kernel sends it; empty if there is none. */
  readonly key: Uint8Array;
  readonly beginning: Uint8Array;
}

/**
 * Opens a dump and gathers its header and key.
 *
 * @throws {SendError} if a file cannot be read or is not what it should be
 */
export async function loadDump(choice: DumpChoice): Promise<LoadedDump> {
  const { path } = choice;
  const file = await openForReading(path);
  try {
    const info = await file.stat();
    if (!info.isFile) throw new SendError(`Cannot send ${quote(path)}: it is not a regular file`);
    if (info.size === 0) throw new SendError(`Cannot send ${quote(path)}: the file is empty`);
    // A link like vmcore.w1.last is named after no dump: its target is.
    const realPath = await Deno.realPath(path);
    const name = parseDumpName(basename(realPath));
    const beginning = await readStart(path, file);
    if (!choice.force) await refuseWhatIsNoDump(path, basename(realPath), beginning, info.size);
    const companion = (kind: string) =>
      name.id === null ? undefined : join(dirname(realPath), `${kind}.${name.id}`);
    const { source, from } = findHeader(choice.headerPath, companion);
    const key = findKey(choice.keyPath, name.encrypted ? companion("key") : undefined);
    const facts = {
      name,
      fileSize: info.size,
      modifiedAt: Math.floor((info.mtime?.getTime() ?? 0) / 1000),
      keySize: key.byteLength,
      beginning: await readBeginning(path, beginning),
    };
    const header = headerOf(source, from, facts, choice.overrides);
    return {
      open: { path, file, info, dataSize: header.dataSize },
      name,
      header,
      headerFrom: from,
      key,
      beginning,
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

async function openForReading(path: string): Promise<Deno.FsFile> {
  try {
    // Before it is opened: that would wait for the other end of a FIFO for ever, deaf to signals.
    const { isFile, isDirectory } = await Deno.stat(path);
    if (!isFile) {
      throw new SendError(
        `Cannot send ${quote(path)}: it is ${isDirectory ? "a directory" : "not a regular file"}`,
      );
    }
    return await Deno.open(path);
  } catch (error) {
    if (error instanceof SendError) throw error;
    throw new SendError(`Cannot open ${quote(path)}: ${describeError(error)}`);
  }
}

async function readStart(path: string, file: Deno.FsFile): Promise<Uint8Array> {
  try {
    const beginning = new Uint8Array(BEGINNING_SIZE);
    const count = await file.read(beginning) ?? 0;
    await file.seek(0, Deno.SeekMode.Start);
    return beginning.subarray(0, count);
  } catch (error) {
    throw new SendError(`Cannot read ${quote(path)}: ${describeError(error)}`);
  }
}

type Companion = (kind: string) => string | undefined;

function findHeader(
  chosen: string | undefined,
  companion: Companion,
): { source: HeaderSource; from: string | null } {
  if (chosen !== undefined) return { source: { kind: "header", bytes: read(chosen) }, from: chosen };
  const kdh = companion("kdh");
  const bytes = kdh === undefined ? undefined : readIfThere(kdh);
  if (kdh !== undefined && bytes !== undefined) return { source: { kind: "header", bytes }, from: kdh };
  const infoPath = companion("info");
  const text = infoPath === undefined ? undefined : readIfThere(infoPath);
  if (infoPath !== undefined && text !== undefined) {
    const info = parseInfo(decodeUtf8(text.subarray(0, MAX_INFO_SIZE)));
    if (info === undefined) {
      throw new SendError(
        `Cannot read ${quote(infoPath)}: it is no info file; --header FILE takes its place`,
      );
    }
    return { source: { kind: "info", info }, from: infoPath };
  }
  return { source: { kind: "none" }, from: null };
}

function findKey(chosen: string | undefined, companion: string | undefined): Uint8Array {
  const path = chosen ?? companion;
  if (path === undefined) return new Uint8Array();
  const bytes = chosen === undefined ? readIfThere(path) : read(path);
  if (bytes === undefined) return new Uint8Array();
  try {
    decodeKernelDumpKey(bytes);
  } catch (error) {
    throw new SendError(`${quote(path)} is not a dump key: ${describeError(error)}`);
  }
  if (bytes.byteLength > MAX_KEY_SIZE) {
    throw new SendError(
      `${quote(path)} is not a dump key: ${bytes.byteLength} bytes, expected at most ${MAX_KEY_SIZE}`,
    );
  }
  const key = new Uint8Array(paddedKeySize(bytes.byteLength));
  key.set(bytes);
  return key;
}

function headerOf(
  source: HeaderSource,
  from: string | null,
  facts: Parameters<typeof makeHeader>[1],
  overrides: HeaderOverrides,
): HeaderToSend {
  try {
    return makeHeader(source, facts, overrides);
  } catch (error) {
    if (error instanceof SyntaxError && from !== null) {
      throw new SendError(`${quote(from)} is not a kernel dump header: ${error.message}`);
    }
    throw error;
  }
}

/** Reads a file beside the dump, or one that was named in its place: all of it if it is as small as those are. */
function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readSmallFile(path, MAX_COMPANION_SIZE + 1);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new SendError(`Cannot read ${quote(path)}: ${describeError(error)}`);
  }
}

function read(path: string): Uint8Array {
  const bytes = readIfThere(path);
  if (bytes === undefined) throw new SendError(`Cannot read ${quote(path)}: no such file or directory`);
  return bytes;
}
