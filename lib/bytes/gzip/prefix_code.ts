/**
 * The prefix codes of deflate (RFC 1951, section 3.2.2).
 *
 * @module
 */

/** Codes up to this length are looked up at once; longer ones are rare by their nature. */
export const LOOKUP_BITS = 10;
const MAX_BITS = 15;

/** A code ready for decoding. */
export interface PrefixCode {
  /** By the next {@linkcode LOOKUP_BITS} bits: symbol << 4 | length, or 0 for a longer or unassigned code. */
  readonly lookup: Uint16Array;
  /** How many codes there are of each length, */
  readonly counts: Uint16Array;
  /** and the symbols in the order of their codes: for the longer ones. */
  readonly sorted: Uint16Array;
}

/** The most symbols that an alphabet of deflate has. */
const MOST_SYMBOLS = 288;

/** Memory for a code. */
export function emptyPrefixCode(): PrefixCode {
  return {
    lookup: new Uint16Array(1 << LOOKUP_BITS),
    counts: new Uint16Array(MAX_BITS + 1),
    sorted: new Uint16Array(MOST_SYMBOLS),
  };
}

/** The next code of each length, and where its symbol goes: for one call at a time. */
const codes = new Uint16Array(MAX_BITS + 2);
const places = new Uint16Array(MAX_BITS + 2);

/**
 * Builds a code from the lengths of its symbols' codes, 0 for a symbol that does not occur.
 *
 * @param memory what it is built in: blocks may be tiny and millions
 * @returns `undefined` if the lengths name more codes than there can be, or fewer (but for a single code)
 */
export function buildPrefixCode(lengths: ArrayLike<number>, memory: PrefixCode): PrefixCode | undefined {
  const { lookup, counts, sorted } = memory;
  counts.fill(0);
  for (let symbol = 0; symbol < lengths.length; symbol++) counts[lengths[symbol]!]!++;
  const used = lengths.length - counts[0]!;
  counts[0] = 0;
  let free = 1;
  for (let bits = 1; bits <= MAX_BITS; bits++) {
    free = 2 * free - counts[bits]!;
    if (free < 0) return undefined;
  }
  if (free > 0 && used > 1) return undefined;
  codes[1] = places[1] = 0;
  for (let bits = 1; bits <= MAX_BITS; bits++) {
    codes[bits + 1] = (codes[bits]! + counts[bits]!) << 1;
    places[bits + 1] = places[bits]! + counts[bits]!;
  }
  lookup.fill(0);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const bits = lengths[symbol]!;
    if (bits === 0) continue;
    sorted[places[bits]!++] = symbol;
    const code = reverse(codes[bits]!++, bits);
    if (bits > LOOKUP_BITS) continue;
    for (let at = code; at < lookup.length; at += 1 << bits) lookup[at] = symbol << 4 | bits;
  }
  return memory;
}

/**
 * Decodes a code that is longer than the lookup reaches.
 *
 * @param hold the next bits, lowest first
 * @returns symbol << 4 | length, or 0 if the bits begin no code
 */
export function decodeLongCode(code: PrefixCode, hold: number): number {
  let value = 0;
  let first = 0;
  let index = 0;
  for (let bits = 1; bits <= MAX_BITS; bits++) {
    value |= hold >>> (bits - 1) & 1;
    const count = code.counts[bits]!;
    if (value - first < count) return code.sorted[index + value - first]! << 4 | bits;
    index += count;
    first = (first + count) << 1;
    value <<= 1;
  }
  return 0;
}

/** Codes are packed from their highest bit on, everything else in deflate from the lowest. */
function reverse(code: number, bits: number): number {
  let reversed = 0;
  for (let bit = 0; bit < bits; bit++) reversed |= (code >> bit & 1) << (bits - 1 - bit);
  return reversed;
}
