/**
 * Weaknesses of FreeBSD's netdumpd (reference netdump-protocol.md, section 6) with header, key and info file:
 * none of them is ours. Those that can only be seen inside the server are shown there, on its parts.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { type FileSystem, realFileSystem } from "../../../lib/os/file_system.ts";
import { dumpHeader, sameBytes } from "../../dump_data.ts";
import { plainDump } from "../../serve/dump_script.ts";
import { ReceiverHarness } from "../../serve/receiver_harness.ts";
import { TempDir } from "../../temp_dir.ts";
import { assertOneCompleteDump } from "../complete_dump.ts";
import { RawClient } from "../raw_client.ts";
import { ServerProcess } from "../server_process.ts";
import { core, header, infoOf, key, PAGE, serve } from "./server_and_dump.ts";

Deno.test("weakness 7, KDH accepted unchecked: wrong magic, wrong parity and wrong sizes are told, pieces are put together", async () => {
  await using server = await serve();
  const bad = { magic: header.slice(), parity: header.slice() };
  bad.magic[0] = 0x66;
  bad.parity[400]! ^= 1;
  for (
    const [bytes, reason] of [
      [bad.magic, "the kernel dump header is unreadable (the magic is not a kernel dump's)"],
      [bad.parity, "the kernel dump header's parity is wrong"],
    ] as const
  ) {
    await using client = new RawClient(server);
    await client.connect();
    await client.dump(core, bytes);
    assertStringIncludes(infoOf(server, client), `\nDump incomplete: ${reason}\n`);
    assert(sameBytes(server.path(`kdh.${client.address}.0`), bytes), "the header is kept as it came");
  }
  await using client = new RawClient(server);
  await client.connect();
  await client.data(2, core);
  await client.kdh(4, new Uint8Array(513));
  await client.kdh(4, new Uint8Array());
  await client.kdh(4, header, 1);
  await client.silence();
  await client.kdh(4, header.subarray(0, 300));
  await client.kdh(5, header.subarray(300), 300);
  await client.acked(4, 5);
  await client.finished(6);
  await client.acked(6);
  await assertOneCompleteDump(server, client.address, core);
});

Deno.test("weakness 8, KDH versions compared without byte swap: each of the four is read by its own layout", async () => {
  await using server = await serve();
  for (const version of [1, 2, 3, 4]) {
    await using client = new RawClient(server);
    const compression = version > 2 ? "gzip" : null;
    await client.connect();
    await client.dump(
      core,
      dumpHeader(core.byteLength, { version, panicString: `panic ${version}`, compression }),
    );
    assertStringIncludes(infoOf(server, client), `\n  Panic String: panic ${version}\n`);
    assertStringIncludes(infoOf(server, client), "\n  Header Parity Check: Pass\n");
    const suffix = version > 2 ? ".gz" : "";
    await assertOneCompleteDump(server, client.address, core, {
      coreName: `vmcore.${client.address}.0${suffix}`,
    });
  }
});

Deno.test("weakness 9, duplicate KDH: one block in the info file, one suffix", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  const compressed = dumpHeader(core.byteLength, { compression: "gzip", dumpKeySize: PAGE });
  await client.connect();
  await client.data(2, core);
  for (let i = 0; i < 3; i++) {
    await client.kdh(4, compressed);
    await client.acked(4);
  }
  await client.key(5, 0, key);
  await client.acked(5);
  await client.kdh(4, compressed);
  await client.acked(4);
  await client.finished(6);
  await client.acked(6);
  assertEquals(infoOf(server, client).match(/Architecture:/g)?.length, 1);
  await assertOneCompleteDump(server, client.address, core, {
    coreName: `vmcore_encrypted.${client.address}.0.gz`,
    key,
  });
});

Deno.test("weakness 11, raw KDH discarded: it is kept as kdh.<host>.<n>", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, header);
  assert(sameBytes(server.path(`kdh.${client.address}.0`), header));
});

Deno.test("weakness 12, key offset cut to 32 bits and key file not exclusive: far offsets and taken names are refused", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  const taken = `key.${client.address}.0`;
  Deno.writeTextFileSync(server.path(taken), "another key");
  await client.connect();
  await client.data(2, core);
  await client.key(4, 2 ** 32, key);
  await client.silence();
  for (let i = 0; i < 2; i++) {
    for (const [seqno, at] of [[4, 0], [5, 1448], [6, 2896]] as const) {
      await client.key(seqno, at, key.subarray(at, at + 1448));
      await client.acked(seqno);
    }
  }
  await client.kdh(7, dumpHeader(core.byteLength, { dumpKeySize: PAGE }));
  await client.acked(7);
  await client.finished(8);
  await client.acked(8);
  assertEquals(server.text(taken), "another key");
  assert(sameBytes(server.path(`key.${client.address}.1`), key));
  assertEquals(Deno.statSync(server.path(`key.${client.address}.1`)).mode! & 0o777, 0o400);
  assert(sameBytes(server.path(`vmcore_encrypted.${client.address}.1`), core));
});

Deno.test("weakness 25, strings written raw: none of them forges an info line or drives the operator's terminal", async () => {
  await using server = await ServerProcess.start({ args: ["--no-dns", "--log-format", "text", "-D"] });
  await using client = new RawClient(server);
  const forged = dumpHeader(core.byteLength, {
    panicString: "boom\nDump complete\n  Hostname: forged\x1b[2J",
    hostname: "evil\r\nHostname: forged",
    versionString: "FreeBSD\x07\nDump complete\n",
    architecture: "amd64\x1b]0;",
  });
  await client.heraldWith(new TextEncoder().encode("no\x1b[31m\nsuch\u202edir\0"));
  await client.acked(1);
  await client.data(2, core);
  await client.kdh(4, forged);
  await client.acked(4);
  await server.until(() => server.lines.some((line) => line.includes("KDH from")), "the header");
  const text = infoOf(server, client) + server.lines.join("\n");
  // deno-lint-ignore no-control-regex
  assertEquals(text.match(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/g), null);
  assertEquals(text.match(/^Dump complete$/gm), null);
  assertEquals(text.match(/^ *Hostname: forged/gm), null);
  assertStringIncludes(text, "  Panic String: boom\\nDump complete\\n  Hostname: forged\\x1b[2J\n");
  assertStringIncludes(text, '"no\\x1b[31m\\nsuch\\u{202e}dir"');
});

Deno.test("weakness 26, wrong offset in the error message: it is the one in the core file", async () => {
  using temp = new TempDir();
  Deno.mkdirSync(join(temp.path, ".netdump"));
  const write: FileSystem["write"] = (fd, bytes, at, length, position) => {
    if (position === 3 * PAGE) throw Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
    realFileSystem.write(fd, bytes, at, length, position);
  };
  const receiver = new ReceiverHarness(temp.path, { ...realFileSystem, write });
  await receiver.open();
  for (const burst of plainDump().bursts) if (!await receiver.send(...burst)) break;
  await receiver.stop();
  assertEquals(receiver.finished?.reason, "write error at offset 12288: no space left on device");
});

Deno.test("weakness 27, info says little: it has client, times, bytes, messages and resends; kdh and key have the rest", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  await client.connect();
  await client.data(2, core.subarray(0, PAGE));
  await client.data(2, core.subarray(0, PAGE));
  await client.data(3, core.subarray(PAGE), PAGE);
  await client.kdh(4, header);
  await client.acked(4);
  await client.finished(5);
  await client.acked(5);
  const lines = infoOf(server, client).split("\n");
  assertEquals(lines.slice(0, 11), [
    `Dump from ${client.address} [${client.address}]`,
    "  Architecture: amd64",
    "  Architecture Version: 2",
    "  Dump Length: 8192B (0 MB)",
    "  Blocksize: 4096",
    "  Compression: none",
    lines[6]!,
    "  Hostname: crashed.example.org",
    "  Version String: FreeBSD 14.0-RELEASE #0 releng/14.0",
    "  Panic String: page fault",
    "  Header Parity Check: Pass",
  ]);
  assertMatch(lines[6]!, /^ {2}Dumptime: (Mon|Tue|Wed) Nov 1[345] \d\d:\d\d:20 2023$/);
  assertMatch(lines[11]!, /^ {2}Dumptime UTC: 2023-11-14T\d\d:\d\d:20Z$/);
  assertEquals(lines[12], `  Client: ${client.address}, received on ${server.address}`);
  assertMatch(lines[13]!, /^ {2}Started: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertMatch(lines[14]!, /^ {2}Ended: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertMatch(lines[15]!, /^ {2}Duration: .+, .+B\/s$/);
  assertEquals(lines.slice(16), [
    "  Received: 8192 bytes in 3 messages, 1 of them repeated",
    "Dump complete",
    "",
  ]);
});
