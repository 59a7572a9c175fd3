/**
 * Equal panics of many dumps, wherever those lie, as one: how often, on which hosts, since when.
 *
 * @module
 */

import { compareNames } from "../text/natural_order.ts";

/** What is known of a dump's panic: of one in a directory, or of one in a bucket's catalogue. */
export interface Sighting {
  readonly host: string | null;
  /** ISO 8601, UTC. */
  readonly time: string | null;
  readonly panic: string | null;
  /** Equal for panics that are likely the same bug. */
  readonly signature: string | null;
}

/** One line of `netdump inspect --group --json`. */
export interface PanicGroup {
  /** `null` for the dumps whose panic is not known. */
  readonly signature: string | null;
  /** Dumps with it. */
  readonly count: number;
  /** Of which it is known, in the order of their names. */
  readonly hosts: readonly string[];
  /** ISO 8601, UTC: the oldest and the newest crash. */
  readonly first: string | null;
  readonly last: string | null;
  /** As the newest of them has it. */
  readonly panic: string | null;
}

interface Growing {
  count: number;
  readonly hosts: Set<string>;
  first: string | null;
  last: string | null;
  panic: string | null;
}

/** Gathers dumps into groups. */
export class PanicGroups {
  readonly #groups = new Map<string | null, Growing>();

  add({ host, time, panic, signature }: Sighting): void {
    let group = this.#groups.get(signature);
    if (group === undefined) {
      this.#groups.set(signature, group = { count: 0, hosts: new Set(), first: null, last: null, panic });
    }
    group.count++;
    if (host !== null) group.hosts.add(host);
    if (time === null) return;
    if (group.first === null || time < group.first) group.first = time;
    if (group.last !== null && time <= group.last) return;
    group.last = time;
    group.panic = panic;
  }

  /** The groups: the most frequent first, then the one seen last; what has no known panic behind all others. */
  list(): PanicGroup[] {
    return [...this.#groups].map(([signature, { hosts, ...group }]) => ({
      ...{ signature, count: group.count, hosts: [...hosts].sort(compareNames) },
      ...{ first: group.first, last: group.last, panic: group.panic },
    })).sort((a, b) =>
      Number(a.signature === null) - Number(b.signature === null) || b.count - a.count ||
      ((a.last ?? "") < (b.last ?? "") ? 1 : -1)
    );
  }
}
