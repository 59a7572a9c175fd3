/**
 * What debug files add to symbols: files and lines, inline functions, rules of how frames were made, types (reference
 * kernel-symbols.md, sections 10 and 13). Nothing of {@linkcode DebugInfo} throws for what a file holds: what is
 * damaged is not found.
 *
 * @module
 */

import type { FrameRow } from "./dwarf/frames.ts";
import type { Types } from "./types.ts";

/** A function of the source that an address lies in. */
export interface SourceFrame {
  /** Its name as the source has it; `null` where debug info has a line but no function (assembler). */
  readonly function: string | null;
  /** The path as the compiler wrote it, often relative. */
  readonly file: string | null;
  readonly line: number | null;
  /** Whether it was inlined in the next of the list. */
  readonly inline: boolean;
}

/** What a file's DWARF sections say. Addresses are as the file has them; in relocatable files, as placed. */
export interface DebugInfo {
  /**
   * The functions that an instruction belongs to, the innermost first; the last of them is no inline one. Empty where
   * nothing is known. Of a return address give the one before it, so that the call is found.
   */
  sourceFrames(pc: bigint): Promise<readonly SourceFrame[]>;
  /** How to find the caller's registers from those at an instruction; `null` where nothing says it. */
  frameRow(pc: bigint): Promise<FrameRow | null>;
  readonly types: Types;
}
