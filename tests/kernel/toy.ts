/** The synthetic kernels beside the checkout, with what gdb says of them (reference kernel-symbols.md, section 18.3). */

import { readAtOf } from "../../lib/bytes/source.ts";
import { type ElfFile, readElfFile } from "../../lib/kernel/elf_file.ts";
import { SHARED } from "../helpers.ts";
import { unpackBzip2 } from "../kerneldump/real_vmcores.ts";

const KERNELS = SHARED === undefined ? undefined : new URL("kernels/toy/", SHARED);

/** A test that needs them: skipped, and says so, where they are absent. */
export function toyTest(name: string, test: () => Promise<void>): void {
  const ignore = KERNELS === undefined;
  Deno.test({ name: ignore ? `${name} (skipped: shared test data is absent)` : name, ignore, fn: test });
}

/** A file of them. */
export async function toyBytes(path: string): Promise<Uint8Array> {
  return await Deno.readFile(new URL(path, KERNELS));
}

/** The dump of one of them, unpacked. */
export async function toyDump(kernel: string): Promise<Uint8Array> {
  return await unpackBzip2(new URL(`${kernel}/vmcore.bz2`, KERNELS));
}

/** A file of them, opened. */
export async function toyFile(path: string): Promise<ElfFile> {
  return await readElfFile(readAtOf(await toyBytes(path)));
}

/** A file of them, parsed as JSON. */
export async function toyJson(path: string): Promise<unknown> {
  return JSON.parse(await Deno.readTextFile(new URL(path, KERNELS)));
}
