import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { type Message, MessageType } from "../../lib/protocol/message.ts";
import { realFileSystem } from "../../lib/os/file_system.ts";
import { StateDirectory } from "../../lib/serve/store/state_directory.ts";
import { sameBytes } from "../dump_data.ts";
import { TempDir } from "../temp_dir.ts";
import { assertFinal, assertNothingFalse, endingOf, findCore, namesIn } from "./dump_directory_state.ts";
import { type DumpScript, encryptedDump, keyLastDump, plainDump } from "./dump_script.ts";
import { type Fault, FaultyFileSystem } from "./faulty_file_system.ts";
import { ReceiverHarness } from "./receiver_harness.ts";
import { inMemory, type OpenWire, WIRES } from "./wires.ts";

const FAULTS: readonly [Fault, string][] = [
  ["once", "once"],
  ["from-then-on", "and all after it, as on a full disk"],
  ["half-way", "in the middle of a write"],
];

/** P1: what is acked is in its file. */
function assertInFile({ type, seqno, offset, payload }: Message, root: string, coreBytes = Infinity): void {
  const name = type === MessageType.KDH
    ? "kdh.w1.0"
    : type === MessageType.EKCD_KEY
    ? "key.w1.0"
    : findCore(root);
  assert(name !== undefined, "data was acked that is in no file");
  const end = type === MessageType.VMCORE ? Math.min(offset + payload.byteLength, coreBytes) : undefined;
  const expected = payload.subarray(0, end === undefined ? undefined : end - offset);
  const found = Deno.readFileSync(join(root, name)).subarray(offset, offset + expected.byteLength);
  assertEquals(found, expected, `message ${seqno} was acked and is not in its file`);
}

/** A dump with the n-th operation failing; tells whether there was one. */
async function receiveWithFault(
  root: string,
  dump: DumpScript,
  [n, fault]: readonly [number, Fault],
  openWire: OpenWire,
): Promise<boolean> {
  const faults = new FaultyFileSystem(n, fault);
  const receiver = new ReceiverHarness(root, faults.fs, { openWire });
  await receiver.open();
  const acked: Message[] = [];
  for (const burst of dump.bursts) {
    const all = await receiver.send(...burst);
    acked.push(...burst.filter(({ seqno }) => receiver.acked.includes(seqno)));
    if (burst[0]!.type === MessageType.FINISHED) break;
    for (const message of acked) assertInFile(message, root);
    if (!all) break;
  }
  const finishedAcked = acked.at(-1)?.type === MessageType.FINISHED;
  await receiver.until(() => receiver.closed || finishedAcked, "the end");
  await receiver.stop();
  assertNothingFalse(root, dump);
  assertEquals([...faults.open], [], "files stay open");
  if (finishedAcked) assertFinal(root, dump, faults.failed === undefined);
  else {
    // The padding of a compressed dump's last block may be cut off already.
    for (const message of acked) assertInFile(message, root, dump.core.byteLength);
    assertGivenUp(root, receiver, faults, fault);
  }
  return faults.failed !== undefined;
}

function assertGivenUp(
  root: string,
  receiver: ReceiverHarness,
  faults: FaultyFileSystem,
  fault: Fault,
): void {
  const { finished } = receiver;
  if (receiver.reports.some(({ report }) => report === "refused")) {
    assertEquals(finished, undefined);
    if (fault === "once") assertEquals(namesIn(root), [], "a refused session left files");
    return;
  }
  assert(finished !== undefined, `an operation (${faults.failed}) failed, and nothing tells of it`);
  assertEquals([finished.outcome, finished.complete], ["error", false]);
  assertMatch(finished.reason!, /input\/output error|no space left/);
  if (fault === "from-then-on") return;
  assertMatch(findCore(root)!, /\.incomplete$/);
  assertEquals(endingOf(root), `Dump incomplete: ${finished.reason}`);
  assertEquals(Deno.readTextFileSync(join(root, "bounds.w1")), "1\n");
}

/** The server goes on: the next dump is received as if nothing had been. */
async function receiveAnother(root: string, dump: DumpScript, openWire: OpenWire): Promise<void> {
  const receiver = new ReceiverHarness(root, new FaultyFileSystem(0).fs, { openWire });
  await receiver.open();
  for (const burst of dump.bursts) assert(await receiver.send(...burst));
  await receiver.stop();
  assertEquals(receiver.finished!.outcome, "success");
  assert(sameBytes(join(root, receiver.finished!.dump.core), dump.core));
}

function testFaults(
  dump: DumpScript,
  [fault, how]: readonly [Fault, string],
  where: string,
  openWire: OpenWire,
): void {
  const name =
    `a receiver of ${dump.name} ${where} acks nothing that is not in its file and labels what it gives up, ` +
    `any file operation failing ${how}`;
  Deno.test(name, async () => {
    let n = 0;
    for (let fired = true; fired;) {
      n++;
      using temp = new TempDir();
      Deno.mkdirSync(join(temp.path, ".netdump"));
      try {
        fired = await receiveWithFault(temp.path, dump, [n, fault], openWire);
        if (fired) await receiveAnother(temp.path, dump, openWire);
      } catch (error) {
        throw new Error(`operation ${n} failing ${how}: ${(error as Error).stack}`);
      }
    }
    assert(n > 30, `only ${n} operations`);
  });
}

for (const fault of FAULTS) {
  for (const wire of WIRES) testFaults(encryptedDump(), fault, ...wire);
  for (const dump of [plainDump(), keyLastDump()]) testFaults(dump, fault, "in memory", inMemory);
}

for (const [fault, how] of FAULTS) {
  Deno.test(`a dump being taken up again is gone on with or labelled, any file operation failing ${how}`, async () => {
    const dump = encryptedDump();
    let n = 0;
    for (let fired = true; fired;) {
      n++;
      using temp = new TempDir();
      const root = temp.path;
      const state = await StateDirectory.open(realFileSystem, root);
      const first = new ReceiverHarness(root, realFileSystem);
      const { id } = await first.open();
      for (const burst of dump.bursts.slice(0, 2)) assert(await first.send(...burst));
      await first.stop();
      const faults = new FaultyFileSystem(n, fault);
      const second = new ReceiverHarness(root, faults.fs);
      await second.resume(id);
      let all = true;
      for (const burst of dump.bursts.slice(2)) all = all && await second.send(...burst);
      await second.until(() => second.closed || all, "the end");
      await second.stop();
      fired = faults.failed !== undefined;
      assertNothingFalse(root, dump);
      assertEquals([...faults.open], [], `operation ${n} failing ${how} leaves files open`);
      if (all) assertFinal(root, dump, !fired);
      else if (second.reports.some(({ report }) => report === "not-labelled")) {
        // It stays, and is labelled when that can be done.
        assertEquals(state.journals().map((journal) => journal.id), [id]);
        const third = new ReceiverHarness(root, realFileSystem);
        await third.giveUp(id, "it could not be resumed");
        await third.stop();
        assertEquals(third.finished?.complete, false);
        assertEquals(endingOf(root), "Dump incomplete: it could not be resumed");
        assertEquals(state.journals(), []);
      } else assertGivenUp(root, second, faults, fault);
      state.close();
    }
    assert(n > 25, `only ${n} operations`);
  });
}
