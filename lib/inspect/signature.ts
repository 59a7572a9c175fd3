/**
 * The signature of a panic: what equal panics have in common, the addresses masked.
 *
 * @module
 */

/** Six digits and more are an address; small numbers, and offsets behind a plus sign, tell one bug from another. */
const ADDRESS = /(?<!\+)\b0x[0-9a-f]{6,16}\b|\b(?=[0-9a-f]*[a-f])[0-9a-f]{8,16}\b/gi;

/** Masks the addresses in a panic's text. */
export function panicSignature(panic: string): string {
  return panic.trim().replace(/\s+/g, " ").replace(ADDRESS, "0x*");
}

/** Six hex digits that stand for a signature in a table (FNV-1a). */
export function signatureTag(signature: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(signature)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 8).toString(16).padStart(6, "0");
}
