/**
 * The code of a kernel and of its modules: whose an address is, and what is known of it.
 *
 * @module
 */

import type { DebugInfo } from "./debug_info.ts";
import type { NamedPlace, SymbolTable } from "./symbol_table.ts";

/** The kernel or a module. */
export interface LoadedObject {
  readonly name: string;
  readonly address: bigint;
  /** Bytes; `null` where not known: then it may be anywhere that no other is. */
  readonly size: bigint | null;
  /** The file its symbols come from. */
  readonly file: string | null;
  readonly symbols: SymbolTable | null;
  readonly debug: DebugInfo | null;
}

/** What an address in code is. */
export interface CodePlace extends Partial<NamedPlace> {
  readonly object: LoadedObject;
}

/** All code of a dump. */
export class LoadedCode {
  /** In the kernel's order; the first is the kernel. */
  readonly objects: readonly LoadedObject[];

  constructor(objects: readonly LoadedObject[]) {
    this.objects = objects;
  }

  /** The object that an address belongs to, with the function if it is known. */
  at(address: bigint): CodePlace | null {
    const [kernel, ...modules] = this.objects;
    const module = modules.find((m) => contains(m, address));
    const object = module ?? (kernel !== undefined && contains(kernel, address) ? kernel : null);
    return object === null ? null : { object, ...object.symbols?.at(address) ?? {} };
  }
}

function contains({ address, size }: LoadedObject, at: bigint): boolean {
  return at >= address && (size === null || at < address + size);
}
