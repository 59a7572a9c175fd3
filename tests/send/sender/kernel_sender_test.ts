import { assert, assertEquals, assertGreater } from "@std/assert";
import { MessageType } from "../../../lib/protocol/message.ts";
import { DEFAULT_POLLS, KernelSender } from "../../../lib/send/sender/kernel_sender.ts";
import { type DumpShape, kernelPlan, type KernelVersion } from "../../../lib/send/sender/plan.ts";
import { NOTHING, seqnoOf } from "../../../lib/send/sender/sender.ts";
import { seededRandom } from "../../helpers.ts";
import { type Arrival, HoldingServer, HonestServer, NO_FAULTS, problemOf, simulate } from "../simulation.ts";

const SHAPE: DumpShape = { pathSize: 0, dataSize: 65536, headerSize: 512, keySize: 0 };

function makeKernel(
  { shape = SHAPE, version = "14" as KernelVersion, payloadSize = 1448, retries = 10 } = {},
): KernelSender {
  const plan = kernelPlan(version, shape, [{ sizeBytes: shape.dataSize, writeSize: 65536 }]);
  return new KernelSender({ plan, payloadSize, retries, polls: DEFAULT_POLLS });
}

function drain(sender: KernelSender, nowMs: number): number[] {
  const numbers: number[] = [];
  for (let n = sender.next(nowMs, Infinity); n !== NOTHING; n = sender.next(nowMs, Infinity)) numbers.push(n);
  return numbers;
}

/** Brings a kernel past its HERALD and sends its first batch; returns the time and the numbers sent. */
function firstBatch(sender: KernelSender): { now: number; sent: number[] } {
  assertEquals(drain(sender, 0), [0]);
  sender.acknowledge(1, 0);
  const now = sender.wakeAt();
  return { now, sent: drain(sender, now) };
}

Deno.test("KernelSender sends a whole batch back to back, then nothing until all of it is acknowledged", () => {
  const sender = makeKernel();
  const { now, sent } = firstBatch(sender);
  assertEquals(sent, Array.from({ length: 46 }, (_, i) => i + 1));
  for (const number of sent.slice(0, -1)) sender.acknowledge(seqnoOf(number), now);
  assertEquals(sender.batch.type, MessageType.VMCORE);
});

Deno.test("KernelSender notices acks half a millisecond after the poll that takes them in", () => {
  for (const [ackAt, noticedAt] of [[0, 0.5], [0.1, 1], [0.5, 1], [0.6, 1.5], [7.2, 8]] as const) {
    const sender = makeKernel();
    const { now, sent } = firstBatch(sender);
    for (const number of sent) sender.acknowledge(seqnoOf(number), now + ackAt);
    assertEquals(sender.wakeAt() - now, noticedAt, `acks after ${ackAt} ms`);
    assertEquals(drain(sender, now + noticedAt), [47]);
    assertEquals(sender.batch.type, MessageType.KDH);
  }
});

Deno.test("KernelSender makes 12 transmissions, 2001 polls apart, and gives up after 12 seconds", () => {
  const sender = makeKernel();
  const sent: number[] = [];
  let now = 0;
  for (; sender.state === "sending"; now = sender.wakeAt()) {
    if (drain(sender, now).length > 0) sent.push(now);
    if (typeof sender.state === "object") break;
  }
  assertEquals(sent, Array.from({ length: 12 }, (_, i) => i * 1000.5));
  assertEquals(sender.state, { type: MessageType.HERALD, offset: 0, tries: 12, waitedMs: 12_006 });
});

Deno.test("KernelSender's retries belong to the batch: progress within it does not reset them", () => {
  const sender = makeKernel({ retries: 2 });
  let { now } = firstBatch(sender);
  for (let ack = 2; sender.state === "sending"; now = sender.wakeAt()) {
    drain(sender, now);
    if (typeof sender.state !== "object") sender.acknowledge(ack++, now);
    else break;
  }
  assert(typeof sender.state === "object");
  assertEquals(sender.state.tries, 4);
});

Deno.test("KernelSender resends what has no bit: 14 to 31 of 46 messages stand alone, the others share theirs", () => {
  for (let lost = 0; lost < 46; lost++) {
    const sender = makeKernel();
    const { now, sent } = firstBatch(sender);
    for (const number of sent) if (number !== lost + 1) sender.acknowledge(seqnoOf(number), now);
    const again = drain(sender, sender.wakeAt());
    if (lost >= 14 && lost <= 31) assertEquals(again, [lost + 1], `lost ${lost}`);
    else assertEquals(sender.batch.type, MessageType.KDH, `lost ${lost}: a silent hole`);
    assertEquals(sender.counters.neverAcknowledged, lost >= 14 && lost <= 31 ? 0 : 1);
  }
});

Deno.test("KernelSender does not resend message i once i + 32 is acknowledged", () => {
  const sender = makeKernel();
  const { now } = firstBatch(sender);
  for (let number = 33; number <= 46; number++) sender.acknowledge(seqnoOf(number), now);
  const again = drain(sender, now + 1000.5);
  assertEquals(again, Array.from({ length: 18 }, (_, i) => i + 15));
});

Deno.test("KernelSender does not take a late ack for one that never came", () => {
  const sender = makeKernel();
  const { now, sent } = firstBatch(sender);
  for (const number of sent.slice(0, 32)) sender.acknowledge(seqnoOf(number), now);
  assertEquals(drain(sender, sender.wakeAt()), [47]);
  assertEquals(sender.counters.neverAcknowledged, 14);
  for (const number of sent.slice(32)) sender.acknowledge(seqnoOf(number), now + 2);
  assertEquals(sender.counters.neverAcknowledged, 0);
});

Deno.test("KernelSender never ends a batch in which a message that it did not send was acknowledged", () => {
  const sender = makeKernel({ shape: { ...SHAPE, dataSize: 4096 } });
  const { now, sent } = firstBatch(sender);
  assertEquals(sent, [1, 2, 3]);
  for (const seqno of [2, 3, 4, 10]) sender.acknowledge(seqno, now);
  for (let at = now; sender.state === "sending"; at = sender.wakeAt()) drain(sender, at);
  assert(typeof sender.state === "object");
  assertEquals(sender.state.type, MessageType.VMCORE);
});

Deno.test("KernelSender ignores acks of earlier batches and those 64 or more ahead", () => {
  const sender = makeKernel();
  const { now } = firstBatch(sender);
  for (const seqno of [0, 1, 2 + 64, 2 + 65, 0xffffffff]) sender.acknowledge(seqno, now);
  assertEquals(sender.counters.acks, 1);
  assertEquals(sender.counters.staleAcks, 5);
});

Deno.test("KernelSender waits for the whole batch to be read before it sends any of it", () => {
  const sender = makeKernel();
  drain(sender, 0);
  sender.acknowledge(1, 0);
  assertEquals(sender.next(1, 65535), NOTHING);
  assertEquals(sender.wakeAt(), Infinity);
  assertEquals(sender.next(1, 65536), 1);
});

/** Loses chosen messages of the first batch, the first time each is sent. */
class LosingServer extends HonestServer {
  readonly #lost: Set<number>;
  constructor(lostIndexes: readonly number[]) {
    super();
    this.#lost = new Set(lostIndexes.map((index) => index + 2));
  }
  override receive(message: Arrival, nowMs: number): number[] {
    return this.#lost.delete(message.seqno) ? [] : super.receive(message, nowMs);
  }
}

Deno.test("KernelSender leaves silent holes with a server that acks at once: i or i + 32 lost, or a batch's tail", () => {
  const shape = { ...SHAPE, dataSize: 65536 * 3 };
  for (
    const lost of [[0], [13], [32], [45], [3, 40], [32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45]]
  ) {
    const server = new LosingServer(lost);
    const sender = makeKernel({ shape });
    simulate(sender, server, NO_FAULTS, 1);
    assertEquals(sender.state, "finished");
    assertEquals(server.firstHole(MessageType.VMCORE, shape.dataSize), lost[0]! * 1448, `lost ${lost}`);
    assertEquals(sender.counters.neverAcknowledged, lost.length);
  }
  for (const lost of [[14], [31], [14, 20, 31], [0, 32]]) {
    const server = new LosingServer(lost);
    simulate(makeKernel({ shape }), server, NO_FAULTS, 1);
    assertEquals(problemOf(server, shape), undefined, `lost ${lost}`);
  }
});

Deno.test("KernelSender has no silent holes where a batch has at most 32 messages", () => {
  const shape = { ...SHAPE, dataSize: 65536 * 4 };
  for (const payloadSize of [2048, 4096, 8948]) {
    for (let seed = 1; seed <= 100; seed++) {
      const server = new HonestServer();
      const sender = makeKernel({ shape, payloadSize });
      simulate(sender, server, { ...NO_FAULTS, loss: 0.02 }, seed);
      assertEquals(sender.state, "finished", `seed ${seed}`);
      assertEquals(problemOf(server, shape), undefined, `seed ${seed}, payload ${payloadSize}`);
    }
  }
});

/** Dumps with holes among many, with a server of a kind. */
function holed(
  dumps: number,
  makeServer: () => HonestServer,
  loss: (random: () => number) => number,
): number {
  const shape = { ...SHAPE, dataSize: 65536 * 8 };
  let damaged = 0;
  for (let seed = 1; seed <= dumps; seed++) {
    const server = makeServer();
    const sender = makeKernel({ shape, version: seed % 2 === 0 ? "13" : "12" });
    simulate(sender, server, { ...NO_FAULTS, loss: loss(seededRandom(seed)) }, seed);
    if (sender.state !== "finished") continue;
    if (problemOf(server, shape) !== undefined) {
      damaged++;
      assertGreater(sender.counters.neverAcknowledged, 0, `seed ${seed}: the hole shows in the counters`);
    }
  }
  return damaged;
}

Deno.test("KernelSender at 1 % loss: most dumps are damaged by acks sent at once, none by our server (P4)", () => {
  assertGreater(holed(300, () => new HonestServer(), () => 0.01), 200);
  assertEquals(holed(300, () => new HoldingServer(), () => 0.01), 0);
});

Deno.test("KernelSender at 0.1 to 10 % loss: no dump that our server finishes has a hole (P4)", () => {
  assertEquals(holed(1000, () => new HoldingServer(), (random) => 0.001 + random() * 0.1), 0);
});
