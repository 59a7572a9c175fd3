/**
 * The MTU on the way to a server, as far as it can be known. Deno tells an interface's addresses, not its MTU, and
 * lets nobody read `/sys` and `/proc` who has not all permissions.
 *
 * @module
 */
import { FREEBSD12_MAX_PAYLOAD_SIZE, HEADER_SIZE, IP_UDP_HEADER_SIZE } from "../protocol/message.ts";

/** The MTU of Ethernet. */
export const ETHERNET_MTU = 1500;
/** Loopback has room for more, but netdumpd has not: 4,148 is the largest MTU that works with it. */
export const LOOPBACK_MTU = IP_UDP_HEADER_SIZE + HEADER_SIZE + FREEBSD12_MAX_PAYLOAD_SIZE;

/** The MTU to take for the way to a server: loopback's if its address is one of this machine, else Ethernet's. */
export function mtuTowards(
  server: string,
  interfaces: readonly { readonly address: string }[] = Deno.networkInterfaces(),
): number {
  const local = server.startsWith("127.") || interfaces.some(({ address }) => address === server);
  return local ? LOOPBACK_MTU : ETHERNET_MTU;
}
