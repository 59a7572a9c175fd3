import { assertEquals } from "@std/assert";
import type { ServerEvent } from "../../lib/serve/events.ts";
import { Refusals } from "../../lib/serve/refusals.ts";

function observed() {
  const told: [client: string, reason: string, count: number][] = [];
  const refusals = new Refusals((event: ServerEvent) => {
    if (event.event === "refused") told.push([event.client, event.reason, event.count]);
  });
  const refuse = (client: string, reason: string, nowMs: number) =>
    refusals.refuse({ client, cause: "rate", reason }, nowMs);
  return { told, refusals, refuse };
}

Deno.test("Refusals tell the first of a client at once, and how many more there were after a minute (P7)", () => {
  const { told, refusals, refuse } = observed();
  for (let i = 0; i < 100; i++) refuse("192.0.2.7", `reason ${i}`, i * 100);
  refuse("192.0.2.8", "another", 5000);
  assertEquals(told, [["192.0.2.7", "reason 0", 1], ["192.0.2.8", "another", 1]]);
  refusals.sumUp(59_999);
  assertEquals(told.length, 2);
  refusals.sumUp(60_000);
  assertEquals(told.slice(2), [["192.0.2.7", "reason 99", 99]]);
  refusals.sumUp(Infinity);
  assertEquals(told.length, 3);
  refuse("192.0.2.7", "again", 70_000);
  assertEquals(told.at(-1), ["192.0.2.7", "again", 1]);
});

Deno.test("Refusals keep bounded account of a flood from ever new addresses", () => {
  const { told, refusals, refuse } = observed();
  for (let i = 0; i < 5000; i++) refuse(`10.0.${i >> 8}.${i & 255}`, "x", 0);
  assertEquals(told.length, 5000);
  refusals.sumUp(Infinity);
  assertEquals(told.length, 5000);
});
