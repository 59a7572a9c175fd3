/**
 * Failures of `netdump send` that the user can understand and act on.
 *
 * @module
 */

/** A dump that could not be sent: one line that says what was attempted, what was found and what to do. */
export class SendError extends Error {
  override readonly name = "SendError";
}
