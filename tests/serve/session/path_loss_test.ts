import { assert, assertEquals } from "@std/assert";
import { PathLoss } from "../../../lib/serve/session/path_loss.ts";

function arrivals(loss: PathLoss, count: number): void {
  for (let i = 0; i < count; i++) loss.noteArrival();
}

Deno.test("PathLoss expects little of a path that it does not know", () => {
  const loss = new PathLoss();
  assertEquals([loss.chanceOfLosing(1), loss.chanceOfLosing(3)], [1 / 2, 1 / 8]);
});

Deno.test("PathLoss expects a loss with 1 in n + 2 after n packets without one", () => {
  const loss = new PathLoss();
  arrivals(loss, 98);
  assertEquals(loss.chanceOfLosing(1), 1 / 100);
});

Deno.test("PathLoss never takes a path for so good that three packets could not be lost in a row", () => {
  const loss = new PathLoss();
  arrivals(loss, 1_000_000);
  assertEquals(loss.chanceOfLosing(3), 2 ** -24);
});

Deno.test("PathLoss estimates what was lost, each time that it was lost", () => {
  const loss = new PathLoss();
  arrivals(loss, 1000);
  for (let i = 0; i < 100; i++) loss.noteLoss(10 * i, 2);
  assert(Math.abs(loss.chanceOfLosing(1) - 200 / 1200) < 0.001);
  // A path so bad carries no dump.
  for (let i = 0; i < 10_000; i++) loss.noteLoss(10 * i, 2);
  assertEquals(loss.chanceOfLosing(1), 1 / 2);
});

Deno.test("PathLoss forgets a bad time", () => {
  const loss = new PathLoss();
  for (let i = 0; i < 100; i++) loss.noteLoss(10 * i, 1);
  arrivals(loss, 100);
  assertEquals(loss.chanceOfLosing(1), 1 / 2);
  arrivals(loss, 100_000);
  assertEquals(loss.chanceOfLosing(1), 1 / 256);
});

Deno.test("PathLoss remembers the longest burst", () => {
  const loss = new PathLoss();
  assertEquals(loss.longestRun, 0);
  for (const seqno of [5, 7, 8, 9, 20, 21]) loss.noteLoss(seqno, 1);
  assertEquals(loss.longestRun, 3);
});
