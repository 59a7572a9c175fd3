/**
 * What a kernel says of itself: its build, its machine, its time, its panic (reference kernel-symbols.md, section 14).
 *
 * @module
 */

import { readBuildId } from "./elf_identity.ts";
import { type CodeFile, dumpedBuildId } from "./kernel_files.ts";
import type { KernelGlobals } from "./kernel_globals.ts";
import type { SymbolTable } from "./symbol_table.ts";

/** What a kernel says of itself; `null` where nothing has it. Strings are unfiltered. */
export interface KernelFacts {
  readonly buildId: string | null;
  readonly osrelease: string | null;
  readonly osreldate: number | null;
  readonly ident: string | null;
  readonly machine: string | null;
  readonly cpus: number | null;
  readonly hz: number | null;
  readonly physicalPages: number | null;
  /** Unix time in seconds. */
  readonly bootTime: number | null;
  readonly uptimeSeconds: number | null;
  readonly panic: string | null;
}

/** Reads them; `dumpedId` is the build-id that was found with the dump's own symbols. */
export async function readFacts(
  globals: KernelGlobals,
  symbols: SymbolTable,
  file: CodeFile | null,
  dumpedId: string | null,
): Promise<KernelFacts> {
  const seconds = async (name: string) => safe(await globals.word(name));
  const [now, uptime] = [await seconds("time_second"), await seconds("time_uptime")];
  const panic = await globals.word("panicstr");
  const fileId = file === null
    ? null
    : await readBuildId(file.file) ?? (file.debug && await readBuildId(file.debug));
  return {
    buildId: dumpedId ?? await dumpedBuildId(symbols, globals.memory) ?? fileId?.hex ?? null,
    osrelease: await globals.string("osrelease"),
    osreldate: await globals.int("osreldate"),
    ident: await globals.string("kern_ident"),
    machine: await globals.string("machine"),
    cpus: await globals.int("mp_ncpus"),
    hz: await globals.int("hz"),
    physicalPages: safe(await globals.word("physmem")),
    bootTime: now === null || uptime === null || now < uptime ? null : now - uptime,
    uptimeSeconds: uptime,
    panic: panic === null || panic === 0n ? null : await globals.memory.string(panic, MAX_PANIC_BYTES),
  };
}

const MAX_PANIC_BYTES = 1024;

/** A count or time; `null` if it is beyond what one can be. */
function safe(value: bigint | null): number | null {
  return value === null || value >= 1n << 47n ? null : Number(value);
}
