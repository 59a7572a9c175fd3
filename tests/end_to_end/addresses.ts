/** Loopback addresses that no other process of these tests uses: clients own port 20024 of theirs. */

const NETWORK = `127.${16 + Deno.pid % 200}.${Math.floor(Deno.pid / 200) % 250}`;
let last = 0;

/** A loopback address that was not given out before. */
export function freshAddress(): string {
  if (last === 254) throw new Error("No loopback address is left");
  return `${NETWORK}.${++last}`;
}
