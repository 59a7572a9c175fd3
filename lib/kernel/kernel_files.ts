/**
 * Files of a kernel and its modules, as they help to read a dump: names and debug sections, and whether they belong to
 * it (reference kernel-symbols.md, section 2.3).
 *
 * @module
 */

import { type DebugInfo, openDebugInfo } from "./debug_info.ts";
import { type ElfFile, stringAt } from "./elf_file.ts";
import { decodeBuildIdNote, readBuildId } from "./elf_identity.ts";
import { type ElfSymbol, readElfSymbols } from "./elf_symbols.ts";
import type { KernelMemory } from "./kernel_memory.ts";
import { isRelocatable, layoutModule } from "./module_layout.ts";
import { SymbolTable } from "./symbol_table.ts";

/** A kernel's or a module's file, with its debug file if there is one. */
export interface CodeFile {
  /** For messages. */
  readonly path: string;
  readonly file: ElfFile;
  readonly debug: ElfFile | null;
}

/** The symbols of a file, of its debug file if it has none; `null` if neither has. */
export async function readFileSymbols(
  { file, debug }: CodeFile,
  base: bigint = 0n,
): Promise<SymbolTable | null> {
  for (const [name, complete] of [[".symtab", true], [".dynsym", false]] as const) {
    for (const elf of [file, debug]) {
      const section = elf?.section(name) ?? null;
      if (elf === null || section === null) continue;
      const symbols = await readElfSymbols(elf, section);
      if (symbols.length > 0) return new SymbolTable(symbols, complete, placing(elf, base));
    }
  }
  return null;
}

/**
 * The debug sections: those of the debug file, or of the file itself. What they say of frames adds up: `.eh_frame` has
 * its bytes in the file, `.debug_frame` in its debug file (section 10.1).
 */
export function debugOf({ file, debug }: CodeFile, base: bigint = 0n): DebugInfo {
  const own = openDebugInfo(file, base);
  if (debug === null) return own;
  const info = openDebugInfo(debug, base);
  return {
    types: info.types,
    sourceFrames: (pc) => info.sourceFrames(pc),
    frameRow: async (pc) => await info.frameRow(pc) ?? await own.frameRow(pc),
  };
}

function placing(file: ElfFile, base: bigint): (symbol: ElfSymbol) => bigint | null {
  if (!isRelocatable(file)) return (symbol) => symbol.value + base;
  const { addresses } = layoutModule(file, base);
  return ({ sectionIndex, value }) => {
    const section = addresses.get(sectionIndex);
    return section === undefined ? null : section + value;
  };
}

const VERSION_BYTES = 256;

/** Whether a kernel file is the one that crashed: by build-id, else by its version; `null` if that cannot be told. */
export async function matchesDump(
  { file, debug }: CodeFile,
  symbols: SymbolTable,
  memory: KernelMemory,
): Promise<boolean | null> {
  for (const elf of [file, debug]) {
    const id = elf === null ? null : await readBuildId(elf);
    if (elf === null || id === null || id.noteAddress === null) continue;
    const bytes = await memory.read(id.noteAddress, id.noteSize);
    const dumped = bytes === null ? null : decodeBuildIdNote(bytes, elf.header.byteOrder);
    if (dumped !== null) return dumped.hex === id.hex;
    // Where this kernel has its note, the one that crashed has something else, unless its page is blank.
    if (bytes !== null && bytes.some((byte) => byte !== 0)) return false;
  }
  const version = symbols.find("version");
  if (version === null) return null;
  const stored = await file.readVirtual(version.address, VERSION_BYTES);
  const dumped = await memory.string(version.address, VERSION_BYTES);
  if (stored.byteLength === 0 || dumped === null || dumped === "") return null;
  return stringAt(stored, 0) === dumped;
}

const MAX_NOTE_BYTES = 64;

/** The build-id of the kernel in memory, which a symbol of newer kernels points to. */
export async function dumpedBuildId(symbols: SymbolTable, memory: KernelMemory): Promise<string | null> {
  const start = symbols.find("__build_id_start");
  const bytes = start === null ? null : await memory.read(start.address, MAX_NOTE_BYTES);
  return bytes === null ? null : decodeBuildIdNote(bytes, "little")?.hex ?? null;
}
