import { assertEquals, assertRejects } from "@std/assert";
import { resolveServer } from "../../lib/send/endpoints.ts";
import { findPortOwner } from "../../lib/os/port_owner.ts";
import { SendError } from "../../lib/send/failure.ts";

Deno.test("resolveServer() takes addresses as they are and asks the system's resolver for names", async () => {
  assertEquals(await resolveServer("192.0.2.10"), "192.0.2.10");
  assertEquals(await resolveServer("localhost"), "127.0.0.1");
  await assertRejects(
    () => resolveServer("no-such-host.invalid"),
    SendError,
    'address of "no-such-host.invalid"',
  );
});

Deno.test("findPortOwner() names a command that each system has", () => {
  assertEquals(findPortOwner(20024, "linux"), '"ss -ulpn sport = :20024"');
  assertEquals(findPortOwner(20024, "freebsd"), '"sockstat -4 -P udp -p 20024"');
  assertEquals(findPortOwner(20024, "darwin"), '"lsof -nP -iUDP:20024"');
  assertEquals(findPortOwner(20024, "windows"), '"Get-NetUDPEndpoint -LocalPort 20024"');
});
