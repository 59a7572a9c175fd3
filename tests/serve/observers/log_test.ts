import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { hostileText, UNSAFE_TO_SHOW } from "../../hostile_text.ts";
import type { ServerEvent } from "../../../lib/serve/events.ts";
import { Log } from "../../../lib/serve/observers/log.ts";
import type { Level } from "../../../lib/serve/observers/log_text.ts";
import { completed, dumpRecord } from "./dump_events.ts";

const PROVOKED: ServerEvent = { event: "refused", client: "192.0.2.7", cause: "rate", reason: "x", count: 1 };
const MINE: ServerEvent = { event: "ready" };

function logOf(format: "text" | "json" = "text", least: Level = "info") {
  const lines: string[] = [];
  const clock = { nowMs: Date.UTC(2024, 0, 2, 3, 4, 5) };
  const log = new Log({ format, least, write: (line) => lines.push(line), now: () => clock.nowMs });
  return { log, lines, clock };
}

Deno.test("Log writes local time with its zone, the level where it matters, and the words", () => {
  const { log, lines } = logOf();
  log.observe(MINE);
  log.observe({ event: "failed", reason: "boom" });
  assertMatch(lines[0]!, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} Waiting for clients\.$/);
  assertMatch(lines[1]!, / error: Receivers crash again and again: "boom"$/);
});

Deno.test("Log leaves out what is less important than asked for", () => {
  const { log, lines } = logOf("text", "warning");
  log.observe({ event: "ignored", client: "192.0.2.7", local: "192.0.2.1", reason: "x" });
  log.observe(MINE);
  log.observe(PROVOKED);
  log.observe({ event: "failed", reason: "boom" });
  assertEquals(lines.map((line) => / (warning|error): /.exec(line)?.[1]), ["warning", "error"]);
});

Deno.test("Log tells how far a dump is every ten seconds, however often it hears of it, and others between", () => {
  const { log, lines, clock } = logOf("json");
  const told = () => lines.map((line) => JSON.parse(line)).map(({ event, dump }) => `${event} ${dump.id}`);
  log.observe({ event: "started", dump: dumpRecord() });
  for (let i = 0; i < 10; i++) {
    clock.nowMs += 2000;
    log.observe({ event: "progress", dump: dumpRecord() });
    if (i === 1) log.observe({ event: "resumed", dump: dumpRecord({ id: "b" }) });
    if (i > 1) log.observe({ event: "progress", dump: dumpRecord({ id: "b" }) });
  }
  log.observe(completed());
  assertEquals(told(), ["started a", "resumed b", "progress a", "progress b", "progress a", "completed a"]);
});

Deno.test("Log writes an event as one JSON object a line, with its time, level and words", () => {
  const { log, lines } = logOf("json");
  log.observe(PROVOKED);
  assertEquals(JSON.parse(lines[0]!), {
    time: "2024-01-02T03:04:05.000Z",
    level: "warning",
    message: "Refused a HERALD from 192.0.2.7: x",
    ...PROVOKED,
  });
});

Deno.test("Log keeps JSON on one line of characters that drive no terminal, whatever the facts (P8)", () => {
  fc.assert(fc.property(hostileText, (hostile) => {
    const { log, lines } = logOf("json");
    log.observe({ event: "failed", reason: hostile });
    const [line = ""] = lines;
    assert(!UNSAFE_TO_SHOW.test(line), JSON.stringify(line));
    assertEquals(JSON.parse(line).reason, hostile);
  }));
});

Deno.test("Log bounds the lines that anyone can provoke, and tells how many were left out (P7)", () => {
  const { log, lines, clock } = logOf();
  for (let i = 0; i < 1000; i++) log.observe(PROVOKED);
  assertEquals(lines.length, 100);
  clock.nowMs += 1000;
  for (let i = 0; i < 1000; i++) log.observe(PROVOKED);
  assertMatch(lines[100]!, /warning: Left out 900 lines: strangers provoke too many$/);
  assertEquals(lines.length, 100 + 1 + 20);
  log.tellLeftOut();
  assertMatch(lines[121]!, /warning: Left out 980 lines: strangers provoke too many$/);
});

Deno.test("Log never leaves out what nobody can provoke", () => {
  const { log, lines } = logOf();
  for (let i = 0; i < 200; i++) log.observe(PROVOKED);
  for (let i = 0; i < 200; i++) log.observe(MINE);
  assertEquals(lines.filter((line) => line.endsWith("Waiting for clients.")).length, 200);
  assertEquals(lines.filter((line) => /Left out 100 lines: /.test(line)).length, 1);
});

Deno.test("Log goes on when the clock is set back", () => {
  const { log, lines, clock } = logOf();
  for (let i = 0; i < 100; i++) log.observe(PROVOKED);
  clock.nowMs -= 86_400_000;
  log.observe(PROVOKED);
  clock.nowMs += 1000;
  log.observe(PROVOKED);
  assertEquals(lines.length, 102);
});

Deno.test("Log tells how many lines were left out in time, whether or not another line comes", async () => {
  const { log, lines } = logOf();
  for (let i = 0; i < 110; i++) log.observe(PROVOKED);
  const keepAlive = setInterval(() => {}, 10);
  while (lines.length === 100) await new Promise((resolve) => setTimeout(resolve, 20));
  clearInterval(keepAlive);
  assertMatch(lines[100]!, /warning: Left out 10 lines: strangers provoke too many$/);
});
