/**
 * How the zstd decoder says that a stream breaks the format (RFC 8878, whose sections the comments name).
 *
 * @module
 */

/** The compressed stream is damaged: what was decoded before stays good. */
export class CorruptStreamError extends Error {
  override readonly name = "CorruptStreamError";
}

/** Throws {@linkcode CorruptStreamError} unless the condition holds. */
export function ensure(condition: boolean, what: string): asserts condition {
  if (!condition) throw new CorruptStreamError(what);
}
