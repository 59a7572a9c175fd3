/**
 * Failures of `netdump send` that the user can understand and act on.
 *
 * @module
 */

/** A dump that could not be sent: one line that says what was attempted, what was found and what to do. */
export class SendError extends Error {
  override readonly name = "SendError";
}

/** The operating system's words for a failed call, without Deno's prefix. */
export function describeError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/ \(os error \d+\)(?=$|:)/, "").replace(
    /: (?:open|stat|lstat|readfile|read) '.*'$/s,
    "",
  );
}
