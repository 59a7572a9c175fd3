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
    if (address.startsWith("@")) {
      const socket = bindAbstract();
      if (socket === undefined) throw new TypeError("Deno reaches abstract sockets of Linux from 2.8.3 on");
      return new NotifySocket(socket, `\0${address.slice(1)}`);
    }
    return new NotifySocket(bindAbstract() ?? bind(directory), address);
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

/** A socket to send from: Deno binds all of them, and not to no name. `undefined` where it knows no abstract ones. */
function bindAbstract(): Deno.DatagramConn | undefined {
  try {
    return Deno.listenDatagram({ transport: "unixpacket", path: `\0${newName()}` });
  } catch {
    return undefined;
  }
}

/** The same, by a name in a directory, where it is needed for a moment only. */
function bind(directory: string): Deno.DatagramConn {
  const path = join(directory, newName());
  const socket = Deno.listenDatagram({ transport: "unixpacket", path });
  Deno.removeSync(path);
  return socket;
}

function newName(): string {
  return `netdump-${crypto.randomUUID()}`;
}
