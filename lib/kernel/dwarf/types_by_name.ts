/**
 * Types by name out of all units: they are gone through in the order of the file, as far as it takes.
 *
 * @module
 */

import type { NamedType, StructType, Type, Types } from "../types.ts";
import type { LoadedUnits, UnitTables } from "./loaded_units.ts";
import type { UnitNames } from "./types.ts";
import type { Unit } from "./unit.ts";
import type { UnitIndex } from "./unit_index.ts";

/** Where a name is described. */
interface Place {
  readonly unit: Unit;
  readonly entry: number;
}

type Names = { readonly [kind in keyof UnitNames]: Map<string, Place> };

/** The types of a file's units. */
export class DwarfTypes implements Types {
  readonly #units: () => Promise<{ readonly index: UnitIndex; readonly loaded: LoadedUnits } | null>;
  readonly #names: Names = { structs: new Map(), typedefs: new Map(), variables: new Map() };
  #scan: Promise<void> = Promise.resolve();
  #scanned = 0;

  constructor(units: () => Promise<{ readonly index: UnitIndex; readonly loaded: LoadedUnits } | null>) {
    this.#units = units;
  }

  async struct(name: string): Promise<StructType | null> {
    const type = await this.#find("structs", name, (tables, entry) => tables.types().type(entry));
    return type?.kind === "struct" || type?.kind === "union" ? type : null;
  }

  async typedef(name: string): Promise<NamedType | null> {
    const type = await this.#find("typedefs", name, (tables, entry) => tables.types().type(entry));
    return type?.kind === "typedef" ? type : null;
  }

  async variable(name: string): Promise<Type | null> {
    return await this.#find("variables", name, (tables, entry) => tables.types().typeOfVariable(entry));
  }

  async #find(
    kind: keyof UnitNames,
    name: string,
    read: (tables: UnitTables, entry: number) => Type | null,
  ): Promise<Type | null> {
    const units = await this.#units();
    if (units === null) return null;
    // One search at a time: each goes on where the one before it stopped.
    const search = this.#scan.then(() => this.#scanFor(units, kind, name));
    this.#scan = search.catch(() => {});
    await search;
    const place = this.#names[kind].get(name);
    const tables = place === undefined ? null : await units.loaded.tables(place.unit);
    return place === undefined || tables === null ? null : read(tables, place.entry);
  }

  async #scanFor(
    { index, loaded }: { readonly index: UnitIndex; readonly loaded: LoadedUnits },
    kind: keyof UnitNames,
    name: string,
  ): Promise<void> {
    const all = await index.all();
    while (!this.#names[kind].has(name) && this.#scanned < all.length) {
      const unit = all[this.#scanned++]!;
      const names = (await loaded.tables(unit))?.names();
      if (names !== undefined) this.#add(unit, names);
    }
  }

  #add(unit: Unit, names: UnitNames): void {
    for (const kind of ["structs", "typedefs", "variables"] as const) {
      for (const [name, entry] of names[kind]) {
        if (!this.#names[kind].has(name)) this.#names[kind].set(name, { unit, entry });
      }
    }
  }
}
