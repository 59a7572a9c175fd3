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
import { describeError } from "../os/system_error.ts";

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
    throw new SendError(`Cannot find an IPv4 address of ${quote(host)}: ${describeError(error)}`);
  }
}

// "node:dns/promises" would do, but prints a deprecation warning on Deno 2.4.
function lookupAddress(host: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lookup(host, { family: 4 }, (error, address) => error === null ? resolve(address) : reject(error));
  return promise;
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
