/**
 * JSON that can be shown on a terminal as it is (P8).
 *
 * @module
 */

/** What JSON leaves as it is and a terminal obeys, or takes for the end of a line: see escape.ts. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/g;

/** One line of JSON, without a line feed; what would drive a terminal is escaped. */
export function toJsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    UNSAFE_IN_JSON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
