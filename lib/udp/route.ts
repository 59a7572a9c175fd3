/**
 * The route to a server, as the system knows it: a connected socket (ip(7)) tells the local address that is sent from, and the MTU
 * (IP_MTU), with what the system learned of the way on Path MTU Discovery. The socket is one of Deno's that sends nothing.
 *
 * @module
 */
import { formatAddress, parseAddress } from "../protocol/ipv4.ts";
import { Constant, Layout, openLibrary } from "./native_abi.ts";
import type { NativeMover } from "./native_mover.ts";

const IPPROTO_IP = 0;
const IP_MTU = 14;

const SYMBOLS = {
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
} as const;

/** What a route is like. */
export interface Route {
  /** Local address that is sent from. */
  readonly local: string;
  /** `undefined` if the system does not tell. */
  readonly mtu: number | undefined;
}

/** Asks for the route from a local address, `0.0.0.0` for any, to a server; `undefined` if the system does not tell. */
export type AskRoute = (client: string, server: string) => Route | undefined;

/** Opens what asks for routes; `undefined` where the system's library cannot be had. */
export function openRoutes(mover: NativeMover): AskRoute | undefined {
  const libc = openLibrary(SYMBOLS);
  return libc && ((client, server) => {
    let conn: Deno.DatagramConn | undefined;
    try {
      conn = Deno.listenDatagram({ transport: "udp", hostname: client, port: 0 });
      const fd = mover.descriptorOf(conn.addr as Deno.NetAddr);
      const address = parseAddress(server);
      if (fd === undefined || address === undefined) return undefined;
      const name = new DataView(new ArrayBuffer(Layout.SOCKADDR));
      name.setUint16(Layout.FAMILY, Constant.AF_INET, true);
      // Any port but 0 will do, for nothing is sent.
      name.setUint16(Layout.PORT, 9);
      name.setUint32(Layout.ADDRESS, address);
      const bytes = new Uint8Array(name.buffer);
      const size = (bytes: number) => new Uint8Array(new Uint32Array([bytes]).buffer);
      if (libc.connect(fd, bytes, Layout.SOCKADDR) !== 0) return undefined;
      if (libc.getsockname(fd, bytes, size(Layout.SOCKADDR)) !== 0) return undefined;
      const value = new Uint32Array(1);
      const failed = libc.getsockopt(fd, IPPROTO_IP, IP_MTU, new Uint8Array(value.buffer), size(4));
      return {
        local: formatAddress(name.getUint32(Layout.ADDRESS)),
        mtu: failed === 0 ? value[0] : undefined,
      };
    } catch {
      // The address is not this machine's: whoever sends from it will tell.
      return undefined;
    } finally {
      conn?.close();
    }
  });
}
