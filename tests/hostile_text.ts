import fc from "fast-check";

/**
 * Text as an attacker would send it: any UTF-16 code units, lone surrogates included, with many control characters,
 * separators and marks that turn the direction of writing.
 */
export const hostileText: fc.Arbitrary<string> = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 0xffff }),
    fc.integer({ min: 0, max: 0xa0 }),
    fc.constantFrom(0x0a, 0x1b, 0x5c, 0x7f, 0x9b, 0x2028, 0x202e, 0x2066, 0xd800, 0xdc00, 0xfeff),
  ),
  { maxLength: 60 },
).map((units) => String.fromCharCode(...units));

/** What may not reach a terminal: control characters, separators of lines, marks of direction, non-characters. */
export const UNSAFE_TO_SHOW = // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]/;
