/**
 * The MTU on the way to a server, as far as it can be known. Deno tells an interface's addresses, not its MTU, and
 * lets nobody read `/sys` and `/proc` who has not all permissions.
 *
 * @module
 */
import { FREEBSD12_MAX_PAYLOAD_SIZE, HEADER_SIZE, IP_UDP_HEADER_SIZE } from "../protocol/message.ts";

/** The MTU of Ethernet. */
export const ETHERNET_MTU = 1500;
/** The largest that works with netdumpd (reference netdump-protocol.md, section 1.5): jumbo frames and loopback have room for more. */
const NETDUMPD_MTU = IP_UDP_HEADER_SIZE + HEADER_SIZE + FREEBSD12_MAX_PAYLOAD_SIZE;

/**
 * The MTU to take for the way to a server: its route's, if that is known, else loopback's if its address is one of this machine, else
 * Ethernet's; never more than netdumpd can take.
 *
 * @param ofRoute what the system says of the route
 */
export function mtuTowards(
  server: string,
  ofRoute: number | undefined,
  interfaces: readonly { readonly address: string }[] = Deno.networkInterfaces(),
): number {
  if (ofRoute !== undefined) return Math.min(ofRoute, NETDUMPD_MTU);
  const local = server.startsWith("127.") || interfaces.some(({ address }) => address === server);
  return local ? NETDUMPD_MTU : ETHERNET_MTU;
}
