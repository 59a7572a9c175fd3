/**
 * From addresses to the names of functions and back (reference kernel-symbols.md, section 4).
 *
 * @module
 */

import { countUpTo } from "../bytes/sorted.ts";
import type { ElfSymbol } from "./elf_symbols.ts";

/** A symbol that has a place in memory. */
export interface PlacedSymbol {
  /** Any byte may be in it. */
  readonly name: string;
  readonly address: bigint;
  /** Bytes; 0 for labels of assembler. */
  readonly size: bigint;
}

/** The function an address lies in, and how far in. */
export interface NamedPlace {
  readonly symbol: PlacedSymbol;
  readonly offset: number;
}

const NOTYPE = 0;
const OBJECT = 1;
const FUNC = 2;
const HIGHEST_TYPE_WITH_PLACE = 2;
const UNDEFINED = 0;
const ABSOLUTE = 0xfff1;
const GLOBAL = 1;
/** How far behind a label without a size its code may be, in a table that has not all of them. */
const LABEL_BYTES = 16n;
/** Functions are shorter: further on, a name says nothing. */
const MAX_OFFSET = 1n << 24n;

/** The symbols of a kernel or of a module. */
export class SymbolTable {
  readonly #byName = new Map<string, PlacedSymbol>();
  readonly #functions: readonly PlacedSymbol[];
  readonly #complete: boolean;
  #byAddress: ReadonlyMap<bigint, PlacedSymbol> | undefined;
  /** Where variables lie, by address. */
  readonly #variables: BigUint64Array;

  /**
   * @param complete whether static functions are in it; if not, what lies behind a function's end has no name
   * @param place the address of a symbol; `null` for one that has none
   */
  constructor(
    symbols: readonly ElfSymbol[],
    complete: boolean,
    place: (symbol: ElfSymbol) => bigint | null = (symbol) => symbol.value,
  ) {
    this.#complete = complete;
    const textSections = new Set(symbols.filter((s) => s.type === FUNC).map((s) => s.sectionIndex));
    const functions: (PlacedSymbol & { readonly rank: number })[] = [];
    const variables: bigint[] = [];
    for (const symbol of symbols) {
      const { name, type, binding, sectionIndex, size } = symbol;
      if (name === "" || name.startsWith("$") || type > HIGHEST_TYPE_WITH_PLACE) continue;
      if (sectionIndex === UNDEFINED) continue;
      const address = place(symbol);
      if (address === null) continue;
      const placed = { name, address, size };
      if (!this.#byName.has(name) || binding === GLOBAL) this.#byName.set(name, placed);
      const isText = type === FUNC || type === NOTYPE && textSections.has(sectionIndex);
      if (type === OBJECT) variables.push(address);
      if (sectionIndex === ABSOLUTE || !isText) continue;
      functions.push({ ...placed, rank: rankOf(symbol) });
    }
    this.#functions = functions.sort((a, b) =>
      a.address < b.address ? -1 : a.address > b.address ? 1 : a.rank - b.rank
    );
    this.#variables = BigUint64Array.from(variables).sort();
  }

  /** How many functions it names. */
  get functions(): number {
    return this.#functions.length;
  }

  /** A symbol by its name; of several a global one. */
  find(name: string): PlacedSymbol | null {
    return this.#byName.get(name) ?? null;
  }

  /** A symbol that is exactly there, be it a function or a variable. */
  exactly(address: bigint): PlacedSymbol | null {
    this.#byAddress ??= new Map([...this.#byName.values()].map((symbol) => [symbol.address, symbol]));
    return this.#byAddress.get(address) ?? null;
  }

  /** The function that an instruction belongs to: the nearest at or below it, unless variables begin between them. */
  at(address: bigint): NamedPlace | null {
    const symbol =
      this.#functions[countUpTo(this.#functions.length, (i) => this.#functions[i]!.address <= address) - 1];
    if (symbol === undefined) return null;
    const offset = address - symbol.address;
    const end = symbol.size === 0n ? LABEL_BYTES : symbol.size;
    if (offset >= (this.#complete ? MAX_OFFSET : end)) return null;
    if (offset >= end) {
      const before = countUpTo(this.#variables.length, (i) => this.#variables[i]! <= address);
      if (before > 0 && this.#variables[before - 1]! > symbol.address) return null;
    }
    return { symbol, offset: Number(offset) };
  }
}

/** Of several names of one address the best comes last: functions, global ones, long ones that begin with no `_`. */
function rankOf({ name, type, binding }: ElfSymbol): number {
  const length = Math.min(999, name.length);
  return (type === FUNC ? 4000 : 0) + (binding === GLOBAL ? 2000 : 0) + (name.startsWith("_") ? 0 : 1000) +
    length;
}
