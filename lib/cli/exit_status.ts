/**
 * Exit statuses of every command.
 *
 * @module
 */

/** What the process ends with. */
export const ExitStatus = {
  /** It worked. */
  OK: 0,
  /** The operation failed, or the dump is bad. */
  FAILED: 1,
  /** The command line is wrong. */
  USAGE: 2,
} as const;
/** One of {@linkcode ExitStatus}'s numbers. */
export type ExitStatus = typeof ExitStatus[keyof typeof ExitStatus];

/** What shells call it when a signal ended a program: 128, and the signal's number. */
export const SignalStatus = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, SIGBREAK: 149 } as const;

/** An operation that failed for a reason the user can understand: one line, no stack trace, status 1. */
export class OperationError extends Error {
  override readonly name = "OperationError";
}
