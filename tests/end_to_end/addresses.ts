/**
 * Loopback addresses and ports that no other test, and no other run on this machine, uses at the same time.
 */

const run = crypto.getRandomValues(new Uint8Array(2));
let last = 0;

/** An address of 127.0.0.0/8 that nobody else has. */
export function freshAddress(): string {
  last++;
  return `127.${100 + run[0]! % 128}.${run[1]!}.${last}`;
}

/** A port that is free with all likelihood: nobody else has the addresses it is used with. */
export function freshPort(): number {
  return 21000 + Math.floor(Math.random() * 9000);
}
