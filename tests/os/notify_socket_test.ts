import { assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { NotifySocket } from "../../lib/os/notify_socket.ts";
import { TempDir } from "../temp_dir.ts";
import { isInstalled } from "../programs.ts";

const windows = Deno.build.os === "windows";
const VARIABLES = { READY: "1", STATUS: "2 dumps, 97.0 MiB/s", EXTEND_TIMEOUT_USEC: "10000000" };

/** The variables of the next datagram, each with the line feed that may follow it. */
async function receive(manager: Deno.DatagramConn): Promise<string[]> {
  const [datagram] = await manager.receive();
  return new TextDecoder().decode(datagram).split("\n").filter((line) => line !== "");
}

const without = isInstalled("systemd-notify") ? "" : " [skipped: systemd-notify is not installed]";

Deno.test({
  name: `NotifySocket sends what systemd-notify sends${without}`,
  ignore: without !== "",
  fn: async () => {
    using temp = new TempDir("disk");
    const path = join(temp.path, "notify");
    const manager = Deno.listenDatagram({ transport: "unixpacket", path });
    const args = Object.entries(VARIABLES).map(([name, value]) => `${name}=${value}`);
    const theirs = new Deno.Command("systemd-notify", {
      args: ["--no-block", ...args],
      env: { NOTIFY_SOCKET: path },
    }).output();
    const expected = await receive(manager);
    assertEquals((await theirs).success, true);
    const socket = NotifySocket.open(path, temp.path);
    try {
      await socket.send(VARIABLES);
      // systemd-notify adds who is meant.
      assertEquals(await receive(manager), expected.filter((line) => !line.startsWith("MAINPID=")));
    } finally {
      socket.close();
      manager.close();
    }
  },
});

const [major = 0, minor = 0, patch = 0] = Deno.version.deno.split(/[.+-]/).map(Number);
const isOld = major < 2 || (major === 2 && (minor < 8 || (minor === 8 && patch < 3)));

Deno.test({
  name: `NotifySocket opens an abstract socket where Deno can, and says from when on it can`,
  ignore: Deno.build.os !== "linux",
  fn: () => {
    using temp = new TempDir("disk");
    const open = () => NotifySocket.open("@nobody", temp.path).close();
    if (isOld) assertThrows(open, TypeError, "Deno reaches abstract sockets of Linux from 2.8.3 on");
    else open();
  },
});

Deno.test({
  name: "NotifySocket leaves no file behind, and says of another kind of address that it is one",
  ignore: windows,
  fn: () => {
    using temp = new TempDir("disk");
    NotifySocket.open(join(temp.path, "nobody"), temp.path).close();
    assertEquals([...Deno.readDirSync(temp.path)], []);
    for (const address of ["", "@", "vsock:2:1234", "notify"]) {
      assertThrows(
        () => NotifySocket.open(address, temp.path),
        TypeError,
        "neither a path nor an abstract name",
      );
    }
  },
});
