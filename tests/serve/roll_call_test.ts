import { assertEquals } from "@std/assert";
import { RollCall } from "../../lib/serve/roll_call.ts";

Deno.test("a roll call ends when all have answered, and names those that did not in time", async () => {
  const asked: [number, number][] = [];
  const call = new RollCall((receiver, number) => asked.push([receiver, number]));
  const all = call.call([0, 2], 60_000);
  assertEquals(asked, [[0, 1], [2, 1]]);
  call.answered(0, 1);
  call.answered(2, 1);
  assertEquals(await all, []);

  const some = call.call([0, 2], 20);
  call.answered(0, 2);
  // An answer to an earlier question is none to this one.
  call.answered(2, 1);
  assertEquals(await some, [2]);
  assertEquals(await call.call([], 60_000), []);
});

Deno.test("a roll call that is asked for while one runs is the same", async () => {
  let asked = 0;
  const call = new RollCall(() => asked++);
  const both = Promise.all([call.call([0], 60_000), call.call([0], 60_000)]);
  call.answered(0, 1);
  assertEquals([await both, asked], [[[], []], 1]);
});
