import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { hostileText, UNSAFE_TO_SHOW } from "../hostile_text.ts";
import { Log } from "../../lib/cli/log.ts";
import type { Level, LogEntry } from "../../lib/serve/log_entry.ts";

const PROVOKED: LogEntry = { level: "warning", event: "refused", text: "Refused a HERALD", provoked: true };

function logOf(format: "text" | "json" = "text", least: Level = "info") {
  const lines: string[] = [];
  const clock = { nowMs: Date.UTC(2024, 0, 2, 3, 4, 5) };
  const log = new Log({ format, least, write: (line) => lines.push(line), now: () => clock.nowMs });
  return { log, lines, clock };
}

Deno.test("Log writes local time, the level where it matters, and the text", () => {
  const { log, lines } = logOf();
  log.write({ level: "info", event: "started", text: "New dump" });
  log.write({ level: "error", event: "failed", text: "No space" });
  assertMatch(lines[0]!, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d New dump$/);
  assertMatch(lines[1]!, / error: No space$/);
});

Deno.test("Log leaves out what is less important than asked for", () => {
  const { log, lines } = logOf("text", "warning");
  for (const level of ["debug", "info", "warning", "error"] as const) {
    log.write({ level, event: "e", text: level });
  }
  assertEquals(lines.map((line) => line.replace(/.* /, "")), ["warning", "error"]);
});

Deno.test("Log writes one JSON object a line with time, level, event, message and facts", () => {
  const { log, lines } = logOf("json");
  log.write({ level: "warning", event: "incomplete", text: "Short", fields: { client: "192.0.2.7", n: 1 } });
  assertEquals(JSON.parse(lines[0]!), {
    time: "2024-01-02T03:04:05.000Z",
    level: "warning",
    event: "incomplete",
    message: "Short",
    client: "192.0.2.7",
    n: 1,
  });
});

Deno.test("Log keeps JSON on one line of characters that drive no terminal, whatever the facts (P8)", () => {
  fc.assert(fc.property(hostileText, (hostile) => {
    const { log, lines } = logOf("json");
    log.write({ level: "info", event: "e", text: "t", fields: { hostile } });
    const [line = ""] = lines;
    assert(!UNSAFE_TO_SHOW.test(line), JSON.stringify(line));
    assertEquals(JSON.parse(line).hostile, hostile);
  }));
});

Deno.test("Log bounds the lines that anyone can provoke, and tells how many were left out (P7)", () => {
  const { log, lines, clock } = logOf();
  for (let i = 0; i < 1000; i++) log.write(PROVOKED);
  assertEquals(lines.length, 100);
  clock.nowMs += 1000;
  for (let i = 0; i < 1000; i++) log.write(PROVOKED);
  assertMatch(lines[100]!, /warning: 900 lines were left out$/);
  assertEquals(lines.length, 100 + 1 + 20);
});

Deno.test("Log never leaves out what nobody can provoke", () => {
  const { log, lines } = logOf();
  for (let i = 0; i < 200; i++) log.write(PROVOKED);
  for (let i = 0; i < 200; i++) log.write({ level: "info", event: "e", text: "mine" });
  assertEquals(lines.filter((line) => line.endsWith("mine")).length, 200);
  assertEquals(lines.filter((line) => /100 lines were left out/.test(line)).length, 1);
});

Deno.test("Log goes on when the clock is set back", () => {
  const { log, lines, clock } = logOf();
  for (let i = 0; i < 100; i++) log.write(PROVOKED);
  clock.nowMs -= 86_400_000;
  log.write(PROVOKED);
  clock.nowMs += 1000;
  log.write(PROVOKED);
  assertEquals(lines.length, 102);
});
