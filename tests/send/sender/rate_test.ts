import { assertEquals } from "@std/assert";
import { RateLimit } from "../../../lib/send/sender/rate.ts";

/** Sends datagrams as soon as they may leave; returns the bytes that left within a time. */
function sendFor(rate: RateLimit, durationMs: number, sizeBytes: number): number {
  let sent = 0;
  for (let now = 0; now <= durationMs;) {
    const readyAt = rate.readyAt(now);
    if (readyAt > now) {
      now = readyAt;
      continue;
    }
    rate.spend(sizeBytes);
    sent += sizeBytes;
  }
  return sent;
}

Deno.test("RateLimit lets the rate through, after a first burst, whatever the datagrams' size", () => {
  for (const [bytesPerSecond, sizeBytes] of [[1000, 10], [1000, 5000], [1e8, 1472], [1, 1]] as const) {
    const sent = sendFor(new RateLimit(bytesPerSecond, 100, 0), 10_000, sizeBytes);
    const expected = 10 * bytesPerSecond + 100;
    assertEquals(Math.abs(sent - expected) <= sizeBytes + 1, true, `${sent}, expected ${expected}`);
  }
});

Deno.test("RateLimit saves no more than its depth in a pause", () => {
  const rate = new RateLimit(1000, 100, 0);
  rate.spend(100);
  assertEquals(rate.readyAt(3_600_000), 3_600_000);
  rate.spend(100);
  assertEquals(rate.readyAt(3_600_000) > 3_600_000, true);
});
