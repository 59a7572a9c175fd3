/**
 * The terminal that a command writes to, if it does.
 *
 * @module
 */

/** Columns of the terminal that a stream is; `null` if it is none, or none that knows its size. */
export function terminalWidth(stream: { isTerminal(): boolean } = Deno.stdout): number | null {
  if (!stream.isTerminal()) return null;
  try {
    // A terminal that does not know its size says 0.
    return Deno.consoleSize().columns || null;
  } catch {
    return null;
  }
}
