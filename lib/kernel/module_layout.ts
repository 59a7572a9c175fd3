/**
 * Where the sections of a relocatable module lie in memory (reference kernel-symbols.md, section 11.2).
 *
 * @module
 */

import { SectionType } from "./elf_section.ts";
import type { ElfFile } from "./elf_file.ts";

/** ET_REL: a file whose sections have no addresses yet. */
const TYPE_RELOCATABLE = 1;

const LOADED_TYPES: ReadonlySet<number> = new Set([
  SectionType.PROGBITS,
  SectionType.NOBITS,
  SectionType.X86_64_UNWIND,
  SectionType.INIT_ARRAY,
  SectionType.FINI_ARRAY,
]);

/** Where a module's sections lie. */
export interface ModuleLayout {
  /** Addresses by the sections' numbers; those that are not loaded are absent. */
  readonly addresses: ReadonlyMap<number, bigint>;
  /** Behind the last loaded byte. */
  readonly end: bigint;
}

/** Whether a file's sections must be placed: modules of amd64. Others are loaded as a whole, at their address. */
export function isRelocatable(file: ElfFile): boolean {
  return file.header.type === TYPE_RELOCATABLE;
}

/**
 * Places a relocatable module's sections as the kernel's linker does.
 *
 * @param base the address that the kernel's list of modules has
 */
export function layoutModule(file: ElfFile, base: bigint): ModuleLayout {
  const addresses = new Map<number, bigint>();
  let end = base;
  for (const section of file.sections) {
    if (!section.allocated || section.size === 0 || !LOADED_TYPES.has(section.type)) continue;
    const alignment = BigInt(Math.max(1, section.alignment));
    end = (end + alignment - 1n) / alignment * alignment;
    addresses.set(section.index, end);
    end += BigInt(section.size);
  }
  return { addresses, end };
}
