/**
 * The kernel's list of itself and its modules (reference kernel-symbols.md, section 11.1).
 *
 * @module
 */

import type { KernelGlobals } from "./kernel_globals.ts";

/** The kernel or a module, as the kernel lists it. Names are unfiltered. */
export interface LinkerFile {
  /** Where the kernel's struct of it lies. */
  readonly at: bigint;
  readonly name: string;
  readonly address: bigint;
  /** Bytes; `null` where beyond reason. */
  readonly size: bigint | null;
}

const MAX_FILES = 10_000;
const MAX_NAME_BYTES = 256;
const MAX_SIZE = 1n << 32n;

/** Reads the list, in its order; empty if it is not known. */
export async function readLinkerFiles(globals: KernelGlobals): Promise<LinkerFile[]> {
  const { memory } = globals;
  const address = await globals.offset("kld_off_address");
  const filename = await globals.offset("kld_off_filename");
  const next = await globals.offset("kld_off_next");
  let at = await globals.word("linker_files") ?? await globals.word("linker_kernel_file");
  if (address === null || filename === null || next === null) return [];
  const files: LinkerFile[] = [];
  const seen = new Set<bigint>();
  while (at !== null && at !== 0n && !seen.has(at) && files.length < MAX_FILES) {
    seen.add(at);
    const [base, namePointer] = [await memory.word(at + address), await memory.word(at + filename)];
    if (base === null) break;
    const size = await memory.word(at + address + BigInt(memory.format.wordSize));
    const name = namePointer === null ? null : await memory.string(namePointer, MAX_NAME_BYTES);
    files.push({ at, name: name ?? "", address: base, size: size === null || size > MAX_SIZE ? null : size });
    at = await memory.word(at + next);
  }
  return files;
}
