import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { realFileSystem } from "../../lib/os/file_system.ts";
import type { SessionIdentity } from "../../lib/serve/session/journal.ts";
import { linkNewest } from "../../lib/serve/store/links.ts";
import { findSessions, giveUp } from "../../lib/serve/restart.ts";
import { StateDirectory } from "../../lib/serve/store/state_directory.ts";
import { copyDirectory, TempDir } from "../temp_dir.ts";
import { assertFinal, assertNothingFalse, endingOf, findCore, namesIn } from "./dump_directory_state.ts";
import { batchedDump, type DumpScript, encryptedDump, keyLastDump, plainDump } from "./dump_script.ts";
import { watchedFileSystem } from "./faulty_file_system.ts";
import { ReceiverHarness } from "./receiver_harness.ts";

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
): Promise<[SessionIdentity, KillPoint[]]> {
  const root = join(temp, "whole");
  Deno.mkdirSync(root);
  const state = await StateDirectory.open(root);
  const points: KillPoint[] = [];
  let burst = -1;
  const watch = (operation: string) => {
    if (burst < 0) return;
    const copy = join(temp, `${points.length}`);
    copyDirectory(root, copy);
    points.push({ operation, root: copy, burst, acked: [...receiver.acked] });
  };
  const receiver = new ReceiverHarness(root, watchedFileSystem(watch), {
    beforeLink: () => watch("link"),
    longJournalBytes,
  });
  const session = await receiver.open();
  state.writeHeralds([session]);
  for (burst = 0; burst < dump.bursts.length; burst++) assert(await receiver.send(...dump.bursts[burst]!));
  assertFinal(root, dump);
  burst = -1;
  await receiver.stop();
  state.close();
  return [session, points];
}

/** A second server goes on where the first was killed, and the client resends what was not acked. */
async function goOn(point: KillPoint, dump: DumpScript): Promise<void> {
  const { root, acked } = point;
  const state = await StateDirectory.open(root);
  const found = findSessions(state, { root, timeoutMs: 60_000 });
  assertEquals([found.lost, found.notices], [[], []]);
  assertEquals(found.sessions.length, 1);
  const [{ identity, stage }] = found.sessions as [typeof found.sessions[0]];
  const receiver = new ReceiverHarness(root, realFileSystem);
  if (stage === "heralded") await receiver.open(identity);
  else await receiver.resume(identity.id);
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
  const state = await StateDirectory.open(root);
  const [found] = findSessions(state, { root, timeoutMs: 60_000 }).sessions;
  const report = found?.stage !== "data" ? undefined : await giveUp(
    state,
    root,
    session.id,
    "the server's machine was restarted",
    (link) => Promise.resolve(linkNewest(link)),
  );
  assertNothingFalse(root, dump);
  if (found?.stage === "data") {
    assertEquals(report?.complete, false);
    assertEquals(endingOf(root), "Dump incomplete: the server's machine was restarted");
    assertMatch(findCore(root)!, /\.incomplete$/);
    assertEquals(Deno.readTextFileSync(join(root, "bounds.w1")), "1\n");
    assert(!namesIn(root).some((name) => name.endsWith(".last")));
    assertEquals(state.journals(), []);
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
  const name = `a server killed at any file operation takes up ${dump.name}${how}, or labels it if it cannot`;
  Deno.test(name, async () => {
    using temp = new TempDir();
    const [session, points] = await killPoints(temp.path, dump, longJournalBytes);
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
        await goOn(point, dump);
      } catch (error) {
        throw new Error(`killed at operation ${i}, ${point.operation}: ${(error as Error).stack}`);
      }
    }
  });
}

for (const dump of [plainDump(), encryptedDump(), keyLastDump()]) {
  Deno.test(`a server told to stop labels ${dump.name}, and the next one completes it`, async () => {
    for (let stopBefore = 1; stopBefore < dump.bursts.length; stopBefore++) {
      using temp = new TempDir();
      const root = temp.path;
      const state = await StateDirectory.open(root);
      const first = new ReceiverHarness(root, realFileSystem);
      const { id } = await first.open();
      for (const burst of dump.bursts.slice(0, stopBefore)) assert(await first.send(...burst));
      await first.stop();
      assertEquals([first.finished?.complete, first.finished?.resumable], [false, true]);
      assertEquals(endingOf(root), "Dump incomplete: the server was stopped");
      assertMatch(findCore(root)!, /\.incomplete$/);
      const [found] = findSessions(state, { root, timeoutMs: 60_000 }).sessions;
      assertEquals(found?.stage, "data");
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
  using temp = new TempDir();
  const root = temp.path;
  const state = await StateDirectory.open(root);
  const session = { client: "192.0.2.7", local: "192.0.2.1", port: 41000, heraldSeqno: 1, path: null };
  const now = Date.now();
  state.writeHeralds([
    { ...session, id: "young", startedMs: now - 5000 },
    { ...session, id: "old", startedMs: now - 60_000 },
  ]);
  const { sessions } = findSessions(state, { root, timeoutMs: 60_000 });
  assertEquals(sessions.map(({ identity, stage }) => [identity.id, identity.port, stage]), [[
    "young",
    41000,
    "heralded",
  ]]);
  state.close();
});
