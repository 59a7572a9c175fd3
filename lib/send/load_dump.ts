/**
 * Opens a dump and finds what belongs to it: `kdh.*`, `info.*` and `key.*` beside it, by its name.
 *
 * @module
 */
import { basename, dirname, join } from "@std/path";
import { parseInfo } from "../kerneldump/files/read_info.ts";
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
import { type Readable, readBeginning, refuseWhatIsNoDump } from "./recognize.ts";
import { SAMPLE_START_SIZE } from "../kerneldump/identify.ts";
import { SendError } from "./failure.ts";
import { readSmallFile } from "../os/small_file.ts";
import { describeError } from "../os/system_error.ts";
import { FileSource } from "../os/file_source.ts";
import { type Source, WindowSource } from "../bytes/source.ts";
import type { DumpFile, OpenDump } from "./read_ahead.ts";
import { SourceFile } from "./source_file.ts";
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
  /** Where the dump is, if not in a file of that path. */
  readonly elsewhere: DumpElsewhere | undefined;
  readonly headerPath: string | undefined;
  readonly keyPath: string | undefined;
  readonly overrides: HeaderOverrides;
  /** Whether to send what is recognized as no dump. */
  readonly force: boolean;
}

/** A dump that lies elsewhere than in a file. */
export interface DumpElsewhere {
  /** Name of the file that it was. */
  readonly name: string;
  readonly source: Source & { readonly size: number };
  /** What lies beside it, by name. */
  readonly beside: ReadonlyMap<string, Uint8Array>;
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
  const place = choice.elsewhere === undefined
    ? await openPlace(path)
    : placeElsewhere(path, choice.elsewhere);
  const { file } = place;
  try {
    const info = file.statSync();
    if (info.size === 0) throw new SendError(`Cannot send ${quote(path)}: the file is empty`);
    const name = parseDumpName(place.name);
    const beginning = await readStart(place);
    if (!choice.force) await refuseWhatIsNoDump(place, beginning, info.size);
    const companion: Companion = (kind) => name.id === null ? undefined : place.beside(`${kind}.${name.id}`);
    const { source, from } = findHeader(choice.headerPath, companion);
    const key = findKey(choice.keyPath, name.encrypted ? companion("key") : undefined);
    const facts = {
      name,
      fileSize: info.size,
      modifiedAt: Math.floor((info.mtime?.getTime() ?? 0) / 1000),
      keySize: key.byteLength,
      beginning: await readBeginning(place, beginning),
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

/** Where a dump is. */
interface Place extends Readable {
  /** At its front. */
  readonly file: DumpFile;
  /** A file that lies beside it. */
  readonly beside: (name: string) => SmallFile | undefined;
}

interface SmallFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

async function openPlace(path: string): Promise<Place> {
  const file = await openForReading(path);
  try {
    if (!file.statSync().isFile) throw new SendError(`Cannot send ${quote(path)}: it is not a regular file`);
    // A link like vmcore.w1.last is named after no dump: its target is.
    const realPath = await Deno.realPath(path);
    const beside = (name: string) => {
      const path = join(dirname(realPath), name);
      const bytes = readIfThere(path);
      return bytes === undefined ? undefined : { path, bytes };
    };
    return { path, name: basename(realPath), open: () => FileSource.open(path), file, beside };
  } catch (error) {
    file.close();
    throw error;
  }
}

function placeElsewhere(path: string, { name, source, beside }: DumpElsewhere): Place {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  return {
    path,
    name,
    open: () => new WindowSource(source, 0),
    file: new SourceFile(source),
    beside: (name) => {
      const bytes = beside.get(name);
      return bytes === undefined ? undefined : { path: `${folder}${name}`, bytes };
    },
  };
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

async function readStart({ path, open }: Place): Promise<Uint8Array> {
  try {
    const source = open();
    try {
      return await source.read(0, BEGINNING_SIZE);
    } finally {
      source.close();
    }
  } catch (error) {
    throw new SendError(`Cannot read ${quote(path)}: ${describeError(error)}`);
  }
}

type Companion = (kind: string) => SmallFile | undefined;

function findHeader(
  chosen: string | undefined,
  companion: Companion,
): { source: HeaderSource; from: string | null } {
  if (chosen !== undefined) return { source: { kind: "header", bytes: read(chosen) }, from: chosen };
  const kdh = companion("kdh");
  if (kdh !== undefined) return { source: { kind: "header", bytes: kdh.bytes }, from: kdh.path };
  const text = companion("info");
  if (text !== undefined) {
    const info = parseInfo(decodeUtf8(text.bytes.subarray(0, MAX_INFO_SIZE)));
    if (info === undefined) {
      throw new SendError(
        `Cannot read ${quote(text.path)}: it is no info file; --header FILE takes its place`,
      );
    }
    return { source: { kind: "info", info }, from: text.path };
  }
  return { source: { kind: "none" }, from: null };
}

function findKey(chosen: string | undefined, companion: SmallFile | undefined): Uint8Array {
  const file = chosen === undefined ? companion : { path: chosen, bytes: read(chosen) };
  if (file === undefined) return new Uint8Array();
  const { path, bytes } = file;
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
