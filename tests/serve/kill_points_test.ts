import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { realFileSystem } from "../../lib/os/file_system.ts";
import type { SessionIdentity } from "../../lib/serve/session/journal.ts";
import { linkNewest } from "../../lib/serve/store/links.ts";
import { type Found, lookAt } from "../../lib/serve/restart.ts";
import { StateDirectory } from "../../lib/serve/store/state_directory.ts";
import { copyDirectory, TempDir } from "../temp_dir.ts";
import { assertFinal, assertNothingFalse, endingOf, findCore, namesIn } from "./dump_directory_state.ts";
import { batchedDump, type DumpScript, encryptedDump, keyLastDump, plainDump } from "./dump_script.ts";
import { watchedFileSystem } from "./faulty_file_system.ts";
import { ReceiverHarness } from "./receiver_harness.ts";
import { type OpenWire, WIRES } from "./wires.ts";

/** What a server killed at one moment leaves, and what its client knows. */
interface KillPoint {
  readonly operation: string;
  readonly root: string;
  /** The burst under way. */
  readonly burst: number;
  readonly acked: readonly number[];
}

/** Receives a dump once, keeping a copy of the dump directory before each file operation. */
async function killPoints(
  temp: string,
  dump: DumpScript,
  longJournalBytes: number,
  openWire: OpenWire,
): Promise<[SessionIdentity, KillPoint[]]> {
  const root = join(temp, "whole");
  Deno.mkdirSync(root);
  const state = await StateDirectory.open(realFileSystem, root);
  const points: KillPoint[] = [];
  let burst = -1;
  const watch = (operation: string) => {
    if (burst < 0) return;
    const copy = join(temp, `${points.length}`);
    copyDirectory(root, copy);
    points.push({ operation, root: copy, burst, acked: [...receiver.acked] });
  };
  const receiver = new ReceiverHarness(root, watchedFileSystem(watch), {
    longJournalBytes,
    openWire,
  });
  const session = await receiver.open();
  for (burst = 0; burst < dump.bursts.length; burst++) assert(await receiver.send(...dump.bursts[burst]!));
  burst = -1;
  await receiver.stop();
  assertFinal(root, dump);
  state.close();
  return [session, points];
}

/** What is left of the only session. */
function onlySession(state: StateDirectory): Found | undefined {
  const journals = state.journals();
  assertEquals(journals.length, 1);
  return lookAt(state, journals[0]!, { nowMs: Date.now(), bootedMs: 0, timeoutMs: 60_000 });
}

/** A second server goes on where the first was killed, and the client resends what was not acked. */
async function goOn(point: KillPoint, dump: DumpScript, openWire: OpenWire): Promise<void> {
  const { root, acked } = point;
  const state = await StateDirectory.open(realFileSystem, root);
  const found = onlySession(state);
  assert(found?.found === "resumable", `found ${JSON.stringify(found)}`);
  const receiver = new ReceiverHarness(root, realFileSystem, { openWire });
  if (found.complete !== undefined) linkNewest(realFileSystem, root, found.complete);
  await receiver.resume(found.identity.id);
  const [under, ...later] = dump.bursts.slice(point.burst);
  const resent = under!.filter(({ seqno }) => !acked.includes(seqno));
  for (const burst of [resent.length === 0 ? under! : resent, ...later]) {
    assert(await receiver.send(...burst));
  }
  const finished = dump.bursts.at(-1)!;
  assert(await receiver.send(...finished), "a repeated FINISHED is acked again");
  await receiver.stop();
  state.close();
  assertFinal(root, dump);
}

/** A second server cannot go on, and labels what there is. */
async function label(point: KillPoint, session: SessionIdentity, dump: DumpScript): Promise<void> {
  const { root } = point;
  const state = await StateDirectory.open(realFileSystem, root);
  const found = onlySession(state);
  assert(found?.found === "resumable");
  const receiver = new ReceiverHarness(root, realFileSystem);
  await receiver.giveUp(session.id, "the server's machine was restarted");
  await receiver.stop();
  assertNothingFalse(root, dump);
  assertEquals(state.journals(), []);
  const hadBegun = receiver.finished !== undefined;
  if (found.stage !== "data") assert(!hadBegun);
  if (hadBegun) {
    assertEquals(receiver.finished?.complete, false);
    assertEquals(endingOf(root), "Dump incomplete: the server's machine was restarted");
    assertMatch(findCore(root)!, /\.incomplete$/);
    assertEquals(Deno.readTextFileSync(join(root, "bounds.w1")), "1\n");
    assert(!namesIn(root).some((name) => name.endsWith(".last")));
  }
  state.close();
}

for (
  const [dump, longJournalBytes, how] of [
    [plainDump(), Infinity, ""],
    [encryptedDump(), Infinity, ""],
    [keyLastDump(), Infinity, ""],
    [batchedDump(), 300, " with a journal that gets too long"],
  ] as const
) {
  for (const [where, openWire] of WIRES) {
    const name =
      `a server killed at any file operation takes up ${dump.name} ${where}${how}, or labels it if it cannot`;
    Deno.test(name, async () => {
      using temp = new TempDir();
      const [session, points] = await killPoints(temp.path, dump, longJournalBytes, openWire);
      assert(points.length > 60, `only ${points.length} kill points`);
      assertEquals(
        points.some(({ operation }) => operation === "replace, journal"),
        longJournalBytes < Infinity,
      );
      for (const [i, point] of points.entries()) {
        try {
          const copy = join(temp.path, "copy");
          copyDirectory(point.root, copy);
          await label({ ...point, root: copy }, session, dump);
          Deno.removeSync(copy, { recursive: true });
          await goOn(point, dump, openWire);
        } catch (error) {
          throw new Error(`killed at operation ${i}, ${point.operation}: ${(error as Error).stack}`);
        }
      }
    });
  }
}

for (const dump of [plainDump(), encryptedDump(), keyLastDump()]) {
  Deno.test(`a server told to stop labels ${dump.name}, and the next one completes it`, async () => {
    for (let stopBefore = 1; stopBefore < dump.bursts.length; stopBefore++) {
      using temp = new TempDir();
      const root = temp.path;
      const state = await StateDirectory.open(realFileSystem, root);
      const first = new ReceiverHarness(root, realFileSystem);
      const { id } = await first.open();
      for (const burst of dump.bursts.slice(0, stopBefore)) assert(await first.send(...burst));
      await first.stop();
      assertEquals([first.finished?.complete, first.finished?.resumable], [false, true]);
      assertEquals(endingOf(root), "Dump incomplete: the server was stopped");
      assertMatch(findCore(root)!, /\.incomplete$/);
      const found = onlySession(state);
      assert(found?.found === "resumable" && found.stage === "data");
      const second = new ReceiverHarness(root, realFileSystem);
      await second.resume(id);
      assertEquals(endingOf(root), null);
      for (const burst of dump.bursts.slice(stopBefore)) assert(await second.send(...burst));
      await second.stop();
      state.close();
      assertFinal(root, dump);
    }
  });
}

Deno.test("a server killed while one without data waits resumes it on its port, for as long as a client waits", async () => {
  for (const [ageMs, expected] of [[5000, "resumable"], [60_000, "lost"]] as const) {
    using temp = new TempDir();
    const state = await StateDirectory.open(realFileSystem, temp.path);
    const first = new ReceiverHarness(temp.path, realFileSystem);
    const { id, port } = await first.open({ startedMs: Date.now() - ageMs });
    assertEquals(first.acked, [1], "its HERALD is acked once it is on disk, without another order");
    await first.stop();
    const found = onlySession(state);
    assert(found !== undefined && found.found !== "unreadable");
    assertEquals([found.found, found.identity.id, found.identity.port], [expected, id, port]);
    if (found.found === "resumable") assertEquals(found.stage, "heralded");
    const second = new ReceiverHarness(temp.path, realFileSystem);
    if (found.found === "lost") await second.giveUp(id, found.reason);
    else {
      await second.resume(id);
      for (const burst of plainDump().bursts) assert(await second.send(...burst));
    }
    await second.stop();
    if (found.found === "lost") assertEquals([namesIn(temp.path), state.journals()], [[], []]);
    else assertFinal(temp.path, plainDump());
    state.close();
  }
});

Deno.test("a journal that nobody can read now stays, whatever the reason, and is told", async () => {
  using temp = new TempDir();
  const state = await StateDirectory.open(realFileSystem, temp.path);
  const path = join(temp.path, ".netdump", "x.journal");
  const failing = (code: string) => ({
    ...realFileSystem,
    readText: () => {
      throw Object.assign(new Error(code), { code });
    },
  });
  for (const text of ["", "{", '{"format":3}\n', "null\n", '{"format":2,"session":{"id":"x"}}\n']) {
    Deno.writeTextFileSync(path, text);
    assertEquals(onlySession(state)?.found, "unreadable", text);
  }
  state.close();
  for (const code of ["EIO", "EMFILE", "ENOENT"]) {
    const other = await StateDirectory.open(failing(code), temp.path);
    assertEquals(onlySession(other)?.found, "unreadable", code);
    other.close();
  }
  assertEquals(Deno.statSync(path).isFile, true);
});
