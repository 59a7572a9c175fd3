/**
 * The MTU of the interface towards a server, where the system tells: on Linux, by its routing table.
 *
 * @module
 */
import { parseAddress } from "../protocol/ipv4.ts";

/** The MTU of Ethernet, taken where none can be found out. */
export const ETHERNET_MTU = 1500;

/** A line of Linux's `/proc/net/route`. */
interface Route {
  readonly name: string;
  readonly destination: number;
  readonly mask: number;
  readonly metric: number;
}

const ROUTE_UP = 1;

/** Parses `/proc/net/route`; addresses in it are hexadecimal, in the machine's (little-endian) byte order. */
export function parseRoutes(text: string): Route[] {
  const address = (hex: string) => {
    const value = parseInt(hex, 16);
    return ((value & 0xff) << 24 | (value & 0xff00) << 8 | (value >>> 8) & 0xff00 | value >>> 24) >>> 0;
  };
  return text.split("\n").slice(1).flatMap((line) => {
    const [name, destination, , flags, , , metric, mask] = line.split(/\s+/);
    if (name === undefined || destination === undefined || mask === undefined) return [];
    if ((parseInt(flags ?? "0", 16) & ROUTE_UP) === 0) return [];
    return [{ name, destination: address(destination), mask: address(mask), metric: Number(metric) }];
  });
}

/** Finds the interface by which packets to an address leave; `undefined` if there is no route. */
export function interfaceTowards(routes: readonly Route[], server: string): string | undefined {
  const address = parseAddress(server) ?? 0;
  const matching = routes.filter(({ destination, mask }) => (address & mask) >>> 0 === destination);
  matching.sort((a, b) => b.mask - a.mask || a.metric - b.metric);
  return matching[0]?.name;
}

/**
 * Finds out the MTU of the interface towards a server.
 *
 * @param client the local address to send from, if one is set
 * @returns bytes, or `undefined` where the system does not tell
 */
export function interfaceMtu(server: string, client: string | undefined): number | undefined {
  try {
    const name = loopback(server) ?? interfaceOf(client) ?? interfaceOf(server) ??
      interfaceTowards(parseRoutes(Deno.readTextFileSync("/proc/net/route")), server);
    if (name === undefined) return undefined;
    const mtu = Number(Deno.readTextFileSync(`/sys/class/net/${name}/mtu`));
    return Number.isInteger(mtu) && mtu > 0 ? mtu : undefined;
  } catch {
    // Not Linux, or not permitted.
    return undefined;
  }
}

/** The interface that has an address. */
function interfaceOf(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  return Deno.networkInterfaces().find((candidate) => candidate.address === address)?.name;
}

function loopback(server: string): string | undefined {
  return server.startsWith("127.") ? interfaceOf("127.0.0.1") : undefined;
}
