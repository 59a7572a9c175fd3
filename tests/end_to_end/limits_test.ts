import {
  assert,
  assertEquals,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { dumpBytes, dumpHeader, sameBytes } from "../dump_data.ts";
import { assertOneCompleteDump, namesOf } from "./complete_dump.ts";
import { NO_NAMESPACES } from "./namespaces.ts";
import { RawClient } from "./raw_client.ts";
import { ServerProcess, SHORT_TIMEOUT } from "./server_process.ts";

const PAGE = 4096;
const MIB = 1024 * 1024;
const core = dumpBytes(1, 2 * PAGE);
const header = dumpHeader(core.byteLength);

async function serve(...args: string[]): Promise<ServerProcess> {
  return await ServerProcess.start({ args: ["--no-dns", ...args] });
}

Deno.test("serve removes old complete dumps of a host with --keep, and nothing else", async () => {
  await using server = await serve(
    "--keep",
    "2",
    "--max-sessions-per-client",
    "9",
    "--timeout",
    SHORT_TIMEOUT,
  );
  await using client = new RawClient(server);
  const host = client.address;
  await using other = new RawClient(server);
  await other.connect();
  await other.dump(core, header);
  // Dump 0 stays partial; it is all that is left of its crash.
  await client.connect();
  await client.data(2, core);
  await server.event("incomplete");
  const notes = [`vmcore.${host}.1.notes`, `core.txt.${host}.1`];
  for (const name of notes) Deno.writeTextFileSync(server.path(name), "mine");
  for (let i = 0; i < 4; i++) {
    client.serverPort = undefined;
    await client.connect(`${i}`);
    await client.dump(dumpBytes(i, PAGE), dumpHeader(PAGE));
    await server.until(() => server.log("completed").length === 2 + i, "the completed dump");
    // Nothing younger than a day goes.
    const at = new Date(Date.now() - (50 - i) * 3_600_000);
    if (i < 3) Deno.utimeSync(server.path(`info.${host}.${i + 1}`), at, at);
  }
  await server.until(() => server.log("removed").length === 2, "the removal");
  // Dumps 1 and 2 went, the notes on dump 1 did not.
  assertEquals(namesOf(server, host), [
    `bounds.${host}`,
    `core.txt.${host}.1`,
    ...[0, 3, 4].map((i) => `info.${host}.${i}`),
    `info.${host}.last`,
    ...[3, 4].map((i) => `kdh.${host}.${i}`),
    `vmcore.${host}.0.incomplete`,
    `vmcore.${host}.1.notes`,
    ...[3, 4].map((i) => `vmcore.${host}.${i}`),
    `vmcore.${host}.last`,
  ]);
  assertEquals(Deno.readLinkSync(server.path(`vmcore.${host}.last`)), `vmcore.${host}.4`);
  await assertOneCompleteDump(server, other.address, core);
});

Deno.test("serve refuses HERALDs where no more than --min-free is left on the disk", async () => {
  await using server = await serve("--min-free", "100%");
  await using client = new RawClient(server);
  await client.herald();
  await client.silence();
  assertStringIncludes(
    (await server.event("refused")).message,
    "are to be kept free (--min-free)",
  );
  assertEquals(server.names(), []);
});

Deno.test({
  name:
    "serve labels dumps for which the disk has no room, keeps what it acked, and goes on when there is room" +
    (NO_NAMESPACES === undefined ? "" : ` (skipped: ${NO_NAMESPACES})`),
  ignore: NO_NAMESPACES !== undefined,
  fn: async () => {
    const dir = Deno.makeTempDirSync({ prefix: "netdump-test-" });
    const mount = async (...args: string[]) => {
      const { success } = await new Deno.Command(args[0]!, { args: args.slice(1) }).output();
      assert(success, args.join(" "));
    };
    await mount("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", dir);
    try {
      await using server = await ServerProcess.start({
        dir,
        args: ["--no-dns", "--min-free", "0", "--max-dump-size", "8M"],
      });
      await using client = new RawClient(server);
      const data = dumpBytes(2, 4 * MIB);
      await client.connect();
      let acked = 0;
      for (let seqno = 2; acked < data.byteLength; seqno++) {
        await client.vmcore(seqno, acked, data.subarray(acked, acked + 8 * PAGE));
        if (!await client.answered(seqno)) break;
        acked += 8 * PAGE;
      }
      const line = await server.event("incomplete");
      assertMatch(line.reason, /^write error at offset \d+: no space left on device$/);
      assertEquals([line.level, line.outcome, line.complete], ["warning", "error", false]);
      const partial = `vmcore.${client.address}.0.incomplete`;
      assert(acked > MIB, `only ${acked} bytes were acked`);
      assert(sameBytes(server.path(partial), data.subarray(0, acked)), "what was acked is not in the file");
      assertStringIncludes(server.text(`info.${client.address}.0`), `\nDump incomplete: ${line.reason}\n`);

      // No file can be made: the client gets no ack, the log says why, and nothing is left half made.
      await using second = new RawClient(server);
      Deno.writeFileSync(server.path("filler"), new Uint8Array());
      const filler = Deno.openSync(server.path("filler"), { write: true });
      try {
        for (let size = PAGE; size >= 1; size >>= 1) {
          const piece = new Uint8Array(size);
          try {
            for (;;) if (filler.writeSync(piece) < size) break;
          } catch {
            // Full.
          }
        }
      } finally {
        filler.close();
      }
      await second.herald();
      await second.silence();
      Deno.removeSync(server.path("filler"));
      Deno.removeSync(server.path(partial));
      await second.resending(1, () => second.herald());
      await second.dump(core, header);
      await assertOneCompleteDump(server, second.address, core);
    } finally {
      await mount("umount", "--lazy", dir);
      Deno.removeSync(dir, { recursive: true });
    }
  },
});

Deno.test("serve answers a flood of forged HERALDs with a bounded number of sockets and no file, and real clients all the while", async () => {
  await using server = await serve("--max-sessions", "40");
  await using client = new RawClient(server);
  await client.connect();
  await client.data(2, core.subarray(0, PAGE));
  const descriptors = () =>
    Deno.build.os === "linux" ? Array.from(Deno.readDirSync(`/proc/${server.pid}/fd`)).length : 0;
  const before = descriptors();
  const forgers = Array.from({ length: 60 }, () => new RawClient(server));
  try {
    for (let round = 0; round < 5; round++) {
      for (const forger of forgers) await forger.herald(`${round}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    // Each of the two-score sessions has a socket; the lines about them are bounded too.
    assertLessOrEqual(descriptors() - before, 2 * 40);
    assertLess(server.lines.length, 150);
    assertEquals(namesOf(server, client.address).length, server.names().length);
    const port = client.serverPort;
    client.serverPort = port;
    await client.data(3, core.subarray(PAGE), PAGE);
    await client.kdh(4, header);
    await client.acked(4);
    await client.finished(5);
    await client.acked(5);
    await assertOneCompleteDump(server, client.address, core);
    // After two seconds the forged sessions, which never spoke again, make room.
    await using late = new RawClient(server);
    await late.resending(1, () => late.herald());
    await late.dump(core, header);
    await assertOneCompleteDump(server, late.address, core);
  } finally {
    for (const forger of forgers) await forger[Symbol.asyncDispose]();
  }
});

Deno.test("serve does not let a dump grow beyond --max-dump-size, whatever order its pieces come in", async () => {
  const pages = Array.from({ length: MIB / PAGE }, (_, i) => i * PAGE);
  const orders = {
    "in order": pages,
    "the last first": pages.toReversed(),
    "both ends first": pages.toSorted(byDistance),
  };
  await using server = await serve("--max-dump-size", "1M");
  for (const [order, offsets] of Object.entries(orders)) {
    await using client = new RawClient(server);
    await client.connect();
    let seqno = 2;
    for (const offset of offsets) {
      await client.vmcore(seqno, offset, core.subarray(0, PAGE));
      await client.acked(seqno++);
    }
    await client.vmcore(seqno, MIB, core.subarray(0, 1));
    const line = await server.event("incomplete", (line) => line.client === client.address);
    assertEquals(line.reason, "the dump exceeds the limit of 1048576 bytes", order);
    assertEquals(await client.answered(seqno), false, order);
    assertEquals(Deno.statSync(server.path(`vmcore.${client.address}.0.incomplete`)).size, MIB, order);
  }
});

/** The ends before the middle. */
function byDistance(a: number, b: number): number {
  return Math.abs(b - MIB / 2) - Math.abs(a - MIB / 2);
}
