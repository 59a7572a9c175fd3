/**
 * Reads the kernel in a dump: opens its symbols, and unwinds the threads that were asked for.
 *
 * @module
 */

import { readAtOf, readSpan, type Source } from "../bytes/source.ts";
import { type Kernel, openKernel, type ThreadStack, withVirtualAddresses } from "../kernel/kernel.ts";
import { placeOfMessage } from "../kernel/message_places.ts";
import type { PanicExcerpt } from "../kerneldump/messages/message_text.ts";
import type { ProcessDetails } from "../kernel/process_details.ts";
import type { Process } from "../kernel/threads.ts";
import type { Variable } from "../kernel/variables.ts";
import type { Memory } from "../kerneldump/memory.ts";
import { type Problem, problem } from "../kerneldump/problem.ts";
import { SpoolFile } from "../os/spool_file.ts";
import { quote } from "../text/escape.ts";
import { type Contents, readElf, readMinidump } from "./contents.ts";
import type { OnProgress } from "./judge/read_through.ts";
import type { KernelFindings, KernelOptions } from "./kernel_findings.ts";
import { naming, type OpenedSymbolFiles, openSymbolFiles } from "./open/symbol_files.ts";

/** Nothing asked: what the dump itself tells about the thread that took it. */
export const PLAIN_KERNEL: KernelOptions = { threads: false, processes: false, variables: [] };

/** Compressed dumps of no more than this are read unasked, in bytes. */
const COMPRESSED_LIMIT = 16 * 2 ** 20;

/** Where compressed dumps are spooled if nobody says where. */
const DEFAULT_SPOOL = "/tmp";

/** The kernel, or why it cannot be told; `null` without a word where nobody asked. */
export interface ReadKernel {
  readonly kernel: KernelFindings | null;
  readonly problems: readonly Problem[];
}

/** Nothing was read. */
export const NO_KERNEL: ReadKernel = { kernel: null, problems: [] };

/** The dump to read: what is in it, and its plain bytes. */
export interface PlainDump {
  readonly contents: Contents;
  readonly source: Source;
  /** Bytes of it; `null` where that is not known. */
  readonly size: number | null;
  /** What its messages say around the panic. */
  readonly panic: PanicExcerpt | null;
}

/**
 * Reads the kernel in a dump.
 *
 * @throws {SymbolFileError} if a file that was named cannot be used
 */
export async function readKernel(
  dump: PlainDump,
  options: KernelOptions,
  onProgress?: OnProgress,
): Promise<ReadKernel> {
  const asked = options !== PLAIN_KERNEL;
  const files = await openSymbolFiles(options);
  let spool: SpoolFile | null = null;
  try {
    const { contents, source, size } = dump;
    const small = size !== null && size <= COMPRESSED_LIMIT;
    if (!source.randomAccess && asked && !small && hasMemory(contents)) {
      const directory = options.spool ?? DEFAULT_SPOOL;
      try {
        spool = await naming(
          directory,
          () => SpoolFile.of(source, directory, (done) => onProgress?.(done, size)),
        );
      } catch (error) {
        if (!options.spoolOptional) throw error;
        const message = `The dump cannot be unpacked in ${
          quote(directory)
        } to read its kernel: --spool names \
another directory`;
        return { kernel: null, problems: [problem("kernel-unread", message)] };
      }
    }
    const found = await readWith(files, { ...dump, source: spool ?? source }, spool !== null, options);
    const rejected = files.rejected.map((path) =>
      problem("debug-file-differs", `${quote(path)} is the debug file of another build: it is not used`)
    );
    if (typeof found !== "string") return { kernel: found, problems: rejected };
    return { kernel: null, problems: asked ? [problem("kernel-unread", found), ...rejected] : [] };
  } catch (error) {
    // What nobody asked for must not keep the rest from being told.
    if (asked) throw error;
    return { kernel: null, problems: [] };
  } finally {
    spool?.close();
    files.close();
  }
}

/**
 * The memory of a dump with its virtual addresses: those of a full dump are found by its kernel.
 *
 * @param kernel the kernel's file or a directory with it, if one was named
 * @throws {SymbolFileError} if it cannot be used
 */
export async function readVirtualMemory(
  memory: Memory,
  architecture: string | null,
  kernel: string | undefined,
): Promise<Memory> {
  if (memory.untranslated === undefined || architecture === null) return memory;
  const files = await openSymbolFiles({ kernel });
  try {
    return await withVirtualAddresses(
      memory,
      architecture,
      (await files.choose(memory, architecture)).kernel,
    );
  } finally {
    files.close();
  }
}

function hasMemory({ minidump, elf }: Contents): boolean {
  return minidump !== null || elf !== null;
}

/** @returns why there is none */
async function readWith(
  files: OpenedSymbolFiles,
  dump: PlainDump,
  spooled: boolean,
  options: KernelOptions,
): Promise<KernelFindings | string> {
  const { memory, architecture } = await withRandomAccess(dump, spooled);
  if (memory === null || architecture === null) return "There is no memory in which a kernel could be";
  const chosen = await files.choose(memory, architecture);
  if (chosen.kernel === null && options.kernel !== undefined) {
    return `No kernel below ${quote(options.kernel)} is the one that crashed`;
  }
  const kernel = await openKernel(memory, architecture, chosen);
  if (kernel === null) {
    return `The dump holds no symbols of its kernel: --kernel names the file that has them`;
  }
  const stacks: ThreadStack[] = [];
  for (const process of kernel.processes) {
    for (const thread of process.threads) {
      if (!options.threads && thread.tid !== kernel.crashedThread) continue;
      stacks.push(await kernel.stack(thread, process));
    }
  }
  const processes: [Process, ProcessDetails | null][] = [];
  for (const process of options.processes ? kernel.processes : []) {
    processes.push([process, await kernel.details(process)]);
  }
  const variables: Variable[] = [];
  for (const name of options.variables) variables.push(await kernel.variable(name));
  const rank = ({ crashed, thread }: ThreadStack) => crashed ? 0 : thread.cpu === null ? 2 : 1;
  return {
    kernel,
    stacks: stacks.toSorted((a, b) => rank(a) - rank(b)),
    all: options.threads,
    processes,
    variables,
    captured: await kernel.captured(),
    places: await placesIn(dump.panic?.lines ?? [], kernel),
  };
}

/** The panic is told by the last messages: no more of them have places. */
async function placesIn(lines: readonly string[], { code }: Kernel): Promise<ReadonlyMap<string, string>> {
  const places = new Map<string, string>();
  for (const line of lines) {
    const place = await placeOfMessage(line, code);
    if (place !== null) places.set(line, place);
  }
  return places;
}

/** What is needed lies anywhere: a small compressed dump is read whole, a large one only as a spooled one. */
async function withRandomAccess(
  { contents, source, size }: PlainDump,
  spooled: boolean,
): Promise<Pick<Contents, "memory" | "architecture">> {
  if (source.randomAccess && !spooled) return contents;
  if (!hasMemory(contents)) return { memory: null, architecture: null };
  let read = source.read.bind(source);
  if (!source.randomAccess) {
    if (size === null || size > COMPRESSED_LIMIT) return { memory: null, architecture: null };
    read = readAtOf(await readSpan(read, 0, size));
  }
  const file = { size, maybeSparse: false };
  return contents.minidump === null
    ? await readElf(read, file, { searchLimit: 0 })
    : await readMinidump(read, file, { searchLimit: 0 });
}
