/**
 * How the zstd decoder says why a stream ends before its end (RFC 8878, whose sections the comments name).
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

/** The stream stops before it ends. */
export class TruncatedStreamError extends Error {
  override readonly name = "TruncatedStreamError";
}

/** The stream needs what no kernel uses. */
export class UnsupportedStreamError extends Error {
  override readonly name = "UnsupportedStreamError";
}

/** What came out is not what went in. */
export class ChecksumError extends Error {
  override readonly name = "ChecksumError";
}
