/**
 * Ranges of bytes as people read them.
 *
 * @module
 */

/** Formats ranges, `end` exclusive, for people and for the info file: `0x5a8-0xb50 (1448 bytes), ...`. */
export function formatRanges(ranges: readonly { readonly start: number; readonly end: number }[]): string {
  return ranges.map(({ start, end }) =>
    `0x${start.toString(16)}-0x${end.toString(16)} (${end - start} bytes)`
  )
    .join(", ");
}
