import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { MAX_PAYLOAD_SIZE } from "../../../lib/protocol/message.ts";
import { RunBuffer } from "../../../lib/serve/receiver/run_buffer.ts";

/** Adds a payload if it fits. */
function receive(buffer: RunBuffer, seqno: number, offset: number, payload: Uint8Array): boolean {
  if (!buffer.fits(seqno, offset, payload.byteLength)) return false;
  buffer.add(seqno, offset, payload);
  return true;
}

function run(buffer: RunBuffer): Uint8Array {
  return buffer.bytes.subarray(0, buffer.length);
}

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);

Deno.test("RunBuffer gathers a batch, its short last message included", () => {
  const buffer = new RunBuffer();
  for (let i = 0; i < 46; i++) {
    assertEquals(receive(buffer, 2 + i, 4096 + 1448 * i, bytes(i < 45 ? 1448 : 376, i)), true);
  }
  assertEquals([buffer.offset, buffer.length, buffer.seqno, buffer.count, buffer.full], [
    4096,
    65536,
    2,
    46,
    1448,
  ]);
  assertEquals([buffer.sizeOf(0), buffer.sizeOf(44), buffer.sizeOf(45)], [1448, 1448, 376]);
  assertEquals([run(buffer)[0], run(buffer)[1448], run(buffer)[65535]], [0, 1, 45]);
});

Deno.test("RunBuffer begins a new run where offset, seqno or size do not go on", () => {
  const buffer = new RunBuffer();
  receive(buffer, 2, 0, bytes(100, 1));
  assertEquals(buffer.fits(3, 100, 100), true);
  assertEquals(buffer.fits(3, 101, 100), false);
  assertEquals(buffer.fits(3, 99, 100), false);
  assertEquals(buffer.fits(4, 100, 100), false);
  assertEquals(buffer.fits(2, 0, 100), false);
  assertEquals(buffer.fits(3, 100, 101), false);
  receive(buffer, 3, 100, bytes(50, 2));
  // Behind a short message, sizes could not be told from the run's length.
  assertEquals(buffer.fits(4, 150, 50), false);
  buffer.clear();
  assertEquals(buffer.fits(4, 150, 50), true);
});

Deno.test("RunBuffer has room for two of the largest messages and no third", () => {
  const buffer = new RunBuffer();
  const largest = bytes(MAX_PAYLOAD_SIZE, 7);
  assertEquals(receive(buffer, 2, 0, largest), true);
  assertEquals(receive(buffer, 3, MAX_PAYLOAD_SIZE, largest), true);
  assertEquals(receive(buffer, 4, 2 * MAX_PAYLOAD_SIZE, largest), false);
  assertEquals(run(buffer).every((byte) => byte === 7), true);
  assertEquals(buffer.length, 2 * MAX_PAYLOAD_SIZE);
});

Deno.test("RunBuffer keeps each message's bytes, size and place, whatever comes", () => {
  const message = fc.record({
    payload: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    skip: fc.constantFrom(0, 0, 0, 0, 7),
  });
  fc.assert(fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
    const buffer = new RunBuffer();
    const core = new Uint8Array(8192);
    const expected = new Uint8Array(8192);
    const sizes: number[] = [];
    const written: number[] = [];
    const flush = () => {
      core.set(run(buffer), buffer.offset);
      for (let i = 0; i < buffer.count; i++) written.push(buffer.sizeOf(i));
      buffer.clear();
    };
    let offset = 0;
    for (const [seqno, { payload, skip }] of messages.entries()) {
      offset += skip;
      if (!receive(buffer, seqno, offset, payload)) {
        flush();
        receive(buffer, seqno, offset, payload);
      }
      expected.set(payload, offset);
      sizes.push(payload.byteLength);
      offset += payload.byteLength;
    }
    flush();
    assertEquals(core, expected);
    assertEquals(written, sizes);
  }));
});
