/**
 * Weaknesses of FreeBSD's netdumpd (reference netdump-protocol.md, section 6) with files, names and programs:
 * none of them is ours. Those that can only be seen inside the server are shown there, on its parts.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { raiseBounds } from "../../../lib/serve/store/dump_directory.ts";
import { realFileSystem } from "../../../lib/os/file_system.ts";
import type { HookResult, Observe } from "../../../lib/serve/events.ts";
import { Hook } from "../../../lib/serve/observers/hook.ts";
import { HostNames } from "../../../lib/serve/hostname.ts";
import { sameBytes } from "../../dump_data.ts";
import { encryptedDump, plainDump } from "../../serve/dump_script.ts";
import { watchedFileSystem } from "../../serve/faulty_file_system.ts";
import { ReceiverHarness } from "../../serve/receiver_harness.ts";
import { TempDir } from "../../temp_dir.ts";
import { HookProgram } from "../hook_program.ts";
import { RawClient } from "../raw_client.ts";
import { core, header, serve } from "./server_and_dump.ts";

Deno.test("weakness 19, handler race: the info file is whole when the hook starts", async () => {
  using program = new HookProgram(`tail -n 1 "$4" > seen`);
  await using server = await serve("--exec", program.path);
  await using client = new RawClient(server);
  await client.connect();
  await client.dump(core, header);
  await server.event("hook");
  assertEquals(server.text("seen"), "Dump complete\n");
});

Deno.test("weakness 21, host label from DNS used unfiltered: only letters, digits, _ and - reach a file name", async () => {
  const names = (hostName: string) => new HostNames(() => Promise.resolve(hostName)).name("192.0.2.7");
  assertEquals((await names("../../etc/passwd")).label, "192.0.2.7");
  assertEquals((await names("a/b;$(reboot)\x1b[2J\n.example.org")).label, "abreboot2J");
  assertEquals((await names("w".repeat(200))).label.length, 63);
  assertEquals((await names("w1.example.org")).label, "w1");
});

Deno.test("weakness 22, bounds rewritten in place: at every moment the file holds the old number or the new one", async () => {
  using temp = new TempDir();
  const bounds = join(temp.path, "bounds.w1");
  Deno.writeTextFileSync(bounds, "7\n");
  const seen = new Set<string>();
  const fs = watchedFileSystem(() => seen.add(Deno.readTextFileSync(bounds)));
  await raiseBounds(fs, temp.path, "w1", 8);
  assertEquals([...seen], ["7\n", "8\n"]);
  await raiseBounds(realFileSystem, temp.path, "w1", 3);
  assertEquals(Deno.readTextFileSync(bounds), "8\n");
});

Deno.test("weakness 23, only info is created exclusively: an index whose core, header or key exists is not used", async () => {
  await using server = await serve();
  await using client = new RawClient(server);
  const host = client.address;
  const old = [
    `vmcore.${host}.0`,
    `vmcore_encrypted.${host}.1.gz`,
    `kdh.${host}.2`,
    `key.${host}.3`,
    `vmcore.${host}.4.incomplete`,
  ];
  for (const name of old) Deno.writeTextFileSync(server.path(name), "old");
  Deno.symlinkSync("/nowhere", server.path(`vmcore.${host}.5.zst`));
  await client.connect();
  await client.dump(core, header);
  for (const name of old) assertEquals(server.text(name), "old");
  assert(sameBytes(server.path(`vmcore.${host}.6`), core));
  await server.until(() => server.names().includes(`bounds.${host}`), "bounds");
  assertEquals(server.text(`bounds.${host}`), "7\n");
});

Deno.test("weakness 24, links without suffix and not atomic: they lead to the real name, and only to complete dumps", async () => {
  using temp = new TempDir();
  Deno.mkdirSync(join(temp.path, ".netdump"));
  Deno.symlinkSync("vmcore.old", join(temp.path, "vmcore.w1.last"));
  const dump = encryptedDump();
  const receiver = new ReceiverHarness(temp.path, realFileSystem);
  await receiver.open();
  for (const burst of dump.bursts) {
    assertEquals(Deno.readLinkSync(join(temp.path, "vmcore.w1.last")), "vmcore.old");
    assert(await receiver.send(...burst));
  }
  assertEquals(Deno.readLinkSync(join(temp.path, "vmcore.w1.last")), dump.coreName);
  assertEquals(Deno.readLinkSync(join(temp.path, "info.w1.last")), "info.w1.0");
  await receiver.stop();

  const failing = new ReceiverHarness(temp.path, realFileSystem);
  await failing.open();
  for (const burst of dump.bursts.slice(0, 2)) await failing.send(...burst);
  await failing.stop();
  assertEquals(Deno.readLinkSync(join(temp.path, "vmcore.w1.last")), dump.coreName);
});

Deno.test("weakness 35, handler without a time limit: it is ended, and one that cannot start is told of", async () => {
  using temp = new TempDir();
  using slow = new HookProgram("trap '' TERM; exec sleep 60");
  const results: HookResult[] = [];
  const receiver = new ReceiverHarness(temp.path, realFileSystem);
  Deno.mkdirSync(join(temp.path, ".netdump"));
  await receiver.open();
  for (const burst of plainDump().bursts) await receiver.send(...burst);
  await receiver.stop();
  const program = (path: string) => ({ path, directory: temp.path, environment: { PATH: "/bin:/usr/bin" } });
  const observe: Observe = (event) => event.event === "hook" && results.push(event.result);
  const hook = new Hook(program(slow.path), observe, { timeLimitMs: 200, graceMs: 200 });
  hook.run(receiver.finished!);
  assertEquals(await hook.settled(20_000), { running: 0, waiting: 0 });
  const missing = new Hook(program(join(temp.path, "missing")), observe);
  missing.run(receiver.finished!);
  assertEquals(await missing.settled(20_000), { running: 0, waiting: 0 });
  assertEquals(results.map(({ result }) => result), ["timed-out", "failed"]);
});
