/** Kernels in dumps, opened for tests. */

import { readAtOf } from "../../lib/bytes/source.ts";
import { readElfFile } from "../../lib/kernel/elf_file.ts";
import { type Kernel, openKernel, type SymbolFiles, type ThreadStack } from "../../lib/kernel/kernel.ts";
import type { CodeFile } from "../../lib/kernel/kernel_files.ts";
import { readElfCore } from "../../lib/kerneldump/elf/elf_core.ts";
import { elfMemory } from "../../lib/kerneldump/elf/elf_memory.ts";
import { minidumpMemory } from "../../lib/kerneldump/memory.ts";
import { decodeMinidump } from "../../lib/kerneldump/minidump/minidump.ts";
import { PageMap } from "../../lib/kerneldump/minidump/page_map.ts";

/** No files: all that is known of the kernel is in the dump. */
export const NO_FILES: SymbolFiles = { kernel: null, module: () => Promise.resolve(null) };

/** Opens the kernel of a minidump. */
export async function openDumpedKernel(
  core: Uint8Array,
  files: SymbolFiles = NO_FILES,
): Promise<Kernel | null> {
  const readAt = readAtOf(core);
  const minidump = decodeMinidump(core);
  const pageMap = await PageMap.read(readAt, minidump);
  return await openKernel(minidumpMemory({ readAt, minidump, pageMap }), minidump.architecture, files);
}

/** Opens the kernel of a full dump. */
export async function openFullDump(core: Uint8Array, files: SymbolFiles = NO_FILES): Promise<Kernel | null> {
  const readAt = readAtOf(core);
  const elf = await readElfCore(readAt);
  return await openKernel(elfMemory(readAt, elf), elf.machine, files);
}

/** A file of a kernel or module, with its debug file. */
export async function codeFile(path: string, bytes: Uint8Array, debug?: Uint8Array): Promise<CodeFile> {
  return {
    path,
    file: await readElfFile(readAtOf(bytes)),
    debug: debug === undefined ? null : await readElfFile(readAtOf(debug)),
  };
}

/** The stacks of all threads, or of those that are wanted, in the kernel's order. */
export async function allStacks(
  kernel: Kernel,
  isWanted: (thread: { tid: number }) => boolean = () => true,
): Promise<ThreadStack[]> {
  const stacks: ThreadStack[] = [];
  for (const process of kernel.processes) {
    for (const thread of process.threads.filter(isWanted)) stacks.push(await kernel.stack(thread, process));
  }
  return stacks;
}
