import { assert, assertEquals } from "@std/assert";
import { openLibc } from "../../lib/udp/native_abi.ts";
import { inNamespaces, NO_NAMESPACES } from "./namespaces.ts";
import { randomBytes, sendCommandLine, withDumpDirectory } from "./send_process.ts";

const NO_LIBC = openLibc() === undefined ? "no glibc on 64-bit Linux with Deno 2.5" : undefined;

/** Routes on which nobody answers, and what is sent at most: a tunnel's, a jumbo frame's, cut down to what netdumpd can take. */
const SETUP = `ip link set lo up
ip addr add 10.9.0.1/24 dev lo
ip route add 198.51.100.0/24 dev lo mtu 1420
ip route add 203.0.113.0/24 dev lo mtu 9000`;

/** What `send` has room for in a datagram to `server`, when it gave up. */
async function payloadSize(dump: string, server: string, ...args: string[]): Promise<number> {
  const options = [
    "--server",
    server,
    "--retries",
    "0",
    "--timeout",
    "0.1s",
    "--force",
    "--quiet",
    "--json",
    ...args,
  ];
  const command = [Deno.execPath(), ...sendCommandLine([...options, dump])];
  const [program = "", ...rest] = inNamespaces(["--net"], SETUP)(command);
  const { stdout, stderr } = await new Deno.Command(program, { args: rest, stdin: "null" }).output();
  const text = new TextDecoder().decode(stdout);
  assert(text !== "", new TextDecoder().decode(stderr));
  return JSON.parse(text).payloadSize;
}

for (
  const [what, server, args, expected] of [
    ["asks the route", "198.51.100.7", [], 1420 - 52],
    ["asks the route from the address that it is given", "198.51.100.7", ["-c", "10.9.0.1"], 1420 - 52],
    ["takes no more of a jumbo route than netdumpd can", "203.0.113.7", [], 4096],
    ["takes the size that it is told", "198.51.100.7", ["--mtu", "600"], 600 - 52],
    ["takes an Ethernet's without the system's library", "198.51.100.7", ["--no-native"], 1448],
  ] as const
) {
  const why = NO_NAMESPACES ?? ((args as readonly string[]).includes("--no-native") ? undefined : NO_LIBC);
  Deno.test({
    name: `send ${what} how large a packet may be${why === undefined ? "" : ` (skipped: ${why})`}`,
    ignore: why !== undefined,
    fn: () =>
      withDumpDirectory(async (_, write) => {
        assertEquals(
          await payloadSize(await write("vmcore.0", randomBytes(8192, 1)), server, ...args),
          expected,
        );
      }),
  });
}
