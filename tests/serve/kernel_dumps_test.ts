import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { amount, tell } from "./amounts.ts";
import { type DumpModel, type DumpOutcome, playDump } from "./dump_model.ts";
import { KERNEL_KINDS, type KernelKind } from "./kernel_client_model.ts";

/** Simulated dumps of all losses together. */
const DUMPS = amount("NETDUMP_DUMPS", 2000);
const MTUS = [576, 1400, 1460, 1492, 1500, 2100, 9000];
const LOSSES = [0.001, 0.01, 0.05, 0.2];
const BLOCK = 4096;
const WHOLE = 65536;

/** A dump unlike its neighbours; half of them on paths that also double and reorder. */
function modelOf(number: number): DumpModel {
  const messy = number % 2 === 1 ? { duplicate: 0.02, duplicateMs: 20, reorder: 0.05, reorderMs: 5 } : {};
  return {
    mtu: MTUS[number % MTUS.length]!,
    kind: KERNEL_KINDS[Math.floor(number / MTUS.length) % KERNEL_KINDS.length]!,
    dumpBytes: BLOCK * (16 + (number * 7) % 64),
    kernel: { shift: number % 5 === 0 ? "vanishing" : "wrapping" },
    faults: messy,
    ackFaults: messy,
  };
}

function withLoss(model: DumpModel, loss: number): DumpModel {
  return { ...model, faults: { ...model.faults, loss }, ackFaults: { ...model.ackFaults, loss } };
}

/** Says what went wrong with a dump, if anything did. */
function problemOf({ finished, complete, identical, heldWithoutCause }: DumpOutcome): string | undefined {
  if (complete && !identical) return "it is called complete and is not what was sent";
  if (finished && !identical) return "the client believes that it is finished, and it has holes";
  if (finished && !complete) return "it is whole and is not called complete";
  if (heldWithoutCause > 0) return "acks were held though the batch was whole";
  return undefined;
}

async function play(model: DumpModel, seed: number): Promise<DumpOutcome> {
  const outcome = await playDump(model, seed);
  const problem = problemOf(outcome);
  assert(problem === undefined, `Seed ${seed}: ${problem}: ${JSON.stringify(model)}`);
  return outcome;
}

for (const loss of LOSSES) {
  const dumps = Math.ceil(DUMPS / LOSSES.length);
  Deno.test(`${dumps} dumps arrive whole over paths that lose ${loss * 100} % each way (P4)`, async () => {
    const sum = { unfinished: 0, timeouts: 0, lost: 0, saved: 0, resends: 0, packets: 0 };
    for (let seed = 1; seed <= dumps; seed++) {
      const { client, server, finished, lost } = await play(
        { ...withLoss(modelOf(seed), loss), server: { finalizeMs: 3000 } },
        seed,
      );
      if (!finished) sum.unfinished++;
      sum.timeouts += client.timeouts;
      sum.resends += client.resends;
      sum.packets += client.packets;
      sum.lost += lost;
      sum.saved += server.finished?.dump.savedPackets ?? 0;
    }
    tell("NETDUMP_DUMPS", `${dumps} dumps at ${loss * 100} %: ${JSON.stringify(sum)}`);
    // Twelve transmissions in vain end a dump that nobody can help.
    assertLess(sum.unfinished, dumps / 100 + 1);
    assertGreater(sum.saved, 0);
  });

  Deno.test(`dumps that are acked at once get silent holes at a loss of ${loss * 100} % (the test bites)`, async () => {
    let holed = 0;
    const dumps = 60;
    for (let seed = 1; seed <= dumps; seed++) {
      const model = withLoss({ mtu: 1500, kind: "13", dumpBytes: 16 * WHOLE }, loss);
      const { finished, identical, complete } = await playDump({ ...model, server: "naive" }, seed);
      assert(!complete || identical, `Seed ${seed}: a dump with holes was called complete (P3)`);
      if (finished && !identical) holed++;
    }
    tell("NETDUMP_DUMPS", `${holed} of ${dumps} dumps of 1 MiB acked at once at ${loss * 100} % have holes`);
    assertGreater(holed, loss < 0.01 ? dumps / 4 : dumps - 3);
  });
}

/** Whether a batch ends on a full packet, without being as large as a batch can be. */
function hidesAnEnd({ sizes, payloadSize }: DumpOutcome): boolean {
  return payloadSize < 2048 && sizes.some((size) => size % payloadSize === 0 && size < WHOLE);
}

Deno.test("without loss no client ever times out, and nothing is called saved", async () => {
  let compared = 0;
  for (let seed = 1; seed <= DUMPS / 4; seed++) {
    const model = modelOf(seed);
    const outcome = await play(model, seed);
    // What those cost is other tests' matter.
    if (hidesAnEnd(outcome)) continue;
    const { client, server, finished } = outcome;
    assertEquals(
      [finished, client.timeouts, client.resends, server.finished?.dump.savedPackets],
      [true, 0, 0, 0],
      `Seed ${seed}: ${JSON.stringify(model)}`,
    );
    compared++;
  }
  assertGreater(compared, DUMPS / 5);
});

/** 45,056 bytes: 32 packets of 1,408. */
const EXACT = 11 * BLOCK;

/** A dump at MTU 1460, where batches of {@linkcode EXACT} bytes end on a full packet. */
function exactModel(sizes: readonly number[]): DumpModel {
  return { mtu: 1460, kind: "13", dumpBytes: sizes.reduce((sum, size) => sum + size), sizes };
}

Deno.test("a batch that ends on a full packet costs two time-outs the first time, then milliseconds", async () => {
  const many = new Array<number>(12).fill(WHOLE);
  const without = await play(exactModel(many), 1);
  const once = await play(exactModel([...many, EXACT]), 1);
  const often = await play(exactModel([...many, ...new Array<number>(20).fill(EXACT)]), 1);
  assertEquals([without.client.timeouts, once.client.timeouts, often.client.timeouts], [0, 2, 2]);
  assertLess((often.durationMs - once.durationMs) / 19, 8);
});

Deno.test("a dump that begins with batches that end on full packets times out eight times in all", async () => {
  const some = await play(exactModel(new Array<number>(8).fill(EXACT)), 1);
  const more = await play(exactModel(new Array<number>(30).fill(EXACT)), 1);
  assertGreater(9, some.client.timeouts);
  assertEquals(more.client.timeouts, some.client.timeouts);
});

Deno.test("batches of 4 KiB that end on full packets cost two time-outs in all", async () => {
  const { client } = await play({ mtu: 1076, kind: "12-encrypted", dumpBytes: 64 * BLOCK }, 1);
  assertEquals(client.timeouts, 2);
});

/** Losses of one batch: which of its packets are lost when sent for the first time, or the second. */
type Burst = readonly [name: string, isLost: (pass: number, index: number, count: number) => boolean];

function bursts(packets: number): Burst[] {
  const at = Array.from({ length: packets }, (_, i) => i);
  return [
    ...at.map((k): Burst => [`packet ${k}`, (pass, i) => pass === 0 && i === k]),
    ...at.map((k): Burst => [`the head to ${k}`, (pass, i) => pass === 0 && i <= k]),
    ...at.map((k): Burst => [`the tail from ${k}`, (pass, i) => pass === 0 && i >= k]),
    ...at.map((k): Burst => [`the tail from ${k} twice`, (pass, i) => pass <= 1 && i >= k]),
    ...at.map((k): Burst => [`all but ${k}, twice`, (pass, i) => pass <= 1 && i !== k]),
    ...at.map((k): Burst => [`${k} and what shares its bit`, (pass, i) => pass === 0 && i % 32 === k % 32]),
    ["the whole batch, three times", (pass) => pass <= 2],
  ];
}

const BURST_MODELS: readonly (readonly [mtu: number, kind: KernelKind, sizes: readonly number[]])[] = [
  [1500, "13", [WHOLE, WHOLE, 5 * BLOCK]],
  [1500, "12", [BLOCK, BLOCK, WHOLE, WHOLE]],
  [1460, "13", [WHOLE, WHOLE]],
  [1460, "13", [EXACT, WHOLE]],
  [1460, "13", [WHOLE, EXACT, BLOCK]],
  [1076, "13", [WHOLE, 4 * BLOCK]],
  [576, "13", [WHOLE, 3 * BLOCK]],
];

for (const [mtu, kind, sizes] of BURST_MODELS) {
  const payload = mtu - 52;
  Deno.test(`bursts of losses leave no hole at MTU ${mtu} in batches of ${sizes.join(", ")} bytes`, async () => {
    for (const [number, size] of sizes.entries()) {
      // Not every packet of every batch of the long ones: what differs is where the bits are shared.
      const packets = Math.ceil(size / payload);
      for (const [name, isLost] of bursts(packets).filter((_, i) => packets <= 47 || i % 3 === 0)) {
        const { finished } = await play({
          mtu,
          kind,
          sizes,
          dumpBytes: sizes.reduce((sum, size) => sum + size),
          // Batch 0 is the HERALD.
          isLost: (batch, pass, index) => batch === number + 1 && isLost(pass, index, packets),
        }, 1);
        assert(finished, `${name} of batch ${number}: the client gave up`);
      }
    }
  });
}

Deno.test("a burst that cuts a batch where another one ended leaves no hole on a path known for bursts", async () => {
  // Long enough ago for the path to count as a good one again.
  const sizes = [WHOLE, EXACT, ...new Array<number>(55).fill(WHOLE)];
  const { client } = await play({
    ...exactModel(sizes),
    isLost: (batch, pass, index) =>
      pass === 0 && ((batch === 1 && index >= 43) || (batch === 57 && index >= 32)),
  }, 1);
  assertEquals(client.timeouts, 1 + 2 + 1);
});

Deno.test("the first burst on a good path that cuts a batch where another one ended is told as a hole", async () => {
  // Nothing tells the two apart but a time-out for each batch that ends there, for ever; see acknowledgement.ts.
  const sizes = [EXACT, ...new Array<number>(8).fill(WHOLE)];
  const { complete, server } = await playDump({
    ...exactModel(sizes),
    isLost: (batch, pass, index) => pass === 0 && batch === 8 && index >= 32,
  }, 1);
  assertEquals(complete, false);
  assertEquals(server.finished?.missing, [{ start: EXACT + 6 * WHOLE + 32 * 1408, end: EXACT + 7 * WHOLE }]);
});

const HARD_PATHS: Readonly<Record<string, Partial<DumpModel>>> = {
  "doubles packets seconds later": {
    faults: { loss: 0.05, duplicate: 0.1, duplicateMs: 3000, reorder: 0.1, reorderMs: 5 },
    ackFaults: { loss: 0.05, duplicate: 0.1, duplicateMs: 3000, reorder: 0.1, reorderMs: 5 },
  },
  "delays packets by more than a second": {
    faults: { loss: 0.05, duplicate: 0.05, duplicateMs: 100, reorder: 0.1, reorderMs: 1500 },
    ackFaults: { loss: 0.05, duplicate: 0.05, duplicateMs: 50, reorder: 0.1, reorderMs: 1500 },
  },
  "carries 1 Mb/s": { faults: { loss: 0.02 }, ackFaults: { loss: 0.02 }, spacingMs: 12 },
  "carries 250 kb/s": { faults: { loss: 0.02 }, ackFaults: { loss: 0.02 }, spacingMs: 47 },
  "loses 5 %, for a client tuned to resend after 50 ms": {
    faults: { loss: 0.05 },
    ackFaults: { loss: 0.05 },
    kernel: { polls: 100, retries: 200 },
  },
  "loses 5 %, for a client tuned to resend after 10 ms": {
    faults: { loss: 0.05 },
    ackFaults: { loss: 0.05 },
    kernel: { polls: 20, retries: 1000 },
  },
};

for (const [name, path] of Object.entries(HARD_PATHS)) {
  Deno.test(`dumps arrive whole, or not at all, over a path that ${name}`, async () => {
    let finished = 0;
    const dumps = Math.ceil(DUMPS / 20);
    for (let seed = 1; seed <= dumps; seed++) {
      const model = modelOf(seed);
      const mtu = [...MTUS, 1332, 1076][seed % 9]!;
      const outcome = await play(
        { ...model, mtu, ...path, kernel: { ...model.kernel, ...path.kernel } },
        seed,
      );
      if (outcome.finished) finished++;
    }
    // On the slowest, a batch takes longer than the client waits before it sends it all again.
    assertGreater(finished, dumps / 2);
  });
}
