/**
 * The MTU of the route to a server, as the system knows it: it tells that of a connected socket (ip(7), IP_MTU), with what it learned
 * of the way on Path MTU Discovery. The socket is one of Deno's that sends nothing.
 *
 * @module
 */
import { parseAddress } from "../protocol/ipv4.ts";
import { Constant, Layout, openLibrary } from "./native_abi.ts";
import type { NativeMover } from "./native_mover.ts";

const IPPROTO_IP = 0;
const IP_MTU = 14;

const SYMBOLS = {
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
} as const;

/** The MTU of the route from a local address, `0.0.0.0` for any, to a server; `undefined` if the system does not tell. */
export type RouteMtu = (client: string, server: string) => number | undefined;

/** Opens what asks for the MTU of a route; `undefined` where the system's library cannot be had. */
export function openRouteMtu(mover: NativeMover): RouteMtu | undefined {
  const libc = openLibrary(SYMBOLS);
  return libc && ((client, server) => {
    const conn = Deno.listenDatagram({ transport: "udp", hostname: client, port: 0 });
    try {
      const fd = mover.descriptorOf(conn.addr as Deno.NetAddr);
      const address = parseAddress(server);
      if (fd === undefined || address === undefined) return undefined;
      const name = new DataView(new ArrayBuffer(Layout.SOCKADDR));
      name.setUint16(Layout.FAMILY, Constant.AF_INET, true);
      // Any port but 0 will do, for nothing is sent.
      name.setUint16(Layout.PORT, 9);
      name.setUint32(Layout.ADDRESS, address);
      if (libc.connect(fd, new Uint8Array(name.buffer), Layout.SOCKADDR) !== 0) return undefined;
      const value = new Uint32Array(1);
      const length = new Uint8Array(new Uint32Array([4]).buffer);
      const failed = libc.getsockopt(fd, IPPROTO_IP, IP_MTU, new Uint8Array(value.buffer), length);
      return failed === 0 ? value[0] : undefined;
    } finally {
      conn.close();
    }
  });
}
