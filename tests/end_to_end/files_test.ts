import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { MessageType } from "../../lib/protocol/message.ts";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { seededRandom, SHARED } from "../helpers.ts";
import { isInstalled } from "../programs.ts";
import { freshAddress } from "./addresses.ts";
import { assertOneCompleteDump } from "./complete_dump.ts";
import { kclient, NO_KCLIENT, PATIENTLY } from "./kclient.ts";
import { sendAsKernel } from "./kernel_client.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess } from "./server_process.ts";
import { WAYS } from "./ways.ts";

const PAGE = 4096;
const core = dumpBytes(1, 2 * PAGE);
const header = dumpHeader(core.byteLength);

async function serve(...args: string[]): Promise<ServerProcess> {
  return await ServerProcess.start({ args: ["--no-dns", ...args] });
}

/** Bytes that a file occupies on the disk. */
function occupied(path: string): number {
  return (Deno.statSync(path).blocks ?? 0) * 512;
}

function mode(server: ServerProcess, name: string): number {
  return Deno.statSync(server.path(name)).mode! & 0o777;
}

Deno.test("serve makes files that only their owner may read, and a key that is read-only", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, dumpHeader(core.byteLength, { dumpKeySize: PAGE }), dumpBytes(2, PAGE));
  const host = client.address;
  await server.until(() => server.names().includes(`bounds.${host}`), "bounds");
  for (const name of [`vmcore_encrypted.${host}.0`, `info.${host}.0`, `kdh.${host}.0`, `bounds.${host}`]) {
    assertEquals(mode(server, name), 0o600, name);
  }
  assertEquals(mode(server, `key.${host}.0`), 0o400);
  assertEquals(Deno.statSync(server.path(".netdump")).mode! & 0o777, 0o700);
});

Deno.test("serve takes messages in any order: key, header and data reversed, doubled and mixed", async () => {
  await using server = await serve();
  for (const seed of [1, 2, 3]) {
    await using client = new RawClient(server);
    const random = seededRandom(seed);
    const data = dumpBytes(seed, 12 * PAGE);
    const key = dumpBytes(9, PAGE);
    const messages: [MessageType, number, Uint8Array][] = [
      [MessageType.KDH, 0, dumpHeader(data.byteLength, { dumpKeySize: PAGE })],
      ...[0, 1448, 2896].map((at) =>
        [MessageType.EKCD_KEY, at, key.subarray(at, at + 1448)] as typeof messages[0]
      ),
    ];
    for (let at = 0; at < data.byteLength; at += PAGE) {
      messages.push([MessageType.VMCORE, at, data.subarray(at, at + PAGE)]);
    }
    const order = [...messages.keys(), ...messages.keys()].map((i) => [random(), i] as const).sort().map((
      [, i],
    ) => i);
    await client.connect();
    for (const i of order) {
      await client.message(messages[i]![0], 2 + i, messages[i]![1], messages[i]![2]);
      await client.acked(2 + i);
    }
    await client.finished(50);
    await client.acked(50);
    await assertOneCompleteDump(server, client.address, data, {
      coreName: `vmcore_encrypted.${client.address}.0`,
      key,
    });
  }
});

Deno.test("serve keeps a dump without a header, as netdumpd's test client sends it, and does not call it complete (P3)", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  const data = dumpBytes(5, 5000);
  await client.connect(undefined, 0);
  for (let i = 0; i < 5; i++) {
    await client.vmcore(1 + i, i * 1000, data.subarray(i * 1000, (i + 1) * 1000));
    await client.acked(1 + i);
  }
  await client.finished(0);
  await client.acked(0);
  assert(sameBytes(server.path(`vmcore.${client.address}.0.incomplete`), data));
  assertStringIncludes(server.text(`info.${client.address}.0`), "\n  Header: none received\n");
  assertStringIncludes(
    server.text(`info.${client.address}.0`),
    "\nDump incomplete: cannot be told: no kernel dump header came\n",
  );
});

Deno.test("serve acks a HERALD again from the same port, and leaves no file without data", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  for (let i = 0; i < 3; i++) await client.connect();
  const port = client.serverPort;
  client.serverPort = undefined;
  await client.connect();
  assertEquals(client.serverPort, port);
  await client.finished(2);
  await client.acked(2);
  assertEquals(server.names(), []);
  assertEquals(client.strange, []);
});

Deno.test("serve ignores runts, wrong lengths, unknown types and datagrams of others, whatever the session's state", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  await using other = new RawClient(server);
  await client.connect();
  other.serverPort = client.serverPort;
  const rubbish = async () => {
    for (const size of [0, 1, 2, 3, 23]) await client.datagram(new Uint8Array(size));
    await client.datagram(new Uint8Array(24));
    await client.datagram(Uint8Array.of(0, 0, 0, 9, 0, 0, 0, 9, ...new Uint8Array(16)));
    await client.datagram(
      Uint8Array.of(0, 0, 0, 3, 0, 0, 0, 9, ...new Uint8Array(8), 0, 0, 0, 9, ...new Uint8Array(4)),
    );
    await other.vmcore(2, 0, dumpBytes(6, PAGE));
    await other.kdh(3, header);
    await other.finished(4);
    await client.silence();
    assertEquals(other.acks, []);
  };
  await rubbish();
  assertEquals(server.names(), []);
  await client.data(2, core);
  await rubbish();
  await client.kdh(4, header);
  await client.acked(4);
  await client.finished(5);
  await client.acked(5);
  await rubbish();
  await assertOneCompleteDump(server, client.address, core);
  assertEquals(await server.stop(), 0);
  // What others provoke is told once, and counted at the end (P7).
  const from = `${other.address}:20024`;
  assertEquals(server.log("notice").map(({ message }) => message), [
    `Client ${client.address}: a datagram from ${from}, who is not the client, was ignored`,
    `Client ${client.address}: 9 datagrams of others were ignored`,
  ]);
});

Deno.test("serve puts a dump below the path of its HERALD, or below --path if that is missing or refused", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  try {
    for (const name of ["default", "rack1", "rack1/w1"]) Deno.mkdirSync(`${dir}/${name}`);
    Deno.writeTextFileSync(`${dir}/file`, "");
    Deno.symlinkSync("rack1", `${dir}/inside`);
    Deno.symlinkSync("/tmp", `${dir}/outside`);
    Deno.symlinkSync("nowhere", `${dir}/dangling`);
    await using server = await ServerProcess.start({ dir, args: ["--no-dns", "--path", "default"] });
    const cases: readonly [path: string | undefined, directory: string, reason?: string][] = [
      [undefined, "default"],
      ["", "default"],
      ["rack1", "rack1"],
      ["rack1/w1", "rack1/w1"],
      ["./rack1//w1/", "rack1/w1"],
      ["inside", "rack1"],
      ["missing", "default", "no such file or directory"],
      ["file", "default", "not a directory"],
      ["dangling", "default", "no such file or directory"],
      ["outside", "default", "leads outside the dump directory"],
      ["..", "default", 'contains ".."'],
      ["rack1/../rack1", "default", 'contains ".."'],
      ["/tmp", "default", "absolute"],
      ["a\x01b", "default", "contains control characters"],
      ["a".repeat(256), "default", "a component is too long"],
    ];
    for (const [path, directory, reason] of cases) {
      await using client = new RawClient(server);
      await client.connect(path);
      await client.dump(core, header);
      await assertOneCompleteDump(server, client.address, core, { directory });
      if (reason !== undefined) await server.event("path-refused", (line) => line.client === client.address);
      const lines = server.log("path-refused").filter((line) => line.client === client.address);
      assertEquals(lines.map((line) => line.level), reason === undefined ? [] : ["warning"], path);
      if (reason !== undefined) assertStringIncludes(lines[0]!.message, reason);
    }
    assertEquals(
      Array.from(Deno.readDirSync("/tmp")).some(({ name }) => name.startsWith("vmcore.127.")),
      false,
    );
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("serve writes nothing through a directory that was replaced by a link after the HERALD", async () => {
  await using server = await serve();
  const outside = Deno.makeTempDirSync({ prefix: "netdump-test-" });
  try {
    Deno.mkdirSync(server.path("rack1"));
    await using client = new RawClient(server);
    await using late = new RawClient(server);
    await client.connect("rack1");
    await late.connect("rack1");
    await late.data(2, core);
    Deno.renameSync(server.path("rack1"), server.path("away"));
    Deno.symlinkSync(outside, server.path("rack1"));
    // Before the first file: the default path takes it. After it: what would need a name there fails.
    await client.dump(core, header);
    await late.kdh(4, header);
    await late.silence();
    await assertOneCompleteDump(server, client.address, core);
    assertMatch((await server.event("distrusted")).reason, /leads outside the dump directory/);
    assertEquals(Array.from(Deno.readDirSync(outside)), []);
  } finally {
    Deno.removeSync(outside, { recursive: true });
  }
});

for (
  const [what, name, occupy] of [
    ["a file in the place of the link", "vmcore.%.last", (path) => Deno.writeTextFileSync(path, "mine")],
    ["a file in the place of the info link", "info.%.last", (path) => Deno.writeTextFileSync(path, "mine")],
    ["a directory in the place of the link", "vmcore.%.last", (path) => Deno.mkdirSync(path)],
    [
      "a file where the new link is made",
      "vmcore.%.last.new",
      (path) => Deno.writeTextFileSync(path, "mine"),
    ],
    ["a directory where the new link is made", "info.%.last.new", (path) => Deno.mkdirSync(path)],
    ["bounds that are a directory", "bounds.%", (path) => Deno.mkdirSync(path)],
    ["bounds that are a link", "bounds.%", (path) => Deno.symlinkSync("elsewhere", path)],
    ["new bounds that are a directory", "bounds.%.new", (path) => Deno.mkdirSync(path)],
  ] as const satisfies readonly (readonly [string, string, (path: string) => void])[]
) {
  Deno.test(`serve completes a dump whatever stands beside it, and leaves it alone: ${what}`, async () => {
    await using server = await serve();
    await using client = new RawClient(server);
    const host = client.address;
    const taken = name.replace("%", host);
    occupy(server.path(taken));
    const before = Deno.lstatSync(server.path(taken));
    await client.connect();
    await client.dump(core, header);
    await server.event("completed");
    // What could not be made is told; what has a way around it is made all the same.
    if (!taken.includes(".last.new")) {
      await server.until(
        () => server.log("link-failed").length + server.log("notice").length > 0,
        "what was told",
      );
    }
    assert(sameBytes(server.path(`vmcore.${host}.0`), core));
    assertStringIncludes(server.text(`info.${host}.0`), "\nDump complete\n");
    const after = Deno.lstatSync(server.path(taken));
    assertEquals([after.ino, after.size, after.isSymlink], [before.ino, before.size, before.isSymlink]);
    // And so does the next one.
    client.serverPort = undefined;
    await client.connect("again");
    await client.dump(core, header);
    assert(sameBytes(server.path(`vmcore.${host}.1`), core));
  });
}

Deno.test("serve keeps a dump sparse where it is empty, whatever the size of its packets", async () => {
  await using server = await serve();
  const data = new Uint8Array(4 * 1024 * 1024);
  data.set(dumpBytes(1, PAGE), 0);
  data.set(dumpBytes(2, 3 * PAGE), 1024 * 1024);
  data[2 * 1024 * 1024 + PAGE - 1] = 1;
  data[3 * 1024 * 1024] = 1;
  for (const mtu of [576, 1500, 1501, 9000]) {
    const address = freshAddress();
    const { ok } = await sendAsKernel(server, address, {
      core: data,
      header: dumpHeader(data.byteLength),
      ...{ mtu, sends: 60 },
    });
    assert(ok);
    await assertOneCompleteDump(server, address, data);
    assertLess(occupied(server.path(`vmcore.${address}.0`)), 256 * 1024);
  }
});

const vmcores = ["vmcore-amd64-minidump", "vmcore-arm64-minidump"];
const NO_VMCORES = NO_KCLIENT ?? (isInstalled("bzip2") ? undefined : "no bzip2");

Deno.test({
  name: "serve receives real vmcores from a kernel-like client identical, and sparse where they are sparse" +
    (NO_VMCORES === undefined ? "" : ` (skipped: ${NO_VMCORES})`),
  ignore: NO_VMCORES !== undefined,
  fn: async () => {
    await using server = await serve();
    const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
    try {
      await Promise.all(vmcores.map(async (name) => {
        const packed = fromFileUrl(new URL(`vmcores/${name}.bz2`, SHARED));
        const script = 'bzip2 -dc "$1" > "$2.full" && cp --sparse=always "$2.full" "$2" && rm "$2.full"';
        const unpacked = `${dir}/${name}`;
        const { success } = await new Deno.Command("sh", { args: ["-c", script, "sh", packed, unpacked] })
          .output();
        assert(success);
        const address = freshAddress();
        const report = await kclient(server, address, ["--file", unpacked, "--kernel-acks", ...PATIENTLY]);
        assertEquals([report.status, report.resends], ["ok", 0]);
        const received = server.path(`vmcore.${address}.0`);
        const compared = await new Deno.Command("cmp", { args: [unpacked, received] }).output();
        assert(compared.success, `${name} did not arrive as it was`);
        assert(occupied(received) <= occupied(unpacked) + 1024 * 1024, "it is not sparse any more");
      }));
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
});

for (const [words, way] of WAYS) {
  Deno.test({
    name: `serve receives sixteen dumps at once, all identical${words}` +
      (NO_KCLIENT === undefined ? "" : ` (skipped: ${NO_KCLIENT})`),
    ignore: NO_KCLIENT !== undefined,
    fn: async () => {
      await using server = await serve(...way);
      const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
      try {
        await Promise.all(Array.from({ length: 16 }, async (_, i) => {
          const address = freshAddress();
          const sent = `${dir}/${i}`;
          const args = ["--bytes", "4M", "--seed", `${i}`, "--kernel-acks", "--save", sent, ...PATIENTLY];
          const report = await kclient(server, address, args);
          assertEquals(report.status, "ok");
          await assertOneCompleteDump(server, address, Deno.readFileSync(sent));
        }));
      } finally {
        Deno.removeSync(dir, { recursive: true });
      }
    },
  });
}
