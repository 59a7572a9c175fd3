/**
 * Reads the kernel in a dump: opens its symbols, and unwinds the threads that were asked for.
 *
 * @module
 */

import { readAtOf, readSpan, type Source } from "../bytes/source.ts";
import { openKernel, type ThreadStack } from "../kernel/kernel.ts";
import type { ProcessDetails } from "../kernel/process_details.ts";
import type { Process } from "../kernel/threads.ts";
import type { Variable } from "../kernel/variables.ts";
import { type Contents, readMinidump } from "./contents.ts";
import type { KernelFindings, KernelOptions } from "./kernel_findings.ts";
import { type OpenedSymbolFiles, openSymbolFiles } from "./open/symbol_files.ts";

/** Nothing asked: what the dump itself tells about the thread that took it. */
export const PLAIN_KERNEL: KernelOptions = { threads: false, processes: false, variables: [] };

/** Compressed dumps of no more than this are read unasked, in bytes. */
const COMPRESSED_LIMIT = 16 * 2 ** 20;

/**
 * Reads the kernel in a dump.
 *
 * @param source the dump, plain
 * @param size bytes of it, if that is known
 * @returns `null` if it has no symbols, or reading it would take reading too much
 * @throws {SymbolFileError} if a file that was named cannot be used
 */
export async function readKernel(
  contents: Contents,
  source: Source,
  size: number | null,
  options: KernelOptions,
): Promise<KernelFindings | null> {
  const asked = options !== PLAIN_KERNEL;
  const files = await openSymbolFiles(options);
  try {
    return await readWith(files, contents, source, size, options);
  } catch (error) {
    // What nobody asked for must not keep the rest from being told.
    if (asked) throw error;
    return null;
  } finally {
    files.close();
  }
}

async function readWith(
  files: OpenedSymbolFiles,
  contents: Contents,
  source: Source,
  size: number | null,
  options: KernelOptions,
): Promise<KernelFindings | null> {
  const { memory, architecture } = await withRandomAccess(contents, source, size);
  if (memory === null || architecture === null) return null;
  const kernel = await openKernel(memory, architecture, await files.choose(memory, architecture));
  if (kernel === null) return null;
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
  };
}

/** What is needed lies anywhere: a small compressed dump is read whole, a large one not at all. */
async function withRandomAccess(
  contents: Contents,
  source: Source,
  size: number | null,
): Promise<Pick<Contents, "memory" | "architecture">> {
  if (source.randomAccess) return contents;
  if (contents.minidump === null || size === null || size > COMPRESSED_LIMIT) {
    return { memory: null, architecture: null };
  }
  const bytes = await readSpan(source.read.bind(source), 0, size);
  return await readMinidump(readAtOf(bytes), { size, maybeSparse: false }, { searchLimit: 0 });
}
