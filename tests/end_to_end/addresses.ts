/**
 * Loopback addresses and ports that no other test, and no other run on this machine, uses at the same time. Clients
 * own port 20024 of their addresses.
 */

import { PATIENCE_MS } from "../patience.ts";

let network = freshNetwork();
let given = 0;

/**
 * An address of 127.0.0.0/8 that nobody else has. Of two that follow each other the lower number is the later text (9, 10, 8,
 * 11, 7, ...): what sorts them in one way is not right by chance.
 */
export function freshAddress(): string {
  if (given === 18) {
    network = freshNetwork();
    given = 0;
  }
  const last = given % 2 === 0 ? 9 - given / 2 : 10 + (given - 1) / 2;
  given++;
  return `${network}.${last}`;
}

function freshNetwork(): string {
  const [second, third] = crypto.getRandomValues(new Uint8Array(2));
  return `127.${100 + second! % 128}.${third!}`;
}

/** A port that is free with all likelihood: nobody else has the addresses it is used with. */
export function freshPort(): number {
  return 21000 + Math.floor(Math.random() * 9000);
}

/**
 * Listens where a socket of ours may have been a moment ago: what another test at once starts from this process holds that
 * socket, too, until it runs its program. Waits without the event loop, for constructors.
 *
 * @throws {Deno.errors.AddrInUse} if somebody has the port for long
 */
export function listenAt(hostname: string, port: number): Deno.DatagramConn {
  for (const lateMs = Date.now() + PATIENCE_MS;;) {
    try {
      return Deno.listenDatagram({ transport: "udp", hostname, port });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || Date.now() > lateMs) throw error;
      Atomics.wait(pause, 0, 0, 5);
    }
  }
}

const pause = new Int32Array(new SharedArrayBuffer(4));
