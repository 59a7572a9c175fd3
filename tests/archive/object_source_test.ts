import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { ObjectSource } from "../../lib/archive/object_source.ts";

Deno.test("ObjectSource reads the bytes that are asked for, whatever was read before, and no more than blocks of them", async () => {
  const object = new Uint8Array(1_000_003);
  for (let at = 0; at < object.length; at++) object[at] = at * 7 + (at >> 8) + (at >> 16);
  const span = fc.tuple(fc.nat(1_100_000), fc.nat(700_000));
  await fc.assert(
    fc.asyncProperty(fc.array(span, { minLength: 1, maxLength: 8 }), async (spans) => {
      let fetched = 0;
      const get = (_key: string, range?: { start: number; end: number }) => {
        assert(range !== undefined && range.start < range.end && range.end <= object.length);
        fetched += range.end - range.start;
        return Promise.resolve(object.slice(range.start, range.end));
      };
      using source = disposable(new ObjectSource({ get }, "k", object.length));
      for (const [offset, length] of spans) {
        assertEquals(await source.value.read(offset, length), object.slice(offset, offset + length));
      }
      assert(fetched <= object.length, "what was read is kept");
    }),
    { numRuns: 200 },
  );
});

function disposable(value: ObjectSource): { value: ObjectSource } & Disposable {
  return { value, [Symbol.dispose]: () => value.close() };
}
