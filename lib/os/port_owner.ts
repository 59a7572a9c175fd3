/**
 * How to find out who has a UDP port.
 *
 * @module
 */

/** The command that shows which process has a UDP port, in quotes. */
export function findPortOwner(port: number, os: typeof Deno.build.os = Deno.build.os): string {
  switch (os) {
    case "linux":
      return `"ss -ulpn sport = :${port}"`;
    case "freebsd":
      return `"sockstat -4 -P udp -p ${port}"`;
    case "windows":
      return `"Get-NetUDPEndpoint -LocalPort ${port}"`;
    default:
      return `"lsof -nP -iUDP:${port}"`;
  }
}
