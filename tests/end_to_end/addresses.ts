/**
 * Loopback addresses and ports that no other test, and no other run on this machine, uses at the same time. Clients
 * own port 20024 of their addresses.
 */

let network = freshNetwork();
let last = 0;

/** An address of 127.0.0.0/8 that nobody else has. */
export function freshAddress(): string {
  if (last === 254) {
    network = freshNetwork();
    last = 0;
  }
  return `${network}.${++last}`;
}

function freshNetwork(): string {
  const [second, third] = crypto.getRandomValues(new Uint8Array(2));
  return `127.${100 + second! % 128}.${third!}`;
}

/** A port that is free with all likelihood: nobody else has the addresses it is used with. */
export function freshPort(): number {
  return 21000 + Math.floor(Math.random() * 9000);
}
