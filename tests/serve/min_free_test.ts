import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { type Message, MessageType } from "../../lib/protocol/message.ts";
import { type FileSystem, realFileSystem } from "../../lib/os/file_system.ts";
import { dumpBytes } from "../dump_data.ts";
import { TempDir } from "../temp_dir.ts";
import { ReceiverHarness } from "./receiver_harness.ts";

const PIECE = 32 * 1024;
const MIB = 1024 * 1024;

/** Sends pieces of a dump in the given order until one is not acked; resolves with how many were. */
async function sendPieces(receiver: ReceiverHarness, order: readonly number[], first = 2): Promise<number> {
  const bytes = dumpBytes(1, PIECE);
  for (const [i, piece] of order.entries()) {
    const message: Message = {
      type: MessageType.VMCORE,
      seqno: first + i,
      offset: piece * PIECE,
      payload: bytes,
    };
    if (!await receiver.send(message)) return i;
  }
  return order.length;
}

const count = 20 * MIB / PIECE;
const ascending = Array.from({ length: count }, (_, i) => i);

for (
  const [name, order] of [
    ["from its start", ascending],
    ["from its end", ascending.toReversed()],
    ["last block first", [count - 1, ...ascending.slice(0, -1)]],
    ["one block again and again", ascending.map(() => 0)],
  ] as const
) {
  Deno.test(`a dump that comes ${name} ends when the space to be kept free is reached (P7)`, async () => {
    using temp = new TempDir();
    Deno.mkdirSync(join(temp.path, ".netdump"));
    let freeBytes = 40 * MIB;
    const fs: FileSystem = {
      ...realFileSystem,
      write: (fd, bytes, at, length, position) => {
        realFileSystem.write(fd, bytes, at, length, position);
        freeBytes -= length;
      },
      space: () => ({ freeBytes, totalBytes: 100 * MIB }),
    };
    const receiver = new ReceiverHarness(temp.path, fs, {
      settings: { minFree: 30 * MIB, mostBytes: 50 * MIB },
    });
    await receiver.open();
    const sent = await sendPieces(receiver, order);
    await receiver.stop();
    assert(sent * PIECE >= 8 * MIB && sent * PIECE <= 14 * MIB, `${sent} pieces were taken`);
    assertEquals([receiver.finished?.outcome, receiver.finished?.complete], ["error", false]);
    const at = order[sent]! * PIECE;
    const reason = `write error at offset ${at}: the disk has no more than the space to be kept free`;
    assertEquals(receiver.finished?.reason, reason);
  });
}

Deno.test("a dump that is taken up again may use what it has and what is free, as before", async () => {
  using temp = new TempDir();
  Deno.mkdirSync(join(temp.path, ".netdump"));
  const spacious = (freeBytes: number): FileSystem => ({
    ...realFileSystem,
    space: () => ({ freeBytes, totalBytes: 100 * MIB }),
  });
  const first = new ReceiverHarness(temp.path, spacious(20 * MIB));
  const { id } = await first.open();
  assertEquals(await sendPieces(first, ascending.slice(0, 480)), 480);
  await first.stop();
  const second = new ReceiverHarness(temp.path, spacious(5 * MIB));
  await second.resume(id);
  assertEquals(await sendPieces(second, ascending.slice(480), 482), count - 480);
  await second.stop();
});
