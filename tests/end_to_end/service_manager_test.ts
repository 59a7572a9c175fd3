/** `netdump serve` under a service manager, which this test is. */
import { assertEquals, assertMatch } from "@std/assert";
import { TempDir } from "../temp_dir.ts";
import { ServerProcess } from "./server_process.ts";
import { PATIENCE_MS } from "../patience.ts";

const linux = Deno.build.os === "linux";

/** Reads datagrams until the manager has all that it waits for. */
async function manage(path: string, address: string): Promise<void> {
  const manager = Deno.listenDatagram({ transport: "unixpacket", path });
  const tooLate = setTimeout(() => manager.close(), PATIENCE_MS);
  using _closed = {
    [Symbol.dispose]: () => {
      clearTimeout(tooLate);
      manager.close();
    },
  };
  const told: string[] = [];
  const until = async (line: string) => {
    while (!told.includes(line)) {
      const [datagram] = await manager.receive();
      told.push(...new TextDecoder().decode(datagram).split("\n").filter((text) => text !== ""));
    }
  };
  await using server = await ServerProcess.start({
    env: { NOTIFY_SOCKET: address, WATCHDOG_USEC: "2000000" },
  });
  await until("READY=1");
  assertMatch(told.join(), /STATUS=Waiting for clients/);
  await until("WATCHDOG=1");
  assertEquals(await server.stop(), 0);
  await until("STOPPING=1");
  await until("EXTEND_TIMEOUT_USEC=10000000");
  assertEquals(server.log("manager-unreachable"), []);
}

Deno.test({
  name: "serve tells a service manager at a path that it is ready, lives and stops",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    using temp = new TempDir("disk");
    await manage(`${temp.path}/notify`, `${temp.path}/notify`);
  },
});

/** Deno reaches abstract sockets from 2.8.3 on. */
const abstract = linux && !/^2\.[0-7]\.|^2\.8\.[0-2]$/.test(Deno.version.deno);

Deno.test({
  name: "serve tells a service manager at an abstract socket" +
    (abstract ? "" : " [skipped: this Deno cannot reach abstract sockets]"),
  ignore: !abstract,
  fn: async () => {
    const name = `netdump-test-${crypto.randomUUID()}`;
    await manage(`\0${name}`, `@${name}`);
  },
});

Deno.test("serve starts where the service manager's socket is nowhere, and says that it could not tell it", async () => {
  for (const address of ["/nowhere/notify", "vsock:2:1234"]) {
    await using server = await ServerProcess.start({ env: { NOTIFY_SOCKET: address } });
    const { message } = await server.event("manager-unreachable");
    assertMatch(message, /^Cannot tell the service manager .*NOTIFY_SOCKET/);
    assertEquals(await server.stop(), 0);
  }
});
