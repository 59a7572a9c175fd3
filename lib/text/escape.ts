/**
 * Makes text that came from the network or from a dump safe to show (P8).
 *
 * @module
 */

/** C0, DEL, C1, line and paragraph separators, bidirectional controls, unpaired surrogates, and the backslash. */
const UNSAFE = // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\\]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\" };

/**
 * Escapes a string so that it stays on one line and cannot drive a terminal: control characters become `\n`,
 * `\r`, `\t`, `\xNN` or `\u{N}`, bytes that are no UTF-8 (see utf8.ts) `\xNN`, a backslash is doubled. Everything
 * else, letters of any script included, is kept.
 *
 * @example
 * escapeLine("a\x1b[31mb\n") === "a\\x1b[31mb\\n"
 */
export function escapeLine(text: string): string {
  return text.replace(UNSAFE, escapeCharacter);
}

/** The same without line feed and tab. */
const UNSAFE_IN_LINES = // deno-lint-ignore no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\\]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Like {@linkcode escapeLine}, but keeps line feeds and tabs: for text of several lines. */
export function escapeLines(text: string): string {
  return text.replace(UNSAFE_IN_LINES, escapeCharacter);
}

function escapeCharacter(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const code = character.charCodeAt(0);
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
  return code < 0x80 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/** Quotes a value for a message: escaped, in double quotes, at most `limit` characters of it. */
export function quote(text: string, limit = 200): string {
  const shown = text.length > limit ? text.slice(0, limit).replace(/[\ud800-\udbff]$/, "") + "…" : text;
  return `"${escapeLine(shown).replaceAll('"', '\\"')}"`;
}
