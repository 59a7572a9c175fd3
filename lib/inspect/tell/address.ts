/**
 * Addresses as reports write them.
 *
 * @module
 */

/** A virtual or physical address: `0x` and 16 digits, 8 on 32-bit machines. */
export type Address = `0x${string}`;

/** Formats an address of a machine with 32-bit or 64-bit ones. */
export function formatAddress(address: bigint, bits: 32 | 64): Address {
  return `0x${address.toString(16).padStart(bits / 4, "0")}`;
}
