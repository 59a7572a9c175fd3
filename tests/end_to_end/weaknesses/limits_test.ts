/**
 * Weaknesses of FreeBSD's netdumpd (reference netdump-protocol.md, section 6) with strangers and limits: none of
 * them is ours. Those that can only be seen inside the server are shown there, on its parts.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeHeader, HEADER_SIZE, MessageType } from "../../../lib/protocol/message.ts";
import { sameBytes } from "../../dump_data.ts";
import { freshAddress } from "../addresses.ts";
import { assertOneCompleteDump } from "../complete_dump.ts";
import { RawClient } from "../raw_client.ts";
import { netdumpCommand } from "../server_process.ts";
import { core, header, infoOf, PAGE, serve } from "./server_and_dump.ts";

Deno.test("weakness 28, no allow-list and state for every forged HERALD: strangers get no answer, and no HERALD a file", async () => {
  const friend = freshAddress();
  await using server = await serve("--allow", `${friend}/32`);
  await using allowed = new RawClient(server, friend);
  await using stranger = new RawClient(server);
  await stranger.herald();
  await stranger.silence();
  await allowed.connect();
  assertEquals(server.names(), []);
  await allowed.dump(core, header);
  await assertOneCompleteDump(server, friend, core);
  assertStringIncludes(
    (await server.event("refused")).message,
    `Refused a HERALD from ${stranger.address}: its address is in no network that --allow names`,
  );
});

Deno.test("weakness 29, no limits: sessions, sessions of one client and bytes of a dump are bounded", async () => {
  await using server = await serve(
    "--max-sessions-per-client",
    "1",
    "--max-sessions",
    "2",
    "--max-dump-size",
    "8k",
  );
  await using one = new RawClient(server);
  await one.connect();
  await one.data(2, core);
  await one.herald("elsewhere");
  await one.silence();
  assertStringIncludes((await server.event("refused")).message, "1 dumps from its address are running");
  await using two = new RawClient(server);
  await two.connect();
  await two.data(2, core);
  await using three = new RawClient(server);
  await three.herald();
  await three.silence();
  const refused = await server.event("refused", (line) => line.client === three.address);
  assertStringIncludes(refused.message, "2 sessions are open, which is the limit of --max-sessions");
  await two.vmcore(4, 2 * PAGE, core);
  await server.event("incomplete");
  await two.silence();
  assertStringIncludes(infoOf(server, two), "\nDump incomplete: the dump exceeds the limit of 8192 bytes\n");
  assert(sameBytes(server.path(`vmcore.${two.address}.0.incomplete`), core));
});

Deno.test("weakness 30, no limit on offsets: one packet makes no sparse file of any size, nor ends the dump", async () => {
  await using server = await serve("--max-dump-size", "1T");
  await using client = new RawClient(server);
  const largest = new Uint8Array(HEADER_SIZE + PAGE);
  encodeHeader(new DataView(largest.buffer), MessageType.VMCORE, 2, 0, PAGE);
  largest.fill(0xff, 8, 16);
  await client.connect();
  for (const offset of [2 ** 40, 2 ** 51, 2 ** 52 - PAGE]) await client.vmcore(2, offset, core);
  await client.datagram(largest);
  await client.silence();
  assertEquals(server.names(), []);
  await client.data(2, core.subarray(0, PAGE));
  for (const offset of [2 ** 40, 2 ** 51, 2 ** 52 - PAGE]) await client.vmcore(3, offset, core);
  await client.datagram(largest);
  await client.silence();
  assertEquals(Deno.statSync(server.path(`vmcore.${client.address}.0.incomplete`)).size, PAGE);
  await client.data(3, core.subarray(PAGE), PAGE);
  await client.kdh(4, header);
  await client.acked(4);
  await client.finished(5);
  await client.acked(5);
  await assertOneCompleteDump(server, client.address, core);
});

Deno.test({
  name: "weakness 31, descriptor leak: a HERALD repeated a hundred times has one socket" +
    (Deno.build.os === "linux" ? "" : " (skipped: no /proc)"),
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using server = await serve();
    await using client = new RawClient(server);
    const descriptors = () => Array.from(Deno.readDirSync(`/proc/${server.pid}/fd`)).length;
    await client.connect();
    const before = descriptors();
    for (let i = 0; i < 100; i++) {
      await client.herald();
      await client.acked(1);
    }
    assertEquals(descriptors(), before);
  },
});

Deno.test("weakness 32, log flood: HERALDs with bad paths make a bounded number of lines, and the rest is counted", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  for (let i = 0; i < 400; i++) await client.herald(`missing-${i}`);
  await client.acked(1);
  await server.stop();
  const refused = server.log("refused");
  assert(server.lines.length <= 120, `${server.lines.length} lines`);
  // Those that could be told apart were a session each, the others are summed up.
  const counted = refused.reduce((sum, { count }) => sum + count, 0);
  assert(refused.length <= 4 && counted > 100, `${refused.length} lines for ${counted} refusals`);
});

Deno.test("weakness 36, IPv4 only, as the kernel's client is: an IPv6 address is refused in one clear line", async () => {
  const [program, ...args] = netdumpCommand(["serve", "--bind", "::1"]);
  const { code, stderr } = await new Deno.Command(program!, { args }).output();
  assertEquals(code, 2);
  assertMatch(new TextDecoder().decode(stderr), /^netdump serve: .*IPv4.*"::1"[^\n]*\n$/);
});
