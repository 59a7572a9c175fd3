import { assertEquals } from "@std/assert";
import { mtuTowards } from "../../lib/os/interface_mtu.ts";

Deno.test("mtuTowards() takes Ethernet's, and to this machine itself the largest that netdumpd can take", () => {
  const interfaces = [{ address: "127.0.0.1" }, { address: "192.0.2.7" }];
  assertEquals(mtuTowards("192.0.2.10", interfaces), 1500);
  assertEquals(mtuTowards("192.0.2.7", interfaces), 4148);
  assertEquals(mtuTowards("127.0.5.5", interfaces), 4148);
});
