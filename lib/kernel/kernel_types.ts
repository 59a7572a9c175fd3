/**
 * The types of a kernel: by its debug sections, else by its CTF.
 *
 * @module
 */

import { readCtf } from "./ctf.ts";
import { type CodeFile, debugOf } from "./kernel_files.ts";
import type { Types } from "./types.ts";

/** The types that a kernel's or a module's files describe. Nothing is read before it is asked for. */
export function typesOf(code: CodeFile, base: bigint = 0n): Types {
  const dwarf = debugOf(code, base).types;
  let ctf: Promise<Types | null> | undefined;
  const compact = () => ctf ??= readEither(code);
  return {
    struct: async (name) => await dwarf.struct(name) ?? await (await compact())?.struct(name) ?? null,
    typedef: async (name) => await dwarf.typedef(name) ?? await (await compact())?.typedef(name) ?? null,
    variable: async (name) => await dwarf.variable(name) ?? await (await compact())?.variable(name) ?? null,
  };
}

/** Types of two sources: the second tells what the first does not. */
export function firstOf(first: Types | null, second: Types | null): Types | null {
  if (first === null || second === null) return first ?? second;
  return {
    struct: async (name) => await first.struct(name) ?? await second.struct(name),
    typedef: async (name) => await first.typedef(name) ?? await second.typedef(name),
    variable: async (name) => await first.variable(name) ?? await second.variable(name),
  };
}

async function readEither({ file, debug }: CodeFile): Promise<Types | null> {
  return await readCtf(file) ?? (debug === null ? null : await readCtf(debug));
}
