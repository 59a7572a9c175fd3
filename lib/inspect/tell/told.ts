/**
 * A string from a dump on a line for people: it drives no terminal (P8), and is no longer than a line can be.
 *
 * @module
 */

import { escapeLine } from "../../text/escape.ts";
import { cutLine } from "../../text/lines.ts";

/** Escapes and cuts a string. */
export function told(text: string): string {
  return cutLine(escapeLine(text));
}
