/**
 * Global variables by their types (reference kernel-symbols.md, section 14).
 *
 * @module
 */

import type { KernelMemory } from "./kernel_memory.ts";
import type { LoadedCode } from "./loaded_code.ts";
import { sizeOfType, type Types } from "./types.ts";
import { decodeValue, MAX_VALUE_BYTES, type Value } from "./value.ts";

/** A variable of the kernel or of a module; without a value it says why. */
export type Variable =
  & { readonly name: string }
  & (
    | { readonly address: bigint; readonly value: Value }
    | { readonly address: bigint | null; readonly value: null; readonly why: string }
  );

/** Reads a variable. */
export async function readVariable(
  name: string,
  code: LoadedCode,
  memory: KernelMemory,
  typesOf: (object: LoadedCode["objects"][number]) => Types | null,
): Promise<Variable> {
  for (const object of code.objects) {
    const symbol = object.symbols?.find(name) ?? null;
    if (symbol === null) continue;
    const { address } = symbol;
    const type = await typesOf(object)?.variable(name) ?? null;
    if (type === null) {
      return {
        name,
        address,
        value: null,
        why: "its type is not known: it takes a kernel file with CTF or debug info",
      };
    }
    const size = Math.min(sizeOfType(type) ?? Number(symbol.size), MAX_VALUE_BYTES);
    const bytes = await memory.read(address, size);
    if (bytes === null) return { name, address, value: null, why: "it is not in the dump" };
    const value = await decodeValue(type, bytes, {
      littleEndian: memory.format.littleEndian,
      symbolAt: (at) => nameOf(code, at),
      readMemory: (at, length) => memory.read(at, length),
    });
    return { name, address, value };
  }
  return { name, address: null, value: null, why: "the kernel and its modules have no such variable" };
}

/** What a pointer leads to: a variable or a function, or somewhere inside a function. */
function nameOf(code: LoadedCode, at: bigint): string | null {
  const place = code.at(at);
  const exact = place?.object.symbols?.exactly(at) ?? null;
  if (exact !== null) return exact.name;
  if (place?.symbol === undefined || BigInt(place.offset!) >= place.symbol.size) return null;
  return `${place.symbol.name}+0x${place.offset!.toString(16)}`;
}
