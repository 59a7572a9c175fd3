import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { freshAddress } from "./addresses.ts";
import { inNamespaces, NO_NAMESPACES } from "./namespaces.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";

const PAGE = 4096;
const core = dumpBytes(1, 2 * PAGE);
const header = dumpHeader(core.byteLength);
/** A resolver gives up on a name server after five seconds at the soonest. */
const RESOLVER_MS = 4500;
const ignore = NO_NAMESPACES !== undefined;
const skipped = ignore ? ` (skipped: ${NO_NAMESPACES})` : "";

Deno.test({
  name: `serve on a machine with several addresses answers from the one that was heralded${skipped}`,
  ignore,
  fn: async () => {
    const own = ["10.9.0.1", "10.9.0.2", "10.9.1.3"];
    const client = "10.9.0.9";
    const setup = [
      "ip link set lo up",
      ...[...own, client].map((address) => `ip addr add ${address}/24 dev lo`),
    ];
    await using server = await ServerProcess.start({
      args: ["--no-dns"],
      bindAll: true,
      wrap: inNamespaces(["--net"], setup.join("\n")),
    });
    assertEquals(server.log("listening")[0]!.addresses.toSorted(), [...own, client, "127.0.0.1"].toSorted());
    const script = fromFileUrl(new URL("client_in_namespace.ts", import.meta.url));
    for (const [i, address] of own.entries()) {
      const { success, stderr } = await new Deno.Command("nsenter", {
        args: [
          ...["--target", `${server.pid}`, "--net", Deno.execPath(), "run", "-A", "--quiet", script],
          ...[address, `${server.port}`, client, `${i}`],
        ],
      }).output();
      assert(success, new TextDecoder().decode(stderr));
      assert(sameBytes(server.path(`vmcore.${client}.${i}`), dumpBytes(i, 2 * PAGE)));
      await server.event("completed", ({ local }) => local === address);
    }
  },
});

/** A server that sees another /etc/hosts and /etc/resolv.conf. */
async function serveWithNames(hosts: string, nameserver: string): Promise<ServerProcess> {
  const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  Deno.writeTextFileSync(`${dir}/hosts`, hosts);
  Deno.writeTextFileSync(`${dir}/resolv.conf`, `nameserver ${nameserver}\n`);
  const setup = [
    "mount --make-rprivate /",
    ...["hosts", "resolv.conf"].map((name) => `mount --bind ${dir}/${name} /etc/${name}`),
  ];
  try {
    return await ServerProcess.start({ wrap: inNamespaces(["--mount"], setup.join("\n")) });
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test({
  name:
    `serve names dumps by the system's names, filtered, and keeps two hosts of one short name apart${skipped}`,
  ignore,
  fn: async () => {
    const [alpha, beta, odd] = [freshAddress(), freshAddress(), freshAddress()] as const;
    const hosts = `${alpha} w1.alpha.example w1\n${beta} w1.beta.example\n${odd} a/b;$(reboot).example\n`;
    await using server = await serveWithNames(hosts, freshAddress());
    for (
      const [address, host] of [
        [alpha, "w1"],
        [beta, `w1-${beta.replaceAll(".", "-")}`],
        [odd, "abreboot"],
      ] as const
    ) {
      for (let i = 0; i < 2; i++) {
        await using client = new RawClient(server, address);
        await client.connect(`${i}`);
        await client.dump(core, header);
        assert(sameBytes(server.path(`vmcore.${host}.${i}`), core), `vmcore.${host}.${i} is not there`);
      }
    }
    assertStringIncludes(server.text("info.w1.1"), `Dump from w1 [${alpha}]\n`);
    assertStringIncludes(server.text("info.w1.1"), "\n  Host Name: w1.alpha.example\n");
    assertStringIncludes(server.text("info.abreboot.0"), "\n  Host Name: a/b;$(reboot).example\n");
    const other = `w1-${beta.replaceAll(".", "-")}`;
    const told = `Client ${beta}: another host's dumps are called w1, this one's are called ${other}`;
    await server.event("notice", ({ message }) => message === told);
  },
});

Deno.test({
  name:
    `serve with a name server that never answers acks the first data long before that is known, and stops at once${skipped}`,
  ignore,
  fn: async () => {
    const nameserver = freshAddress();
    const blackHole = Deno.listenDatagram({ transport: "udp", hostname: nameserver, port: 53 });
    try {
      await using server = await serveWithNames("127.0.0.1 localhost\n", nameserver);
      const clients = Array.from({ length: 8 }, () => new RawClient(server));
      await Promise.all(clients.map(async (client) => {
        await client.connect();
        const sent = performance.now();
        await client.vmcore(2, 0, core.subarray(0, PAGE));
        await client.acked(2);
        assertLess(performance.now() - sent, RESOLVER_MS);
        await client.data(3, core.subarray(PAGE), PAGE);
        await client.kdh(4, header);
        await client.acked(4);
        await client.finished(5);
        await client.acked(5);
        // Deno 2.4 calls 127.0.0.0/8 "localhost" without asking anybody.
        const { host, index } = await server.event("completed", (line) => line.client === client.address);
        assert(host === client.address || host === "localhost", host);
        assert(sameBytes(server.path(`vmcore.${host}.${index}`), core));
        await client[Symbol.asyncDispose]();
      }));
      const asked = performance.now();
      assertEquals(await server.stop(), 0);
      assertLess(performance.now() - asked, RESOLVER_MS);
    } finally {
      blackHole.close();
    }
  },
});
