/**
 * Standard output as a stream of bytes.
 *
 * @module
 */

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
