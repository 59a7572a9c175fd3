/**
 * Frames as people and programs see them: with names, files and lines, and the inline functions between them.
 *
 * @module
 */

import type { TrapFrame } from "./machine/machine.ts";
import type { Frame } from "./unwind.ts";

/** A frame with all that is known of it. Names are unfiltered. */
export interface NamedFrame {
  readonly pc: bigint;
  /** The function in the symbol table; of an inline frame the one it is in. */
  readonly symbol: string | null;
  /** From the symbol, else from the module's start; `null` if it lies in neither. */
  readonly offset: number | null;
  readonly module: string | null;
  readonly inline: boolean;
  /** The function, file and line by debug info. */
  readonly function: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly trap: TrapFrame | null;
}

/** Names a frame: behind the functions that were inlined in it. */
export async function nameFrame({ pc, lookUp, place, trap }: Frame): Promise<NamedFrame[]> {
  const known = place !== null && (place.symbol !== undefined || place.object.size !== null);
  const frame: NamedFrame = {
    pc,
    symbol: place?.symbol?.name ?? null,
    offset: place?.offset ?? (known ? Number(pc - place.object.address) : null),
    module: known ? place.object.name : null,
    inline: false,
    function: null,
    file: null,
    line: null,
    trap,
  };
  const debug = place?.object.debug ?? null;
  // Debuggers tell the line of an entry into the kernel where it goes on.
  const sources = await debug?.sourceFrames(trap === null ? lookUp : pc) ?? [];
  if (sources.length === 0) return [frame];
  return sources.map((source) => ({ ...frame, ...source, trap: source.inline ? null : trap }));
}
