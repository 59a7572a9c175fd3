/** HERALDs that can never succeed: told once with the reason, and summed up. */
import { assertEquals, assertMatch } from "@std/assert";
import { freshAddress, freshPort } from "./addresses.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

const HERALDS = 5;

/** Clients that cannot get through, what the server has of the matter, and its reason. */
const CASES: readonly {
  readonly what: string;
  readonly args: readonly string[];
  readonly port?: number;
  readonly cause: string;
  readonly reason: RegExp;
}[] = [
  {
    what: "from another port than kernels use",
    args: [],
    port: freshPort(),
    cause: "client-port",
    reason: /came from port \d+, and acks go to port 20024.*a NAT on the way changes ports/,
  },
  {
    what: "from an address that is not allowed",
    args: ["--allow", "192.0.2.0/24"],
    cause: "not-allowed",
    reason: /in no network that --allow names/,
  },
  {
    what: "for which there is no room",
    args: ["--min-free", "100%"],
    cause: "disk-full",
    reason: /has .* free, and .* are to be kept free \(--min-free\)/,
  },
];

for (const { what, args, port, cause, reason } of CASES) {
  Deno.test(`HERALDs ${what} are told once, with the reason, and how many more came`, async () => {
    await using server = await ServerProcess.start({ args: ["--no-dns", ...args] });
    await using client = new RawClient(server, freshAddress(), port);
    for (let i = 0; i < HERALDS; i++) await client.herald(undefined, i + 1);
    await server.event("refused");
    // Another one that is told shows that those before it were looked at.
    await using last = new RawClient(server, freshAddress(), port);
    await last.herald();
    await server.event("refused", (line) => line.client === last.address);
    assertEquals(server.log("refused").length, 2);
    assertEquals(client.acks, []);
    assertEquals(await server.stop(), 0);
    const told = server.log("refused").filter((line) => line.client === client.address);
    assertEquals(told.map((line) => [line.cause, line.count]), [[cause, 1], [cause, HERALDS - 1]]);
    for (const line of told) assertMatch(line.reason, reason);
  });
}
