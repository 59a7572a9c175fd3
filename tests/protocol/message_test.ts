import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeAck,
  decodeMessage,
  encodeAck,
  encodeMessage,
  MAX_DATAGRAM_SIZE,
  type Message,
  MessageType,
} from "../../lib/protocol/message.ts";
import { hex, unhex } from "../helpers.ts";

const text = new TextEncoder();
const data = (length: number) => Uint8Array.from({ length }, (_, i) => i);

/** Reference netdump-protocol.md 1.6. */
const VECTORS: [name: string, message: Message, header: string][] = [
  [
    "HERALD without path",
    { type: MessageType.HERALD, seqno: 1, offset: 0, payload: new Uint8Array() },
    "00000001 00000001 0000000000000000 00000000 00000000",
  ],
  [
    'HERALD with path "foo"',
    { type: MessageType.HERALD, seqno: 1, offset: 0, payload: text.encode("foo\0") },
    "00000001 00000001 0000000000000000 00000004 00000000",
  ],
  [
    "VMCORE at 0",
    { type: MessageType.VMCORE, seqno: 2, offset: 0, payload: data(1448) },
    "00000003 00000002 0000000000000000 000005a8 00000000",
  ],
  [
    "VMCORE at 1448",
    { type: MessageType.VMCORE, seqno: 3, offset: 1448, payload: data(1448) },
    "00000003 00000003 00000000000005a8 000005a8 00000000",
  ],
  [
    "VMCORE beyond 4 GiB",
    { type: MessageType.VMCORE, seqno: 9, offset: 2 ** 40 + 5, payload: data(1) },
    "00000003 00000009 0000010000000005 00000001 00000000",
  ],
  [
    "KDH",
    { type: MessageType.KDH, seqno: 0xfffffffe, offset: 0, payload: data(512) },
    "00000004 fffffffe 0000000000000000 00000200 00000000",
  ],
  [
    "EKCD_KEY at its end",
    { type: MessageType.EKCD_KEY, seqno: 7, offset: 0xb50, payload: data(0x4b0) },
    "00000005 00000007 0000000000000b50 000004b0 00000000",
  ],
  [
    "FINISHED",
    { type: MessageType.FINISHED, seqno: 100, offset: 0, payload: new Uint8Array() },
    "00000002 00000064 0000000000000000 00000000 00000000",
  ],
];

for (const [name, message, header] of VECTORS) {
  Deno.test(`message codec agrees with the vector: ${name}`, () => {
    const bytes = new Uint8Array([...unhex(header), ...message.payload]);
    assertEquals(hex(encodeMessage(message)), hex(bytes));
    assertEquals(decodeMessage(bytes), message);
  });
}

Deno.test("ack codec agrees with the vector and takes exactly four bytes", () => {
  assertEquals(hex(encodeAck(2)), "00000002");
  assertEquals(decodeAck(unhex("ffffffff")), 0xffffffff);
  for (const length of [0, 3, 5, 24]) assertEquals(decodeAck(new Uint8Array(length)), undefined);
});

Deno.test("decodeMessage() names runts, wrong lengths, unknown types and absurd offsets", () => {
  const good = encodeMessage({ type: MessageType.VMCORE, seqno: 1, offset: 0, payload: data(10) });
  for (let length = 0; length < 24; length++) assertEquals(decodeMessage(good.subarray(0, length)), "runt");
  assertEquals(decodeMessage(good.subarray(0, 33)), "length-mismatch");
  assertEquals(decodeMessage(new Uint8Array([...good, 0])), "length-mismatch");
  for (const type of [0, 6, 0xffffffff]) {
    const unknown = good.slice();
    new DataView(unknown.buffer).setUint32(0, type);
    assertEquals(decodeMessage(unknown), "unknown-type");
  }
  const absurd = good.slice();
  absurd[9] = 0x10;
  assertEquals(decodeMessage(absurd), "absurd-offset");
});

Deno.test("decodeMessage() ignores aux2, which debugnet may set", () => {
  const bytes = encodeMessage({ type: MessageType.FINISHED, seqno: 1, offset: 0, payload: new Uint8Array() });
  bytes.fill(0xff, 20, 24);
  assertEquals(decodeMessage(bytes), {
    type: MessageType.FINISHED,
    seqno: 1,
    offset: 0,
    payload: new Uint8Array(),
  });
});

Deno.test("encodeMessage() refuses what does not fit", () => {
  const message = { type: MessageType.VMCORE, seqno: 1, offset: 0, payload: new Uint8Array() } as const;
  assertThrows(() => encodeMessage({ ...message, offset: -1 }), RangeError);
  assertThrows(() => encodeMessage({ ...message, offset: 0.5 }), RangeError);
  assertThrows(() => encodeMessage({ ...message, payload: new Uint8Array(MAX_DATAGRAM_SIZE) }), RangeError);
});

Deno.test("decodeMessage() reads whatever encodeMessage() writes, and what it reads encodes to the same", () => {
  fc.assert(fc.property(
    fc.constantFrom(...Object.values(MessageType)),
    fc.nat(0xffffffff),
    fc.nat(2 ** 52 - 1),
    fc.uint8Array({ maxLength: 100 }),
    (type, seqno, offset, payload) => {
      const message = { type, seqno, offset, payload };
      assertEquals(decodeMessage(encodeMessage(message)), message);
    },
  ));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    const message = decodeMessage(bytes);
    if (typeof message === "string") return;
    const again = encodeMessage(message);
    again.set(bytes.subarray(20, 24), 20);
    assertEquals(hex(again), hex(bytes));
  }));
});
