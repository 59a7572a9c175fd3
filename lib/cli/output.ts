/**
 * Standard output as a stream of bytes.
 *
 * @module
 */

import { escapeLines } from "../text/escape.ts";
import { piecesOf } from "../text/lines.ts";
import { describeError } from "../os/system_error.ts";
import { OperationError } from "./exit_status.ts";

/** Nothing more can be written to stdout. */
export class OutputError extends OperationError {}

/**
 * Writes all of it to stdout; a reader that went away (`netdump ... | head`) is not an error.
 *
 * @throws {OutputError}
 */
export async function writeStdout(data: string | Uint8Array): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  try {
    for (let at = 0; at < bytes.byteLength;) at += await Deno.stdout.write(bytes.subarray(at));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return;
    throw new OutputError(`Cannot write to standard output: ${describeError(error)}`);
  }
}

/** Characters that are escaped at a time: a text may have millions, and four times as many when it is escaped. */
const PIECE_UNITS = 2 ** 20;

/**
 * Writes a text of several lines to stdout, escaped and ended by a line feed.
 *
 * @throws {OutputError}
 */
export async function writeLines(text: string): Promise<void> {
  for (const piece of piecesOf(text, PIECE_UNITS)) await writeStdout(escapeLines(piece));
  if (text !== "" && !text.endsWith("\n")) await writeStdout("\n");
}
