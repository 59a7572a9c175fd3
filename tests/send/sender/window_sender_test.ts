import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { MessageType } from "../../../lib/protocol/message.ts";
import { type DumpShape, windowPlan } from "../../../lib/send/sender/plan.ts";
import { NOTHING, numberOf, seqnoOf } from "../../../lib/send/sender/sender.ts";
import { AdaptiveWindow, FixedWindow, type Window } from "../../../lib/send/sender/window.ts";
import { WindowSender } from "../../../lib/send/sender/window_sender.ts";
import { seededRandom } from "../../helpers.ts";
import {
  type Faults,
  HoldingServer,
  HonestServer,
  NarrowServer,
  NO_FAULTS,
  problemOf,
  simulate,
} from "../simulation.ts";

const SHAPE: DumpShape = { pathSize: 0, dataSize: 400_000, headerSize: 512, keySize: 0 };

interface Setup {
  readonly shape?: DumpShape;
  readonly payloadSize?: number;
  readonly window?: Window;
  readonly retries?: number;
  readonly timeoutMs?: number;
}

function makeSender(setup: Setup = {}): WindowSender {
  const payloadSize = setup.payloadSize ?? 1448;
  return new WindowSender({
    plan: windowPlan(setup.shape ?? SHAPE),
    payloadSize,
    window: setup.window ?? new AdaptiveWindow(payloadSize),
    retries: setup.retries ?? 10,
    timeoutMs: setup.timeoutMs ?? 1000,
  });
}

/** Takes all messages that a sender has to send at a time. */
function drain(sender: WindowSender, nowMs: number, readyOffset = Infinity): number[] {
  const numbers: number[] = [];
  for (let n = sender.next(nowMs, readyOffset); n !== NOTHING; n = sender.next(nowMs, readyOffset)) {
    numbers.push(n);
  }
  return numbers;
}

/** Brings a sender past its HERALD. */
function herald(sender: WindowSender): WindowSender {
  assertEquals(drain(sender, 0), [0]);
  sender.acknowledge(1, 0);
  return sender;
}

Deno.test("WindowSender sends HERALD, key, data, header and FINISHED, each after the other is acknowledged", () => {
  const sender = makeSender({ shape: { pathSize: 4, dataSize: 3000, headerSize: 512, keySize: 4096 } });
  const seen: [type: number, offset: number, sizeBytes: number, messages: number[]][] = [];
  while (sender.state === "sending") {
    const { type, offset, sizeBytes } = sender.batch;
    const numbers = drain(sender, 0);
    seen.push([type, offset, sizeBytes, numbers.map(seqnoOf)]);
    for (const number of numbers) sender.acknowledge(seqnoOf(number), 0);
  }
  assertEquals(seen, [
    [MessageType.HERALD, 0, 4, [1]],
    [MessageType.EKCD_KEY, 0, 4096, [2, 3, 4]],
    [MessageType.VMCORE, 0, 3000, [5, 6, 7]],
    [MessageType.KDH, 0, 512, [8]],
    [MessageType.FINISHED, 0, 0, [9]],
  ]);
  assertEquals(sender.state, "finished");
  assertEquals(sender.acknowledgedBytes, 3000);
});

Deno.test("WindowSender shows in its first flight that it is no kernel: one message more than a batch has", () => {
  for (const payloadSize of [524, 1448, 4096, 8948, 65483]) {
    const flight = drain(herald(makeSender({ payloadSize, shape: { ...SHAPE, dataSize: 1e6 } })), 0);
    assertEquals(flight.length, Math.ceil(65536 / payloadSize) + 1, `payload ${payloadSize}`);
  }
});

Deno.test("WindowSender offers no data that has not been read yet", () => {
  const sender = herald(makeSender());
  assertEquals(drain(sender, 0, 1447), []);
  assertEquals(drain(sender, 0, 3000), [1, 2]);
});

Deno.test("WindowSender resends by gap: a message that a later one overtook goes again before any time-out", () => {
  const sender = herald(makeSender());
  const flight = drain(sender, 0);
  for (const number of flight.slice(1)) sender.acknowledge(seqnoOf(number), 1);
  assertEquals(drain(sender, 1).includes(1), false, "an overtaken message may still be under way");
  assertLess(sender.wakeAt(), 10);
  assertEquals(drain(sender, sender.wakeAt())[0], 1);
  assertEquals(sender.counters.timeouts, 0);
});

Deno.test("WindowSender resends the whole flight when no ack comes, at once, and waits longer each time", () => {
  const sender = herald(makeSender({ shape: { ...SHAPE, dataSize: 1448 * 20 } }));
  const flight = drain(sender, 0);
  assertEquals(flight.length, 20);
  sender.acknowledge(seqnoOf(1), 2);
  const times: number[] = [2];
  for (let round = 0; round < 6; round++) {
    const at = sender.wakeAt();
    assertEquals(drain(sender, at).length, 19);
    times.push(at);
  }
  const waits = times.slice(1).map((time, i) => time - times[i]!);
  assertEquals(waits.map((wait) => Math.round(wait / 100)), [1, 2, 4, 8, 10, 10]);
});

Deno.test("WindowSender gives up on a HERALD after its retries, one time-out apart", () => {
  const sender = makeSender({ retries: 10, timeoutMs: 1000 });
  const sent: number[] = [];
  for (let now = 0; sender.state === "sending"; now = sender.wakeAt()) {
    if (drain(sender, now).length > 0) sent.push(now);
  }
  assertEquals(sent, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((s) => s * 1000));
  assertEquals(sender.state, { type: MessageType.HERALD, offset: 0, tries: 11, waitedMs: 11_000 });
  assertEquals(sender.wakeAt(), Infinity);
});

Deno.test("WindowSender says at which offset the server fell silent, and sends nothing more", () => {
  const sender = herald(makeSender({ retries: 2, timeoutMs: 50 }));
  for (const number of drain(sender, 0)) if (number !== 7) sender.acknowledge(seqnoOf(number), 1);
  let now = 1;
  while (sender.state === "sending") {
    for (const number of drain(sender, now)) if (number !== 7) sender.acknowledge(seqnoOf(number), now);
    now = Math.max(now + 0.5, Math.min(sender.wakeAt(), now + 10));
  }
  assert(typeof sender.state === "object");
  assertEquals([sender.state.type, sender.state.offset], [MessageType.VMCORE, 6 * 1448]);
  assertGreater(sender.state.tries, 2);
  assertEquals(drain(sender, now + 1e6), []);
});

Deno.test("WindowSender waits twelve seconds for FINISHED, whatever the time-out: the server syncs", () => {
  const sender = herald(makeSender({ retries: 1, timeoutMs: 50, shape: { ...SHAPE, dataSize: 1448 } }));
  for (let i = 0; i < 2; i++) for (const number of drain(sender, 0)) sender.acknowledge(seqnoOf(number), 0);
  assertEquals(sender.batch.type, MessageType.FINISHED);
  let now = 0;
  for (; sender.state === "sending" && now < 20_000; now = sender.wakeAt()) drain(sender, now);
  assert(typeof sender.state === "object");
  assertEquals(sender.state.waitedMs, 12_000);
});

Deno.test("WindowSender ignores acks of messages never sent, acknowledged before, or of another dump", () => {
  const sender = herald(makeSender());
  const sentCount = drain(sender, 0).length;
  const { acks } = sender.counters;
  for (const seqno of [0, 1, sentCount + 2, 100_000, 0xffffffff]) sender.acknowledge(seqno, 1);
  assertEquals(sender.counters.acks, acks);
  assertEquals(sender.counters.staleAcks, 5);
  assertEquals(sender.acknowledgedBytes, 0);
});

Deno.test("seqnoOf() and numberOf() go on when seqnos wrap after 2^32 messages", () => {
  const wrapping = [2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 3 * 2 ** 32 + 5];
  assertEquals(wrapping.map(seqnoOf), [2 ** 32 - 1, 0, 1, 6]);
  for (const number of wrapping) assertEquals(numberOf(seqnoOf(number), number - 3), number);
});

/** Round-trip times of a short way, whose buffers are what holds a flight, and of a long one. */
const [SHORT_MS, LONG_MS] = [0.1, 20];

Deno.test("AdaptiveWindow doubles until messages are lost, then keeps what got through", () => {
  const window = new AdaptiveWindow(1448);
  assertEquals(window.size, 47);
  window.onRound(47, 0, true, LONG_MS);
  assertEquals(window.size, 94);
  window.onRound(47, 47, true, LONG_MS);
  assertEquals(window.size, 47);
  for (let round = 0; round < 1000; round++) window.onRound(47, 0, true, LONG_MS);
  assertEquals(window.size, 256);
});

Deno.test("AdaptiveWindow fills no more of a server's socket than two of a kernel's batches on a short way", () => {
  for (const payloadSize of [524, 1448, 4096, 8948]) {
    const window = new AdaptiveWindow(payloadSize);
    for (let round = 0; round < 1000; round++) {
      window.onRound(47, 0, true, SHORT_MS);
      assert(window.size * payloadSize <= 2 * 65536 || window.size === Math.ceil(65536 / payloadSize) + 1);
    }
    assertEquals(window.size, Math.min(256, Math.floor(2 * 65536 / payloadSize)));
    // What a long way holds is not given up at once when the way gets shorter.
    for (let round = 0; round < 10; round++) window.onRound(47, 0, true, LONG_MS);
    const { size } = window;
    window.onRound(47, 0, true, SHORT_MS);
    assertEquals(window.size, size);
  }
});

Deno.test("AdaptiveWindow does not grow where it is not what limits the flight", () => {
  const window = new AdaptiveWindow(1448);
  for (let round = 0; round < 100; round++) window.onRound(10, 0, false, SHORT_MS);
  assertEquals(window.size, 47);
});

Deno.test("AdaptiveWindow takes its decrease back when the loss was only delay", () => {
  const window = new AdaptiveWindow(1448);
  window.onTimeout();
  assertEquals(window.size, 23);
  window.onLateAck();
  assertEquals(window.size, 47);
});

/** Sends many dumps, each with faults drawn from its seed; a failure names the seed. */
function sendMany(
  dumps: number,
  makeServer: () => HonestServer,
  faultsOf: (random: () => number) => Faults,
  setupOf: (random: () => number) => Setup = () => ({}),
): void {
  for (let seed = 1; seed <= dumps; seed++) {
    const random = seededRandom(seed);
    const shape: DumpShape = {
      pathSize: random() < 0.3 ? 1 + Math.floor(random() * 1000) : 0,
      dataSize: 1 + Math.floor(random() * 300_000),
      headerSize: 512,
      keySize: random() < 0.3 ? 4096 : 0,
    };
    const faults = faultsOf(random);
    const setup = setupOf(random);
    const sender = makeSender({ shape, ...setup });
    const server = makeServer();
    const { elapsedMs } = simulate(sender, server, faults, seed);
    const context = `seed ${seed}: ${JSON.stringify({ shape, faults, counters: sender.counters })}`;
    assertEquals(sender.state, "finished", context);
    assertEquals(problemOf(server, shape), undefined, context);
    // A window of one message makes a round trip, and now and then a time-out, for each.
    const perMessageMs = setup.window === undefined ? 0 : 300 / setup.window.size;
    assertLess(elapsedMs, 60_000 + sender.counters.messages * perMessageMs, context);
    assertEquals(sender.acknowledgedBytes, shape.dataSize, context);
  }
}

const anyFaults = (random: () => number): Faults => ({
  loss: random() * 0.2,
  duplicate: random() * 0.2,
  reorder: random() * 0.2,
  delayMs: 0.05 + random() * 20,
});

const anySetup = (random: () => number): Setup => {
  const payloadSize = [76, 524, 1448, 1448, 4096, 8948, 65483][Math.floor(random() * 7)]!;
  return {
    payloadSize,
    ...(random() < 0.3 ? { window: new FixedWindow(1 + Math.floor(random() * 100)) } : {}),
  };
};

Deno.test("WindowSender sends 3,000 dumps whole at up to 20 % loss, duplication and reordering each way", () => {
  sendMany(3000, () => new HonestServer(), anyFaults, anySetup);
});

Deno.test("WindowSender sends 1,000 dumps whole to a server that knows no window beyond 64", () => {
  sendMany(
    1000,
    () => new NarrowServer(),
    anyFaults,
    (random) => ({ payloadSize: random() < 0.5 ? 1448 : 524 }),
  );
});

Deno.test("WindowSender sends 1,000 dumps whole to a server that holds acks for kernels' sake (P4)", () => {
  sendMany(1000, () => new HoldingServer(), anyFaults, anySetup);
});

Deno.test("WindowSender is known for no kernel at once: our server holds none of its acks for long", () => {
  const sender = makeSender({ shape: { ...SHAPE, dataSize: 10_000_000 } });
  const server = new HoldingServer();
  const { elapsedMs, transmissions } = simulate(sender, server, NO_FAULTS, 1);
  assertEquals(problemOf(server, { ...SHAPE, dataSize: 10_000_000 }), undefined);
  assertEquals(sender.counters.resends, 0);
  assertEquals(transmissions, Math.ceil(10_000_000 / 1448) + 3);
  assertLess(elapsedMs, 200);
});

Deno.test("WindowSender finds the size of a receive buffer that overflows, and loses little to it", () => {
  // A kernel's batch, which every server takes, is 46 messages.
  for (const buffer of [10, 24, 46, 60, 92]) {
    const shape = { ...SHAPE, dataSize: 30_000_000 };
    const sender = makeSender({ shape });
    const server = new HonestServer();
    simulate(sender, server, { ...NO_FAULTS, buffer, serviceMs: 0.01 }, 1);
    assertEquals(problemOf(server, shape), undefined);
    assertLess(sender.counters.resends / sender.counters.messages, 0.1, `buffer ${buffer}`);
    assertLess(sender.windowSize, 2 * Math.max(buffer, 46), `buffer ${buffer}`);
  }
});

Deno.test("WindowSender keeps its window wide where one per cent is lost to noise", () => {
  const shape = { ...SHAPE, dataSize: 30_000_000 };
  const sender = makeSender({ shape });
  const { elapsedMs } = simulate(sender, new HonestServer(), { ...NO_FAULTS, delayMs: 0.5, loss: 0.005 }, 7);
  assertGreater(sender.windowSize, 40);
  // 30 MB in half a second is 60 MB/s.
  assertLess(elapsedMs, 500);
});

Deno.test("WindowSender takes reordering for what it is: few needless resends once it has learnt", () => {
  const shape = { ...SHAPE, dataSize: 5_000_000 };
  const sender = makeSender({ shape });
  simulate(sender, new HonestServer(), { loss: 0, duplicate: 0, reorder: 0.1, delayMs: 2 }, 5);
  assertLess(sender.counters.resends / sender.counters.messages, 0.1);
});

Deno.test("WindowSender survives a server that is silent for a while: no give-up, and the window comes back", () => {
  class PausingServer extends HonestServer {
    override receive(message: Parameters<HonestServer["receive"]>[0], nowMs: number): number[] {
      return nowMs > 5 && nowMs < 5000 ? [] : super.receive(message, nowMs);
    }
  }
  const shape = { ...SHAPE, dataSize: 3_000_000 };
  const sender = makeSender({ shape });
  const server = new PausingServer();
  const { elapsedMs } = simulate(sender, server, NO_FAULTS, 1);
  assertEquals(sender.state, "finished");
  assertEquals(problemOf(server, shape), undefined);
  assertLess(elapsedMs, 7000);
});
