/**
 * The machine's IPv4 addresses.
 *
 * @module
 */

/** Every IPv4 address of an interface, loopback included. Needs `sys` permission "networkInterfaces". */
export function localAddresses(): string[] {
  const addresses = Deno.networkInterfaces().filter(({ family }) => family === "IPv4").map(({ address }) =>
    address
  );
  return [...new Set(addresses)];
}
