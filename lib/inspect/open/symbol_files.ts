/**
 * Finds the files of a kernel and its modules: the kernel among many, debug files beside them (reference
 * kernel-symbols.md, sections 2.1 and 11.1).
 *
 * @module
 */

import { basename, dirname, join } from "@std/path";
import { crc32 } from "node:zlib";
import { type ElfFile, readElfFile } from "../../kernel/elf_file.ts";
import { isKernelFile, readBuildId, readDebugLink } from "../../kernel/elf_identity.ts";
import { fileMatches, type SymbolFiles } from "../../kernel/kernel.ts";
import type { CodeFile } from "../../kernel/kernel_files.ts";
import type { Memory } from "../../kerneldump/memory.ts";
import { FileSource } from "../../os/file_source.ts";

/** Where to look. */
export interface SymbolPaths {
  /** A kernel, or a directory with kernels in it. */
  readonly kernel?: string | undefined;
  /** A directory with modules. */
  readonly modules?: string | undefined;
}

/** A file or directory that was named cannot be used; `cause` says why. */
export class SymbolFileError extends Error {
  override readonly name = "SymbolFileError";
  readonly path: string;

  constructor(path: string, cause: unknown) {
    super("Cannot use a file", { cause });
    this.path = path;
  }
}

/** Says of what file it is that an error tells. */
export async function naming<T>(path: string, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    throw new SymbolFileError(path, error);
  }
}

/** Files that are open until they are closed. */
export interface OpenedSymbolFiles {
  /** Debug files that lay where a file's own should, and are another build's; it grows as files are opened. */
  readonly rejected: readonly string[];
  /** The files for a dump: of a directory of kernels the one that matches its memory. */
  choose(memory: Memory, architecture: string): Promise<SymbolFiles>;
  close(): void;
}

const DEBUG_ROOT = "/usr/lib/debug";
const DEBUG_SUFFIXES = [".debug", ".symbols"];
/** Files of a directory that are looked at, and how deep. */
const MAX_CANDIDATES = 4096;
const MAX_DEPTH = 4;

/**
 * Opens the files that were named.
 *
 * @throws {SymbolFileError} if a file that was named cannot be read
 */
export async function openSymbolFiles({ kernel, modules }: SymbolPaths): Promise<OpenedSymbolFiles> {
  const sources: FileSource[] = [];
  const rejected: string[] = [];
  const close = () => sources.forEach((source) => source.close());
  const open = async (path: string): Promise<ElfFile> => {
    const source = FileSource.open(path);
    sources.push(source);
    return await readElfFile(source.read.bind(source));
  };
  const openCode = async (path: string): Promise<CodeFile> => {
    const file = await open(path);
    return { path, file, debug: await findDebugFile(path, file, { open, rejected }) };
  };
  const openModule = async (directory: string | null, name: string): Promise<CodeFile | null> => {
    // A name out of the dump never leads out of the directory.
    if (directory === null || basename(name) !== name || name === "" || name === "..") return null;
    for (const suffix of ["", ...DEBUG_SUFFIXES]) {
      const code = await openCode(join(directory, name + suffix)).catch(() => null);
      if (code !== null) return code;
    }
    return null;
  };
  try {
    const isOne = kernel !== undefined && !isDirectory(kernel);
    const one = isOne ? await naming(kernel, () => openCode(kernel)) : null;
    if (modules !== undefined) await naming(modules, () => Promise.resolve(Deno.readDirSync(modules).next()));
    return {
      rejected,
      close,
      async choose(memory, architecture) {
        const found = one ??
          (kernel === undefined ? null : await findMatching(kernel, { memory, architecture, openCode }));
        const directory = modules ?? (found === null ? null : dirname(found.path));
        return { kernel: found, module: (name) => openModule(directory, name) };
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function findDebugFile(
  path: string,
  file: ElfFile,
  { open, rejected }: { open: (path: string) => Promise<ElfFile>; rejected: string[] },
): Promise<ElfFile | null> {
  if ((file.section(".debug_info")?.type ?? NOBITS) !== NOBITS) return null;
  const link = await readDebugLink(file);
  const directory = dirname(path);
  const names = [
    ...link === null ? [] : [link.name],
    ...DEBUG_SUFFIXES.map((suffix) => basename(path) + suffix),
  ];
  const id = await readBuildId(file);
  for (const name of new Set(names)) {
    for (const place of [directory, join(directory, ".debug"), join(DEBUG_ROOT, directory)]) {
      const candidate = join(place, name);
      if (candidate === path) continue;
      const debug = await open(candidate).catch(() => null);
      if (debug === null) continue;
      const debugId = await readBuildId(debug);
      const isOwn = id !== null && debugId !== null
        ? id.hex === debugId.hex
        : link === null || crc32OfFile(candidate) === link.crc32;
      if (isOwn) return debug;
      // Lines of another build would be wrong ones.
      rejected.push(candidate);
    }
  }
  return null;
}

const CHECKSUM_BYTES = 2 ** 20;

/** The checksum that a link to a debug file has. */
function crc32OfFile(path: string): number {
  const source = FileSource.open(path);
  try {
    const buffer = new Uint8Array(CHECKSUM_BYTES);
    let crc = 0;
    for (let at = 0; at < source.size;) {
      const bytes = source.readInto(buffer, at);
      if (bytes.byteLength === 0) break;
      crc = crc32(bytes, crc);
      at += bytes.byteLength;
    }
    return crc;
  } finally {
    source.close();
  }
}

const NOBITS = 8;
const EXECUTABLE = 2;

async function findMatching(
  directory: string,
  { memory, architecture, openCode }: {
    memory: Memory;
    architecture: string;
    openCode: (path: string) => Promise<CodeFile>;
  },
): Promise<CodeFile | null> {
  for (const path of filesBelow(directory, MAX_DEPTH, { left: MAX_CANDIDATES })) {
    const name = basename(path);
    if (name.includes(".ko") || DEBUG_SUFFIXES.some((suffix) => name.endsWith(suffix))) continue;
    const code = await openCode(path).catch(() => null);
    if (code === null || code.file.header.type !== EXECUTABLE) continue;
    if (await isKernelFile(code.file) === false) continue;
    if (await fileMatches(memory, architecture, code) === true) return code;
  }
  return null;
}

function* filesBelow(directory: string, depth: number, budget: { left: number }): Generator<string> {
  const entries = [...Deno.readDirSync(directory)].toSorted((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isFile, isDirectory } of entries) {
    if (budget.left-- <= 0) return;
    if (isFile) yield join(directory, name);
    else if (isDirectory && depth > 0) yield* filesBelow(join(directory, name), depth - 1, budget);
  }
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
