/**
 * Loopback addresses and ports that no other test, and no other run on this machine, uses at the same time. Clients
 * own port 20024 of their addresses.
 */

const run = crypto.getRandomValues(new Uint8Array(2));
const network = `127.${100 + run[0]! % 128}.${run[1]!}`;
let last = 0;

/** An address of 127.0.0.0/8 that nobody else has. */
export function freshAddress(): string {
  if (last === 254) throw new Error("No loopback address is left");
  return `${network}.${++last}`;
}

/** A port that is free with all likelihood: nobody else has the addresses it is used with. */
export function freshPort(): number {
  return 21000 + Math.floor(Math.random() * 9000);
}
