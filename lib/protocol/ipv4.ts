/**
 * IPv4 addresses and networks. netdump knows no other addresses (netdump(4): "Only IPv4 is supported").
 *
 * @module
 */

/** A network in CIDR notation: addresses `a` with `(a & mask) === base`, both as unsigned 32-bit numbers. */
export interface Network {
  readonly base: number;
  readonly mask: number;
  /** Normal form, such as `192.0.2.0/24`. */
  readonly text: string;
}

/** Parses a dotted address to an unsigned 32-bit number; `undefined` if it is none. Leading zeros are refused. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

/** Formats an unsigned 32-bit number as a dotted address. */
export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".");
}

/** Parses `ADDR` or `ADDR/BITS`; `undefined` if it is neither, or has bits set below the prefix. */
export function parseNetwork(text: string): Network | undefined {
  const [addressText = "", bitsText = "32", rest] = text.split("/");
  const address = parseAddress(addressText);
  if (address === undefined || rest !== undefined || !/^(\d|[12]\d|3[0-2])$/.test(bitsText)) {
    return undefined;
  }
  const bits = Number(bitsText);
  const mask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
  const base = (address & mask) >>> 0;
  if (base !== address) return undefined;
  return { base, mask, text: `${formatAddress(base)}/${bits}` };
}

/** Tells whether a dotted address lies in the network. */
export function networkContains(network: Network, addressText: string): boolean {
  const address = parseAddress(addressText);
  return address !== undefined && (address & network.mask) >>> 0 === network.base;
}
