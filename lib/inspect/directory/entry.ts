/**
 * One dump of a directory, as it is listed.
 *
 * @module
 */

/** How a dump in a directory fares. */
export type State = typeof STATES[number];

/** All states. */
export const STATES = [
  /** All of it is there. */
  "whole",
  /** Its server says that it never arrived completely. */
  "partial",
  /** It is shorter than it should be, and nobody said so: the file was cut later, or never written to its end. */
  "truncated",
  /** Something else is wrong with it. */
  "bad",
  "unknown",
  /** Files that belong to a dump, but the dump itself is not there. */
  "orphaned",
  "unreadable",
] as const;

/** One line of `netdump inspect --json DIR`. */
export interface Entry extends Facts {
  readonly directory: string;
  /** The dump; of an orphan the first of the files that are left. */
  readonly file: string;
  /** Everything that belongs to it by its name, itself included. */
  readonly files: readonly string[];
}

/** What was found out by reading it. */
export interface Facts {
  readonly host: string | null;
  readonly number: number | null;
  /** When it crashed, ISO 8601 in UTC; when the file was written, where that is not known. */
  readonly time: string | null;
  /** Whether `time` is that of the crash. */
  readonly timeOfCrash: boolean;
  readonly size: number;
  readonly layers: readonly string[];
  readonly kind: string;
  readonly panic: string | null;
  /** The panic with its addresses masked: equal for equal panics. */
  readonly signature: string | null;
  readonly state: State;
  readonly complete: boolean | null;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
  /** `false` if `time` came without a zone and is taken as this machine's local time. */
  readonly timeZoned: boolean;
}
