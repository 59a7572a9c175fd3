/**
 * Types out of the dump itself: newer kernels keep their own CTF in memory (reference kernel-symbols.md, section 12.5).
 *
 * @module
 */

import { type CtfContext, decodeCtf } from "./ctf.ts";
import type { KernelMemory } from "./kernel_memory.ts";
import type { Types } from "./types.ts";

/** The linker's own struct of a file, of which the listed one is the beginning, is smaller. */
const ELF_FILE_BYTES = 1024;
/** Of a container's magic, version and flags. */
const START_BYTES = 4;
const MAGIC_LITTLE = [0xf1, 0xcf] as const;
const MAGIC_BIG = [0xcf, 0xf1] as const;

/**
 * Finds the types that the kernel's linker keeps for a file: one of the words of its struct points to them.
 *
 * @param linkerFile where that struct lies
 * @param symbols the whole symbol table, in whose order variables are told; asked for if there are types
 * @returns `null` if there are none
 */
export async function findDumpTypes(
  memory: KernelMemory,
  linkerFile: bigint,
  symbols: () => Promise<CtfContext["symbols"]>,
): Promise<Types | null> {
  const { wordSize, littleEndian } = memory.format;
  const [first, second] = littleEndian ? MAGIC_LITTLE : MAGIC_BIG;
  for (let at = 0; at < ELF_FILE_BYTES; at += wordSize) {
    const pointer = await memory.word(linkerFile + BigInt(at));
    if (pointer === null) return null;
    const start = pointer === 0n ? null : await memory.read(pointer, START_BYTES);
    if (start === null || start[0] !== first || start[1] !== second) continue;
    if (start[2] !== 2 && start[2] !== 3) continue;
    return typesAt(memory, pointer, symbols);
  }
  return null;
}

/** Nothing more is read before it is asked for. */
function typesAt(
  memory: KernelMemory,
  address: bigint,
  symbols: () => Promise<CtfContext["symbols"]>,
): Types {
  const { wordSize, littleEndian } = memory.format;
  const readAt = async (offset: number, length: number) =>
    await memory.read(address + BigInt(offset), length) ?? new Uint8Array(0);
  let decoded: Promise<Types | null> | undefined;
  const types = () =>
    decoded ??= symbols().then((symbols) =>
      decodeCtf(readAt, { byteOrder: littleEndian ? "little" : "big", pointerSize: wordSize, symbols })
    );
  return {
    struct: async (name) => await (await types())?.struct(name) ?? null,
    typedef: async (name) => await (await types())?.typedef(name) ?? null,
    variable: async (name) => await (await types())?.variable(name) ?? null,
  };
}
