import { assertEquals } from "@std/assert";
import { Board } from "../../../lib/serve/observers/board.ts";
import { completed, dumpRecord, incomplete } from "./dump_events.ts";

Deno.test("the board follows a dump from its first data to its end, and knows its rate of late", () => {
  let nowMs = 1_000_000;
  const board = new Board(() => nowMs);
  board.observe({ event: "started", dump: dumpRecord({ receivedBytes: 1000, durationMs: 100 }) });
  assertEquals(board.running.map(({ sinceMs, bytesPerSecond }) => [sinceMs, bytesPerSecond]), [[
    999_900,
    null,
  ]]);
  nowMs += 10_000;
  board.observe({ event: "progress", dump: dumpRecord({ receivedBytes: 51_000 }) });
  nowMs += 1000;
  board.observe({ event: "header", dump: dumpRecord({ receivedBytes: 52_000 }), problem: null });
  assertEquals(board.running.map(({ bytesPerSecond, dump }) => [bytesPerSecond, dump.receivedBytes]), [[
    5000,
    52_000,
  ]]);
  board.observe({ event: "started", dump: dumpRecord({ id: "b" }) });
  assertEquals(board.running.map(({ dump }) => dump.id), ["b", "a"]);
  board.observe(completed());
  board.observe(incomplete({ id: "b" }));
  assertEquals(board.running, []);
  assertEquals(board.ended.map(({ dump, complete, endedMs }) => [dump.id, complete, endedMs]), [
    ["b", false, nowMs],
    ["a", true, nowMs],
  ]);
});

Deno.test("the board forgets a dump whose report was not trusted, and keeps only so many that ended or were refused", () => {
  const board = new Board(() => 0);
  board.observe({ event: "started", dump: dumpRecord() });
  board.observe({ event: "distrusted", id: "a", receiver: 0, reason: "no such session" });
  assertEquals(board.running, []);
  for (let i = 0; i < 1000; i++) {
    board.observe(completed({ id: `${i}` }));
    board.observe({ event: "refused", client: `192.0.2.${i}`, cause: "rate", reason: "", count: 1 });
  }
  assertEquals([board.ended.length, board.ended[0]?.dump.id], [200, "999"]);
  assertEquals([board.refusals.length, board.refusals[0]?.client], [50, "192.0.2.999"]);
  for (let i = 0; i < 5000; i++) board.observe({ event: "started", dump: dumpRecord({ id: `${i}` }) });
  assertEquals(board.running.length, 4096);
});
