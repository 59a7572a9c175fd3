import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { addressTowards, resolveServer } from "../../lib/send/endpoints.ts";
import { findPortOwner } from "../../lib/os/port_owner.ts";
import { SendError } from "../../lib/send/failure.ts";

Deno.test("resolveServer() takes addresses as they are and asks the system's resolver for names", async () => {
  assertEquals(await resolveServer("192.0.2.10"), "192.0.2.10");
  assertEquals(await resolveServer("localhost"), "127.0.0.1");
  const error = await assertRejects(() => resolveServer("no-such-host.invalid"), SendError);
  // The machine need not have a network.
  assertMatch(
    error.message,
    /^Cannot find an IPv4 address of "no-such-host\.invalid": no name server (and no hosts file has one|answers)/,
  );
});

Deno.test("addressTowards() is the route's, else that of the interface whose network has the server, else the only one", () => {
  const at = (address: string, netmask: string) => ({ family: "IPv4", address, netmask }) as const;
  const six = { family: "IPv6", address: "fe80::1", netmask: "ffff:ffff:ffff:ffff::" } as const;
  const one = [at("127.0.0.1", "255.0.0.0"), six, at("192.0.2.7", "255.255.255.0")];
  const two = [...one, at("203.0.113.9", "255.255.255.128")];
  for (
    const [server, ofRoute, interfaces, expected] of [
      ["198.51.100.1", "10.0.0.1", one, "10.0.0.1"],
      ["127.9.9.9", undefined, two, "127.0.0.1"],
      ["192.0.2.7", undefined, two, "192.0.2.7"],
      ["192.0.2.200", undefined, two, "192.0.2.7"],
      ["203.0.113.100", undefined, two, "203.0.113.9"],
      // Behind a router: which way is known only where there is one.
      ["203.0.113.200", undefined, two, "0.0.0.0"],
      ["203.0.113.200", undefined, one, "192.0.2.7"],
      ["203.0.113.200", undefined, [], "0.0.0.0"],
    ] as const
  ) {
    assertEquals(addressTowards(server, ofRoute, interfaces), expected, `${server} ${ofRoute}`);
  }
});

Deno.test("findPortOwner() names a command that each system has", () => {
  assertEquals(findPortOwner(20024, "linux"), '"ss -ulpn sport = :20024"');
  assertEquals(findPortOwner(20024, "freebsd"), '"sockstat -4 -P udp -p 20024"');
  assertEquals(findPortOwner(20024, "darwin"), '"lsof -nP -iUDP:20024"');
  assertEquals(findPortOwner(20024, "windows"), '"Get-NetUDPEndpoint -LocalPort 20024"');
});
