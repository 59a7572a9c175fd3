import { assert, assertEquals, assertLess } from "@std/assert";
import type { Message } from "../../lib/protocol/message.ts";
import { seededRandom } from "../helpers.ts";
import { SlidingClient, type SlidingSettings } from "./other_clients_model.ts";
import { NaiveServer } from "./naive_server.ts";
import { ServerModel } from "./server_model.ts";
import { SimulatedLink } from "./simulated_network.ts";

import { SimulatedTime } from "./simulated_time.ts";

const MESSAGES = 2000;

/** How a dump without loss went. */
interface Course {
  readonly finished: boolean;
  readonly timeouts: number;
  readonly durationMs: number;
}

async function play(settings: SlidingSettings, acks: "held" | "at-once"): Promise<Course> {
  const random = seededRandom(1);
  const time = new SimulatedTime();
  const packets: SimulatedLink<Message> = new SimulatedLink<Message>(
    time,
    random,
    {},
    (message) => server.receive(message),
  );
  const answers: SimulatedLink<number> = new SimulatedLink<number>(
    time,
    random,
    {},
    (seqno) => client.receive(seqno),
    0.001,
  );
  const client: SlidingClient = new SlidingClient(time, (message) => packets.send(message), settings);
  const send = (seqno: number) => answers.send(seqno);
  const server = acks === "held"
    ? new ServerModel(time, random, send, {}, settings.heraldSeqno)
    : new NaiveServer(time, random, send);
  client.start();
  await time.run(3_600_000, () => client.finished);
  server.stop();
  return { finished: client.finished, timeouts: client.timeouts, durationMs: time.nowMs };
}

Deno.test("netdumpd's own test client, which never resends, is never kept waiting", async () => {
  const settings = {
    window: 1,
    slides: "in-order",
    payloadSize: 1000,
    messages: MESSAGES,
    resendMs: undefined,
    heraldSeqno: 0,
  } as const;
  const { finished, durationMs } = await play(settings, "held");
  assert(finished);
  // All that ours takes longer is to make the dump final, and half a burst here and there.
  assertLess(durationMs - (await play(settings, "at-once")).durationMs, 60);
});

for (const window of [1, 8, 32, 46, 64, 256]) {
  for (const slides of ["in-order", "in-flight"] as const) {
    for (const heraldSeqno of [0, 1]) {
      Deno.test(`a window of ${window} full messages ${slides}, HERALD ${heraldSeqno}, is kept waiting once at most`, async () => {
        for (const payloadSize of [500, 1000, 1408, 1448, 2048]) {
          const settings = { window, slides, payloadSize, messages: MESSAGES, resendMs: 1000, heraldSeqno };
          const { finished, timeouts, durationMs } = await play(settings, "held");
          const { durationMs: leastMs } = await play(settings, "at-once");
          assert(finished, `${payloadSize} bytes: stalled`);
          if (heraldSeqno === 0 || payloadSize >= 2048) assertEquals(timeouts, 0);
          // Five windows in a row that end a block of 4096 bytes are each held for two rounds of resends.
          const most = payloadSize === 1408 && window === 32 ? 10 : 4;
          assert(timeouts <= most, `${payloadSize} bytes: ${timeouts} time-outs`);
          assertLess(durationMs - leastMs, 1250 * timeouts + 300);
        }
      });
    }
  }
}

Deno.test("a window that is larger than a kernel's batch is never kept waiting", async () => {
  for (const payloadSize of [500, 1000, 1400, 1448, 1472]) {
    const window = Math.ceil(65536 / payloadSize) + 1;
    const settings = {
      window,
      slides: "in-order",
      payloadSize,
      messages: MESSAGES,
      resendMs: 1000,
      heraldSeqno: 1,
    } as const;
    assertEquals((await play(settings, "held")).timeouts, 0, `${payloadSize} bytes`);
  }
});

Deno.test("a client that resends after 20 ms is kept waiting for a fraction of a second", async () => {
  for (const window of [1, 8, 32]) {
    const settings = {
      window,
      slides: "in-order",
      payloadSize: 1448,
      messages: MESSAGES,
      resendMs: 20,
      heraldSeqno: 1,
    } as const;
    assertLess((await play(settings, "held")).durationMs - (await play(settings, "at-once")).durationMs, 500);
  }
});

Deno.test("a window of eight messages of 1024 bytes, as large as a batch can be, pays milliseconds a window", async () => {
  const settings = {
    window: 8,
    slides: "in-order",
    payloadSize: 1024,
    messages: MESSAGES,
    resendMs: 1000,
    heraldSeqno: 1,
  } as const;
  const { timeouts, durationMs } = await play(settings, "held");
  assertEquals(timeouts, 2);
  assertLess(
    durationMs - 2000 - (await play(settings, "at-once")).durationMs,
    8 * MESSAGES / settings.window,
  );
});
