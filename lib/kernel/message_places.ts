/**
 * Files and lines of the functions that a kernel names in its messages: KDB's backtrace has none.
 *
 * @module
 */

import type { LoadedCode } from "./loaded_code.ts";

/** As KDB prints it: `panic() at panic+0x43/frame 0x...`, `#2 0x... at panic+0x43`. */
const PLACE = / at ([\w.]{1,128})\+0x([0-9a-f]{1,6})\b/;

/**
 * Finds the file and line of a line of KDB's backtrace.
 *
 * @returns e.g. `kern_shutdown.c:889`; `null` if the line names no function, or nothing knows its line
 */
export async function placeOfMessage(line: string, code: LoadedCode): Promise<string | null> {
  const match = PLACE.exec(line);
  if (match === null) return null;
  const offset = BigInt(`0x${match[2]}`);
  for (const { symbols, debug } of code.objects) {
    const symbol = symbols?.find(match[1]!) ?? null;
    if (symbol === null || debug === null || (symbol.size !== 0n && offset > symbol.size)) continue;
    // What it names is a return address: the call is before it.
    const [frame] = await debug.sourceFrames(symbol.address + offset - (offset === 0n ? 0n : 1n));
    if (frame?.file != null && frame.line !== null) return `${frame.file}:${frame.line}`;
  }
  return null;
}
