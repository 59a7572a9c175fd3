/**
 * Text out of bytes that are UTF-8 as a rule, and back: what is not UTF-8 keeps its bytes. A byte that belongs to no
 * character becomes the unpaired surrogate U+DC00 + byte, U+DC80 to U+DCFF, which no UTF-8 gives.
 *
 * @module
 */

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const BYTES = 0xdc00;

/** Names are put together here: asking a decoder takes longer, and a refusal of its much longer. */
const SHORT_BYTES = 64;

/** Decodes any bytes; {@linkcode encodeUtf8} gives the same bytes again. */
export function decodeUtf8(bytes: Uint8Array): string {
  if (bytes.byteLength <= SHORT_BYTES) return decodePiecewise(bytes);
  try {
    return STRICT.decode(bytes);
  } catch {
    return decodePiecewise(bytes);
  }
}

/** Characters that are put together at a time. */
const CHUNK_UNITS = 8192;

function decodePiecewise(bytes: Uint8Array): string {
  const units = new Uint16Array(Math.min(CHUNK_UNITS, bytes.byteLength));
  let filled = 0;
  let text = "";
  for (let at = 0; at < bytes.byteLength;) {
    const length = characterLength(bytes, at);
    const code = length === 0 ? BYTES + bytes[at]! : codePoint(bytes, at, length);
    if (code > 0xffff) units[filled++] = 0xd800 + ((code - 0x10000) >> 10);
    units[filled++] = code > 0xffff ? 0xdc00 + (code & 0x3ff) : code;
    at += Math.max(1, length);
    if (filled >= CHUNK_UNITS - 1 || at >= bytes.byteLength) {
      text += String.fromCharCode(...units.subarray(0, filled));
      filled = 0;
    }
  }
  return text;
}

/** The character of a valid sequence. */
function codePoint(bytes: Uint8Array, at: number, length: number): number {
  let code = length === 1 ? bytes[at]! : bytes[at]! & (0x7f >> length);
  for (let next = at + 1; next < at + length; next++) code = code << 6 | bytes[next]! & 0x3f;
  return code;
}

/** Bytes of the character that begins here; 0 if none does (RFC 3629: no overlong form, no surrogate, at most U+10FFFF). */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const second = bytes[at + 1] ?? 0;
  const continues = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80;
  if (first < 0xc2 || first > 0xf4 || !continues(second)) return 0;
  if (first < 0xe0) return 2;
  if (!continues(bytes[at + 2])) return 0;
  if (first < 0xf0) {
    const overlong = first === 0xe0 && second < 0xa0;
    const surrogate = first === 0xed && second > 0x9f;
    return overlong || surrogate ? 0 : 3;
  }
  const overlong = first === 0xf0 && second < 0x90;
  const beyond = first === 0xf4 && second > 0x8f;
  return overlong || beyond || !continues(bytes[at + 3]) ? 0 : 4;
}

/** A byte that stands for itself. */
const LONE_BYTE = /[\udc80-\udcff]/;

/**
 * Encodes text: the bytes that {@linkcode decodeUtf8} decoded. Other unpaired surrogates become U+FFFD.
 *
 * @param limit bytes at most; a character that does not fit is left out, with all behind it
 */
export function encodeUtf8(text: string, limit = Infinity): Uint8Array {
  const encoder = new TextEncoder();
  if (limit === Infinity && !LONE_BYTE.test(text)) return encoder.encode(text);
  const bytes: number[] = [];
  for (const character of text) {
    const unit = character.charCodeAt(0);
    const lone = character.length === 1 && unit >= BYTES + 0x80 && unit <= BYTES + 0xff;
    const encoded = lone ? [unit - BYTES] : encoder.encode(character);
    if (bytes.length + encoded.length > limit) break;
    bytes.push(...encoded);
  }
  return Uint8Array.from(bytes);
}
