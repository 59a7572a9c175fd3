import { assert, assertEquals, assertRejects } from "@std/assert";
import { EndingGate } from "../../../lib/serve/receiver/ending_gate.ts";

/** A clock whose time the test makes pass. */
function stoppedClock() {
  const timers = new Set<() => void>();
  return {
    now: () => 0,
    unixMs: () => 0,
    after: (_waitMs: number, action: () => void) => {
      timers.add(action);
      return () => void timers.delete(action);
    },
    timers,
    elapse() {
      for (const action of [...timers]) {
        timers.delete(action);
        action();
      }
    },
  };
}

/** Lets everything go on that can. */
const settle = () => new Promise((resolve) => setTimeout(resolve));

Deno.test("dumps end a few at a time, in the order in which they came, whatever becomes of each", async () => {
  const clock = stoppedClock();
  const gate = new EndingGate(clock);
  const begun: number[] = [];
  const go: (() => void)[] = [];
  const all = Array.from({ length: 30 }, (_, i) =>
    gate.pass(async () => {
      begun.push(i);
      await new Promise<void>((resolve) => go[i] = resolve);
      if (i % 3 === 0) throw new Error(`${i}`);
      return i;
    }));
  for (const one of all) one.catch(() => {});
  await settle();
  const most = begun.length;
  assert(most > 1 && most < 12, `${most} at once`);
  for (let i = 0; i < all.length; i++) {
    go[i]!();
    await settle();
    assertEquals(begun, Array.from({ length: Math.min(i + 1 + most, all.length) }, (_, n) => n));
    if (i % 3 === 0) await assertRejects(() => all[i]!, Error, `${i}`);
    else assertEquals(await all[i], i);
  }
  assertEquals(clock.timers.size, 0);
});

Deno.test("dumps that wait too long for others, as on a disk that hangs, end all the same", async () => {
  const clock = stoppedClock();
  const gate = new EndingGate(clock);
  const wake: (() => void)[] = [];
  const hung = Array.from(
    { length: 20 },
    () => gate.pass(() => new Promise<void>((resolve) => wake.push(resolve))),
  );
  let ended = false;
  const other = gate.pass(() => Promise.resolve(ended = true));
  await settle();
  assert(!ended);
  clock.elapse();
  await other;
  for (let i = 0; i < wake.length; i++) {
    wake[i]!();
    await settle();
  }
  await Promise.all(hung);
  // The places are there again.
  assertEquals(await Promise.all([1, 2, 3].map((i) => gate.pass(() => Promise.resolve(i)))), [1, 2, 3]);
  assertEquals(clock.timers.size, 0);
});
