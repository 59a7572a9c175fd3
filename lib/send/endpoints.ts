/**
 * The two ends of a transmission: the server's address and the client's socket.
 *
 * @module
 */
import { lookup } from "node:dns";
import { parseAddress } from "../protocol/ipv4.ts";
import { quote } from "../text/escape.ts";
import { SendError } from "./failure.ts";
import { findPortOwner } from "../os/port_owner.ts";
import { describeError, errorCode } from "../os/system_error.ts";

/**
 * Resolves a server's name with the system's resolver, so that `/etc/hosts` counts.
 *
 * @returns a dotted IPv4 address: netdump knows no other
 * @throws {SendError} if there is none
 */
export async function resolveServer(host: string): Promise<string> {
  if (parseAddress(host) !== undefined) return host;
  try {
    return await lookupAddress(host);
  } catch (error) {
    throw new SendError(`Cannot find an IPv4 address of ${quote(host)}: ${describeLookup(error)}`);
  }
}

// "node:dns/promises" would do, but prints a deprecation warning on Deno 2.4.
function lookupAddress(host: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lookup(host, { family: 4 }, (error, address) => error === null ? resolve(address) : reject(error));
  return promise;
}

function describeLookup(error: unknown): string {
  switch (errorCode(error)) {
    case "ENOTFOUND":
      return "no name server and no hosts file has one";
    case "EAI_AGAIN":
      return "no name server answers";
    default:
      return describeError(error);
  }
}

/** Any of this machine's addresses. */
export const ANY_ADDRESS = "0.0.0.0";

/**
 * The local address that reaches a server. A socket bound to it leaves the port to others on this machine that send from another.
 *
 * @param ofRoute what the system says of the route; else this machine's interfaces tell, as far as they do
 * @returns {@linkcode ANY_ADDRESS} if nothing tells
 */
export function addressTowards(
  server: string,
  ofRoute: string | undefined,
  interfaces: readonly Interface[] = Deno.networkInterfaces(),
): string {
  if (ofRoute !== undefined) return ofRoute;
  const own = interfaces.filter(({ family }) => family === "IPv4");
  if (own.some(({ address }) => address === server)) return server;
  const near = own.find(({ address, netmask }) => isInNetwork(server, address, netmask));
  if (near !== undefined) return near.address;
  // By a router: clear only where there is one address to send from.
  const outward = own.filter(({ address }) => !address.startsWith("127."));
  return outward.length === 1 ? outward[0]!.address : ANY_ADDRESS;
}

/** What is looked at of an interface's address. */
type Interface = Pick<Deno.NetworkInterfaceInfo, "family" | "address" | "netmask">;

/** Whether an address is in the network of an interface's. */
function isInNetwork(address: string, ofInterface: string, netmask: string): boolean {
  const [a, b, mask] = [address, ofInterface, netmask].map(parseAddress);
  return a !== undefined && b !== undefined && mask !== undefined && ((a ^ b) & mask) === 0;
}

/**
 * Opens the client's socket.
 *
 * @throws {SendError} if the port is in use, the address is not this machine's, or permission is missing
 */
export function openSocket(address: string, port: number): Deno.DatagramConn {
  try {
    return Deno.listenDatagram({ transport: "udp", hostname: address, port });
  } catch (error) {
    const attempt = `Cannot send from ${address}:${port}`;
    if (error instanceof Deno.errors.AddrInUse) {
      throw new SendError(`${attempt}: the port is in use; ${findPortOwner(port)} shows by which process`);
    }
    if (error instanceof Deno.errors.AddrNotAvailable) {
      throw new SendError(`${attempt}: no interface of this machine has that address`);
    }
    throw new SendError(`${attempt}: ${describeError(error)}`);
  }
}
