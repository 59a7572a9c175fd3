import { assertEquals } from "@std/assert";
import { BURST_BOUNDS, LATENCY_BOUNDS_S, type StoredRun } from "../../../lib/serve/events.ts";
import { Pace } from "../../../lib/serve/receiver/pace.ts";

function run(special: Partial<StoredRun>): StoredRun {
  return {
    ...{ id: "a", atMs: 0, seqno: 2, messages: 1, offset: 0, bytes: 1448, acks: 1, gatherMs: 0, storeMs: 0 },
    ...special,
  };
}

Deno.test("the pace counts runs by their messages and by the time until they were stored, and starts anew", () => {
  const traced: StoredRun[] = [];
  const pace = new Pace((one) => traced.push(one));
  assertEquals(pace.take(), undefined);
  pace.stored(run({ messages: 1, gatherMs: 0.05, storeMs: 0.05 }));
  pace.stored(run({ messages: 46, gatherMs: 1, storeMs: 2 }));
  pace.stored(run({ messages: 1e6, storeMs: 1e6 }));
  const counts = pace.take()!;
  const filled = (list: readonly number[], bounds: readonly number[]) =>
    list.flatMap((count, i) => count === 0 ? [] : [[bounds[i] ?? Infinity, count]]);
  assertEquals(filled(counts.bursts, BURST_BOUNDS), [[1, 1], [64, 1], [Infinity, 1]]);
  assertEquals(filled(counts.latencies, LATENCY_BOUNDS_S), [[0.0001, 1], [0.003, 1], [Infinity, 1]]);
  assertEquals(counts.messages, 1_000_047);
  assertEquals(pace.take(), undefined);
  assertEquals(traced.length, 3);
});
