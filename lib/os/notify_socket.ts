/**
 * The service manager's socket (sd_notify(3)): datagrams to a socket of the file system or to an abstract one of Linux.
 *
 * @module
 */

import { join } from "@std/path";

/** A socket to the service manager. */
export class NotifySocket {
  readonly #socket: Deno.DatagramConn;
  readonly #to: { readonly transport: "unixpacket"; readonly path: string };

  private constructor(socket: Deno.DatagramConn, path: string) {
    this.#socket = socket;
    this.#to = { transport: "unixpacket", path };
  }

  /**
   * Opens a socket to the address in `NOTIFY_SOCKET`: a path, or an abstract name behind `@` (which Deno can reach from 2.8.3 on).
   *
   * @param directory where a socket may have a name for a moment, where it needs one
   * @throws {Error} in words if the address is of another kind, or the system's error
   */
  static open(address: string, directory: string): NotifySocket {
    if (!/^[/@]./.test(address)) throw new TypeError("it is neither a path nor an abstract name");
    const path = address.startsWith("@") ? `\0${address.slice(1)}` : address;
    return new NotifySocket(bind(directory), path);
  }

  /** Sends variables, one in a line. */
  async send(variables: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
    await this.#socket.send(new TextEncoder().encode(lines.join("")), this.#to);
  }

  /** Closes it. */
  close(): void {
    this.#socket.close();
  }
}

/** A socket to send from. Deno binds all of them, and not to no name. */
function bind(directory: string): Deno.DatagramConn {
  const name = `netdump-${crypto.randomUUID()}`;
  try {
    return Deno.listenDatagram({ transport: "unixpacket", path: `\0${name}` });
  } catch {
    const path = join(directory, name);
    const socket = Deno.listenDatagram({ transport: "unixpacket", path });
    Deno.removeSync(path);
    return socket;
  }
}
