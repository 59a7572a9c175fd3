import { assertEquals } from "@std/assert";
import { mtuTowards } from "../../lib/os/interface_mtu.ts";

const interfaces = [{ address: "127.0.0.1" }, { address: "192.0.2.7" }];

Deno.test("mtuTowards() takes the route's, as far as netdumpd can take it", () => {
  for (const [ofRoute, expected] of [[576, 576], [1420, 1420], [9000, 4148], [65536, 4148]] as const) {
    assertEquals(mtuTowards("192.0.2.10", ofRoute, interfaces), expected);
  }
});

Deno.test("mtuTowards() takes Ethernet's where no route tells, and to this machine itself the largest that netdumpd can take", () => {
  assertEquals(mtuTowards("192.0.2.10", undefined, interfaces), 1500);
  assertEquals(mtuTowards("192.0.2.7", undefined, interfaces), 4148);
  assertEquals(mtuTowards("127.0.5.5", undefined, interfaces), 4148);
});
