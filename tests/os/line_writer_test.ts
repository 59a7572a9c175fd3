import { assertEquals } from "@std/assert";
import { LineWriter } from "../../lib/os/line_writer.ts";

const decoder = new TextDecoder();

Deno.test("LineWriter writes lines in order, whatever a write takes at a time", async () => {
  let written = "";
  const writer = new LineWriter((bytes) => {
    const count = Math.min(3, bytes.byteLength);
    written += decoder.decode(bytes.subarray(0, count));
    return Promise.resolve(count);
  });
  for (const line of ["one", "two", "three"]) writer.put(line);
  await writer.flushed(10_000);
  assertEquals([written, writer.takeDropped()], ["one\ntwo\nthree\n", 0]);
});

Deno.test("LineWriter waits for no reader that has stopped: what finds no room is dropped and counted (P2, P7)", async () => {
  let go = () => {};
  const chunks: string[] = [];
  const writer = new LineWriter((bytes) => {
    chunks.push(decoder.decode(bytes));
    return new Promise((resolve) => go = () => resolve(bytes.byteLength));
  }, 100);
  for (let i = 0; i < 1000; i++) writer.put(`line ${i}`.padEnd(9));
  assertEquals(writer.takeDropped(), 990);
  // Nobody reads; whoever ends does not wait for long.
  await writer.flushed(20);
  go();
  await writer.flushed(10_000);
  assertEquals(chunks, [Array.from({ length: 10 }, (_, i) => `line ${i}`.padEnd(9) + "\n").join("")]);
  writer.put("again");
  await Promise.resolve();
  await Promise.resolve();
  go();
  await writer.flushed(10_000);
  assertEquals([chunks[1], writer.takeDropped()], ["again\n", 0]);
});

Deno.test("LineWriter writes a line that comes just when the one before is through", async () => {
  // However many microtasks later that is.
  for (let microtasks = 0; microtasks < 8; microtasks++) {
    let written = "";
    const through = Promise.withResolvers<number>();
    let isFirst = true;
    const writer = new LineWriter((bytes) => {
      written += decoder.decode(bytes);
      const first = isFirst;
      isFirst = false;
      return first ? through.promise : Promise.resolve(bytes.byteLength);
    });
    writer.put("one");
    await Promise.resolve();
    through.resolve(4);
    for (let i = 0; i < microtasks; i++) await undefined;
    writer.put("two");
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(written, "one\ntwo\n", `${microtasks} microtasks later`);
  }
});

Deno.test("LineWriter goes on behind a closed pipe and a full disk, and writes again when that is over", async () => {
  for (
    const error of [new Deno.errors.BrokenPipe("EPIPE"), Object.assign(new Error("full"), { code: "ENOSPC" })]
  ) {
    let isBroken = true;
    let written = "";
    let nowMs = 0;
    const writer = new LineWriter(
      (bytes) => {
        if (isBroken) return Promise.reject(error);
        written += decoder.decode(bytes);
        return Promise.resolve(bytes.byteLength);
      },
      1000,
      () => nowMs,
    );
    for (let i = 0; i < 5; i++) {
      writer.put("lost");
      await writer.flushed(10_000);
    }
    assertEquals(writer.takeDropped(), 5);
    isBroken = false;
    nowMs = 2000;
    writer.put("here");
    await writer.flushed(10_000);
    assertEquals([written, writer.takeDropped()], ["here\n", 0]);
  }
});
