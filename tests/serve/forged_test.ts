/** Messages in a client's name that the client cannot have sent, and repeats without end (P3, P5, P6, P7). */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { realFileSystem } from "../../lib/os/file_system.ts";
import { type Message, MessageType } from "../../lib/protocol/message.ts";
import { dumpBytes, dumpHeader } from "../dump_data.ts";
import { TempDir } from "../temp_dir.ts";
import { ReceiverHarness } from "./receiver_harness.ts";

const BLOCK = 4096;
const core = dumpBytes(7, 4 * BLOCK);
const header = dumpHeader(core.byteLength);
const NOTHING = new Uint8Array();

function message(type: MessageType, seqno: number, offset = 0, payload: Uint8Array = NOTHING): Message {
  return { type, seqno, offset, payload };
}

function block(seqno: number, place: number): Message {
  return message(MessageType.VMCORE, seqno, place * BLOCK, core.subarray(place * BLOCK, (place + 1) * BLOCK));
}

/** A receiver with half of a dump in it, numbers 2 and 3. */
async function halfWay(temp: TempDir): Promise<ReceiverHarness> {
  Deno.mkdirSync(join(temp.path, ".netdump"));
  const receiver = new ReceiverHarness(temp.path, realFileSystem);
  await receiver.open();
  assert(await receiver.send(block(2, 0)));
  assert(await receiver.send(block(3, 1)));
  return receiver;
}

async function finish(receiver: ReceiverHarness, temp: TempDir): Promise<void> {
  assert(await receiver.send(block(4, 2)));
  assert(await receiver.send(block(5, 3)));
  assert(await receiver.send(message(MessageType.KDH, 6, 0, header)));
  assert(await receiver.send(message(MessageType.FINISHED, 7)));
  await receiver.stop();
  assertEquals(Deno.readFileSync(join(temp.path, "vmcore.w1.0")), core);
  assertEquals(Deno.readFileSync(join(temp.path, "kdh.w1.0")), header);
  assertStringIncludes(Deno.readTextFileSync(join(temp.path, "info.w1.0")), "\nDump complete\n");
}

const rubbish = new Uint8Array(600).fill(0x46);
const FORGED: readonly (readonly [name: string, message: Message])[] = [
  ["FINISHED with number 0", message(MessageType.FINISHED, 0)],
  ["FINISHED with a number that came", message(MessageType.FINISHED, 3)],
  ["FINISHED from afar", message(MessageType.FINISHED, 0x40000000)],
  ["data over what came, number 0", message(MessageType.VMCORE, 0, 0, rubbish)],
  ["data over what came, with a number that came", message(MessageType.VMCORE, 2, 0, rubbish)],
  ["data over what came, with the number to come", message(MessageType.VMCORE, 4, 0, rubbish)],
  ["data with a number that came, where nothing is", message(MessageType.VMCORE, 3, 3 * BLOCK, rubbish)],
  ["data from afar", message(MessageType.VMCORE, 100_000, 2_000_000, rubbish)],
  ["a header of another dump", message(MessageType.KDH, 2, 0, dumpHeader(5))],
  ["a header from afar", message(MessageType.KDH, 7000, 0, dumpHeader(5))],
  ["a key", message(MessageType.EKCD_KEY, 0, 0, rubbish)],
];

for (const [name, forged] of FORGED) {
  Deno.test(`serve takes no ${name} from whoever forges the client's address, and tells it (P5, P6)`, async () => {
    using temp = new TempDir();
    const receiver = await halfWay(temp);
    receiver.forge(forged, forged);
    await finish(receiver, temp);
    const told = receiver.reports.filter((report) => report.report === "notice");
    // One line when it happens, and the count at the end.
    assertEquals(told.map(({ level }) => level), ["warning", "warning"]);
    assert(!receiver.acked.includes(forged.seqno) || [2, 3, 4].includes(forged.seqno));
  });
}

Deno.test("serve acks a resend that is equal to what it repeats, however often, and writes nothing for it (P7)", async () => {
  using temp = new TempDir();
  const receiver = await halfWay(temp);
  const journal = () => {
    const [name] = [...Deno.readDirSync(join(temp.path, ".netdump"))].map(({ name }) => name);
    return Deno.statSync(join(temp.path, ".netdump", name!)).size;
  };
  assert(await receiver.send(message(MessageType.KDH, 4, 0, header)));
  const [journalBytes, reports] = [journal(), receiver.reports.length];
  for (let i = 0; i < 500; i++) {
    assert(await receiver.send(block(3, 1)));
    assert(await receiver.send(message(MessageType.KDH, 4, 0, header)));
  }
  assertEquals([journal(), receiver.reports.length], [journalBytes, reports]);
  await receiver.stop();
});

Deno.test("serve acks a key that comes again and again, and writes nothing for it (P7)", async () => {
  using temp = new TempDir();
  const receiver = await halfWay(temp);
  const piece = message(MessageType.EKCD_KEY, 4, 0, dumpBytes(9, 1448));
  assert(await receiver.send(piece));
  const reports = receiver.reports.length;
  for (let i = 0; i < 500; i++) assert(await receiver.send(piece));
  // Another key in its place is refused.
  receiver.forge(message(MessageType.EKCD_KEY, 5, 0, dumpBytes(10, 1448)));
  await receiver.until(() => receiver.reports.length > reports, "the refusal");
  assertEquals(receiver.reports.length, reports + 1);
  await receiver.stop();
});

Deno.test("serve writes over what came first where a dump begins beyond its start, as a kernel's second one can", async () => {
  using temp = new TempDir();
  Deno.mkdirSync(join(temp.path, ".netdump"));
  const receiver = new ReceiverHarness(temp.path, realFileSystem);
  await receiver.open();
  // A stale buffer first (reference netdump-protocol.md 4.4).
  assert(await receiver.send(message(MessageType.VMCORE, 2, 2 * BLOCK, dumpBytes(8, BLOCK))));
  for (let place = 0; place < 4; place++) assert(await receiver.send(block(3 + place, place)));
  assert(await receiver.send(message(MessageType.KDH, 7, 0, header)));
  assert(await receiver.send(message(MessageType.FINISHED, 8)));
  await receiver.stop();
  assertEquals(Deno.readFileSync(join(temp.path, "vmcore.w1.0")), core);
});

Deno.test("a header that is a byte short is none, and the dump is not called complete (P3)", async () => {
  using temp = new TempDir();
  const receiver = await halfWay(temp);
  assert(await receiver.send(message(MessageType.KDH, 4, 0, header.subarray(0, 511))));
  assert(await receiver.send(message(MessageType.FINISHED, 5)));
  await receiver.stop();
  assertEquals(receiver.finished?.complete, false);
  const info = Deno.readTextFileSync(join(temp.path, "info.w1.0"));
  assertStringIncludes(info, "\n  Header: 511 of 512 bytes received\n");
  assertStringIncludes(info, "\nDump incomplete: header of 511 bytes\n");
});

Deno.test("a dump with a header of a newer version is complete by its length, kept as it came, and told", async () => {
  using temp = new TempDir();
  const receiver = await halfWay(temp);
  const newer = header.slice();
  newer[35] = 5;
  assert(await receiver.send(block(4, 2)));
  assert(await receiver.send(block(5, 3)));
  assert(await receiver.send(message(MessageType.KDH, 6, 0, newer)));
  assert(await receiver.send(message(MessageType.FINISHED, 7)));
  await receiver.stop();
  assertEquals(receiver.finished?.complete, true);
  assertEquals(Deno.readFileSync(join(temp.path, "kdh.w1.0")), newer);
  const told = receiver.reports.find((report) => report.report === "header");
  assertEquals(told?.problem, "its version 5 is newer than what is known");
});
