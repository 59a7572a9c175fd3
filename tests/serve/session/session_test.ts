import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeKernelDumpHeader } from "../../../lib/kerneldump/files/header.ts";
import { type Message, MessageType } from "../../../lib/protocol/message.ts";
import {
  DataVerdict,
  HERALD_PATIENCE_MS,
  MOST_SESSION_MS,
  Session,
} from "../../../lib/serve/session/session.ts";
import { JOURNAL_HEADER } from "../../kerneldump/journal_header.ts";

const SETTINGS = { heraldSeqno: 1, timeoutMs: 600_000, lingerMs: 60_000, mostBytes: 2 ** 30 };
/** A batch of one block at MTU 1500. */
const BLOCK = [1448, 1448, 1200];

function headerBytes(fields: Partial<typeof JOURNAL_HEADER> = {}): Uint8Array<ArrayBuffer> {
  const plain = { blockSize: 4096, dumpLength: 4096, dumpKeySize: 0, compression: "none" } as const;
  return encodeKernelDumpHeader({ ...JOURNAL_HEADER, ...plain, ...fields });
}

function message(type: MessageType, seqno: number, payload = new Uint8Array(), offset = 0): Message {
  return { type, seqno, offset, payload };
}

/** A session, and what it lets its client see: a transcript of what is written and acked. */
class Played {
  readonly session: Session;
  nowMs = 0;

  constructor(settings: Partial<typeof SETTINGS> = {}) {
    this.session = new Session({ ...SETTINGS, ...settings }, 0);
  }

  /** Data of so many bytes; the seqnos acked, or what else was said. */
  data(seqno: number, offset: number, length: number): number[] | string {
    const verdict = this.session.data(seqno, offset, length, this.nowMs);
    const acks: number[] = [];
    switch (verdict) {
      case DataVerdict.STORE:
        return this.session.stored(seqno, offset, length, this.nowMs, acks) ? acks : "too many holes";
      case DataVerdict.COMPARE:
        if (!this.session.core.contains(offset, offset + length)) return "refused";
        this.session.repeated(seqno, length, this.nowMs, acks);
        return acks;
      case DataVerdict.ACK:
        return [seqno];
      case DataVerdict.IMPOSSIBLE:
        return "impossible";
      case DataVerdict.DROP:
        return "dropped";
      case DataVerdict.TOO_LARGE:
        return "too large";
    }
  }

  /** A block of data as a batch, from seqno 2 on. */
  block(): this {
    let offset = 0;
    for (const [i, length] of BLOCK.entries()) {
      this.data(2 + i, offset, length);
      offset += length;
    }
    return this;
  }

  /** A message of another type; what it leads to, in order. */
  control(control: Message): string[] {
    const acks: number[] = [];
    const effects = this.session.control(control, this.nowMs, acks);
    return [
      ...acks.map((seqno) => `ack ${seqno}`),
      ...effects.map((effect) => {
        switch (effect.do) {
          case "write-header":
            this.session.headerStored(effect.offset, effect.bytes);
            return `write header ${effect.offset}+${effect.bytes.byteLength}`;
          case "write-key":
            this.session.keyStored(effect.offset, effect.bytes.byteLength);
            return `write key ${effect.offset}+${effect.bytes.byteLength}`;
          case "ack":
            return `ack ${effect.seqno}`;
          case "ignore":
            return "impossible";
          case "finalize":
            return `finalize ${effect.verdict.reason ?? "complete"}`;
        }
      }),
    ];
  }

  header(seqno: number, bytes = headerBytes()): string[] {
    return this.control(message(MessageType.KDH, seqno, bytes));
  }

  finish(seqno: number): string[] {
    return this.control(message(MessageType.FINISHED, seqno));
  }

  finalized(): string[] {
    return this.session.finalized(this.nowMs).map((effect) =>
      effect.do === "ack" ? `ack ${effect.seqno}` : effect.do
    );
  }
}

Deno.test("Session acks FINISHED only after the dump is final (P1)", () => {
  const played = new Played().block();
  assertEquals(played.header(5), ["write header 0+512", "ack 5"]);
  assertEquals(played.finish(6), ["finalize complete"]);
  assertEquals(played.session.phase, "finishing");
  // The client resends in the meantime.
  assertEquals(played.finish(6), []);
  assertEquals(played.header(5), []);
  assertEquals(played.data(2, 0, 1448), "dropped");
  assertEquals(played.finalized(), ["ack 6"]);
  assertEquals(played.session.phase, "finished");
});

Deno.test("Session acks a FINISHED again whose ack was lost, and all that is final (P9)", () => {
  const played = new Played().block();
  played.control(message(MessageType.EKCD_KEY, 5, new Uint8Array(4096)));
  played.header(6);
  played.finish(7);
  played.finalized();
  assertEquals(played.finish(7), ["ack 7"]);
  assertEquals(played.finish(7), ["ack 7"]);
  assertEquals(played.header(6), ["ack 6"]);
  assertEquals(played.control(message(MessageType.EKCD_KEY, 5, new Uint8Array(4096))), ["ack 5"]);
  assertEquals(played.data(3, 1448, 1448), [3]);
});

Deno.test("Session acks nothing behind FINISHED that is not in the dump (P1)", () => {
  const played = new Played().block();
  played.finish(5);
  played.finalized();
  assertEquals(played.header(6), []);
  assertEquals(played.control(message(MessageType.EKCD_KEY, 7, new Uint8Array(64))), []);
  assertEquals(played.data(8, 4096, 1448), "dropped");
  assertEquals(played.data(9, 4000, 97), "dropped");
});

Deno.test("Session writes a duplicate header again in its place and acks it", () => {
  const played = new Played().block();
  assertEquals(played.header(5), ["write header 0+512", "ack 5"]);
  assertEquals(played.header(5), ["write header 0+512", "ack 5"]);
  assertEquals(played.finish(6), ["finalize complete"]);
});

Deno.test("Session takes a header in pieces, as a tiny MTU cuts it", () => {
  const played = new Played().block();
  const bytes = headerBytes();
  const piece = (seqno: number, from: number, to: number) =>
    played.control(message(MessageType.KDH, seqno, bytes.subarray(from, to), from));
  assertEquals(piece(6, 300, 512), ["write header 300+212", "ack 6"]);
  assertEquals(played.session.header, { kind: "part", bytes: 212 });
  assertEquals(piece(5, 0, 300), ["write header 0+300", "ack 5"]);
  assert(played.session.header.kind === "header" && played.session.header.header.dumpLength === 4096);
  assertEquals(played.finish(7), ["finalize complete"]);
});

for (const version of [1, 2, 3, 4]) {
  Deno.test(`Session reads a header of version ${version}`, () => {
    const played = new Played().block();
    const absent = {
      ...(version < 3 ? { dumpExtent: null, compression: null } : {}),
      ...(version < 2 ? { dumpKeySize: null } : {}),
    };
    played.header(5, headerBytes({ version, ...absent }));
    const { header } = played.session;
    assert(header.kind === "header");
    assertEquals([header.header.version, header.header.hostname], [version, JOURNAL_HEADER.hostname]);
    assertEquals(played.finish(6), ["finalize complete"]);
  });
}

Deno.test("Session takes a header that is none, and does not call the dump complete", () => {
  const played = new Played().block();
  assertEquals(played.header(5, new Uint8Array(512)), ["write header 0+512", "ack 5"]);
  assertEquals(played.session.header, { kind: "damaged", why: "the magic is not a kernel dump's" });
  assertMatch(played.finish(6)[0]!, /^finalize the kernel dump header is unreadable/);
});

Deno.test("Session finishes a dump without a header, as netdumpd's test client sends it", () => {
  const played = new Played({ heraldSeqno: 0 });
  for (let seqno = 1; seqno <= 5; seqno++) {
    assertEquals(played.data(seqno, (seqno - 1) * 1000, 1000), [seqno]);
  }
  assertEquals(played.finish(0), ["finalize cannot be told: no kernel dump header came"]);
  assertEquals(played.finalized(), ["ack 0"]);
});

Deno.test("Session ends for no FINISHED that the client cannot send, wherever it is forged to (P6)", () => {
  const played = new Played().block();
  // The client is at 5; what was used, what lies far ahead, and 0 are forged.
  for (const seqno of [0, 1, 2, 4, 5 + 64, 1000, 0xffffffff]) {
    assertEquals(played.finish(seqno), ["impossible"], `${seqno}`);
  }
  assertEquals(played.session.phase, "receiving");
  assertEquals(played.header(5), ["write header 0+512", "ack 5"]);
  assertEquals(played.finish(6), ["finalize complete"]);
  assertEquals(played.finish(7), ["impossible"]);
});

Deno.test("Session takes no data, header or key with a number that the client cannot be at (P5, P6)", () => {
  const played = new Played().block();
  for (const seqno of [0, 1, 4 + 65, 0x80000000, 0xffffffff]) {
    assertEquals(played.data(seqno, 4096, 1000), "impossible", `${seqno}`);
    assertEquals(played.header(seqno), ["impossible"]);
    assertEquals(played.control(message(MessageType.EKCD_KEY, seqno, new Uint8Array(100))), ["impossible"]);
  }
  // A number that came is a resend: it brings nothing that is not there.
  assertEquals(played.data(3, 8192, 1448), "refused");
  assertEquals(played.session.core.ranges(), [{ start: 0, end: 4096 }]);
  assertEquals(played.session.header, { kind: "none" });
});

Deno.test("Session begins with no number that is not behind its HERALD's", () => {
  const { session } = new Played();
  const can = (seqno: number) => session.canBeginWith(MessageType.VMCORE, seqno, 0, 1);
  assertEquals([0, 1, 2, 65, 66, 2 ** 31].map(can), [false, false, true, true, false, false]);
});

Deno.test("Session ignores headers and keys that are empty or too large", () => {
  const played = new Played();
  assertEquals(played.header(2, new Uint8Array(513)), []);
  assertEquals(played.header(2, new Uint8Array()), []);
  assertEquals(played.control(message(MessageType.KDH, 2, new Uint8Array(512), 1)), []);
  assertEquals(played.control(message(MessageType.KDH, 2, new Uint8Array(1), 2 ** 52)), []);
  assertEquals(played.control(message(MessageType.EKCD_KEY, 2, new Uint8Array(1), 65536)), []);
  assertEquals(played.session.phase, "heralded");
});

Deno.test("Session takes the key first or last, and data behind the header (section 4)", () => {
  const key = new Uint8Array(4096).fill(7);
  const header = headerBytes({ dumpKeySize: 4096 });
  const keyFirst = new Played();
  assertEquals(keyFirst.control(message(MessageType.EKCD_KEY, 2, key.subarray(0, 1448))), [
    "write key 0+1448",
    "ack 2",
  ]);
  keyFirst.control(message(MessageType.EKCD_KEY, 3, key.subarray(1448), 1448));
  assertEquals(keyFirst.session.encrypted, true);
  assertEquals(keyFirst.data(4, 0, 4096), [4]);
  keyFirst.header(5, header);
  assertEquals(keyFirst.finish(6), ["finalize complete"]);

  const keyLast = new Played();
  assertEquals(keyLast.header(2, header), ["write header 0+512", "ack 2"]);
  assertEquals(keyLast.data(3, 0, 4096), [3]);
  assertEquals([keyLast.session.encrypted, keyLast.session.key.covered], [true, 0]);
  keyLast.control(message(MessageType.EKCD_KEY, 4, key));
  assertEquals(keyLast.finish(5), ["finalize complete"]);
});

Deno.test("Session lets the last write of a range win, and counts it as repeated", () => {
  const played = new Played();
  assertEquals(played.data(2, 0, 4096), [2]);
  assertEquals(played.session.ackCopies, 1);
  assertEquals(played.data(2, 0, 4096), [2]);
  assertEquals(
    [played.session.messages, played.session.resends, played.session.ackCopies],
    [2, 1, 2],
  );
});

Deno.test("Session acks FINISHED without data at once", () => {
  const played = new Played();
  assertEquals(played.finish(2), ["ack 2"]);
  assertEquals(played.session.phase, "finished");
  assertEquals(played.data(3, 0, 100), "dropped");
  assertEquals(played.finish(2), ["ack 2"]);
});

Deno.test("Session acks an empty message and stores nothing for it", () => {
  const played = new Played();
  assertEquals(played.data(2, 12, 0), [2]);
  assertEquals(played.session.core.covered, 0);
});

Deno.test("Session drops data that points into the void, and ends a dump that grows too large (P7)", () => {
  const played = new Played({ mostBytes: 10_000 });
  assertEquals(played.data(2, 2 ** 52, 1448), "dropped");
  assertEquals(played.session.phase, "heralded");
  assertEquals(played.data(2, 0, 8192), [2]);
  assertEquals(played.data(3, 2 ** 40, 1448), "dropped");
  assertEquals(played.data(3, 8192, 1808), [3]);
  assertEquals(played.data(4, 10_000, 1), "too large");
  assertEquals(played.session.core.end, 10_000);
});

Deno.test("Session says so when a dump has more holes than can be kept track of (P7)", () => {
  const played = new Played();
  for (let i = 0; i < 8192; i++) assertEquals(played.data(2 + i, 8192 * i, 4096), [2 + i]);
  assertEquals(played.data(8194, 8192 * 8192, 4096), "too many holes");
});

Deno.test("Session sends held acks with the header that shows that the client is no kernel", () => {
  const played = new Played();
  assertEquals(played.data(2, 0, 1448), []);
  assertEquals(played.header(9), ["ack 2", "write header 0+512", "ack 9"]);
});

Deno.test("Session ignores HERALDs and everything after its end", () => {
  const played = new Played().block();
  assertEquals(played.control(message(MessageType.HERALD, 1)), []);
  played.session.end();
  assertEquals(played.header(5), []);
  assertEquals(played.finish(6), []);
  assertEquals(played.data(7, 0, 10), "dropped");
  assertEquals(played.session.due(0), { do: "close" });
});

Deno.test("Session is closed when no data follows the HERALD", () => {
  const { session } = new Played();
  assertEquals(session.deadlineMs, HERALD_PATIENCE_MS);
  assertEquals(session.due(HERALD_PATIENCE_MS - 1), { do: "nothing" });
  assertEquals(session.due(HERALD_PATIENCE_MS), { do: "close" });
});

Deno.test("Session times out after silence, not after any sign of life", () => {
  const played = new Played({ timeoutMs: 10_000 }).block();
  played.nowMs = 9_000;
  played.data(2, 0, 1448);
  assertEquals(played.session.due(18_999), { do: "nothing" });
  assertEquals(played.session.due(19_000), { do: "end", reason: "timeout", text: "client timed out" });
});

Deno.test("Session ends a dump that goes on for a week (P7)", () => {
  const played = new Played({ timeoutMs: 2 * MOST_SESSION_MS }).block();
  played.nowMs = MOST_SESSION_MS - 1;
  played.data(2, 0, 1448);
  assertEquals(played.session.due(played.nowMs), { do: "nothing" });
  assertEquals(played.session.due(MOST_SESSION_MS), {
    do: "end",
    reason: "error",
    text: "the dump took too long",
  });
});

Deno.test("Session answers for as long as it shall linger, then closes", () => {
  const played = new Played().block();
  played.finish(5);
  assertEquals(played.session.deadlineMs, Infinity);
  played.nowMs = 5000;
  played.finalized();
  assertEquals(played.session.due(64_999), { do: "nothing" });
  assertEquals(played.session.due(65_000), { do: "close" });
});

Deno.test("Session asks for a look at held acks when the client's resends say something", () => {
  const played = new Played();
  for (const nowMs of [0, 1000, 2000, 3000, 4000]) {
    played.nowMs = nowMs;
    assertEquals(played.data(2, 0, 1448), []);
    const acks: number[] = [];
    const { deadlineMs } = played.session;
    if (nowMs === 0) assertEquals(deadlineMs, 600_000);
    else {
      assertEquals(played.session.due(deadlineMs), { do: "expire-acks" });
      played.session.expireAcks(deadlineMs, acks);
    }
    assertEquals(acks, nowMs === 4000 ? [2] : []);
  }
});

Deno.test("Session keeps the pieces of a header for its journal", () => {
  const played = new Played();
  const bytes = headerBytes();
  played.control(message(MessageType.KDH, 2, bytes.subarray(100, 110), 100));
  played.control(message(MessageType.KDH, 3, bytes.subarray(110, 120), 110));
  played.control(message(MessageType.KDH, 4, bytes.subarray(500), 500));
  assertEquals(played.session.headerPieces(), [
    { offset: 100, bytes: bytes.slice(100, 120) },
    { offset: 500, bytes: bytes.slice(500) },
  ]);
});

Deno.test("canBeginWith() lets no empty message, and none into the void, begin a dump (P7)", () => {
  const settings = { heraldSeqno: 1, timeoutMs: 1000, lingerMs: 1000, mostBytes: 10_000 };
  const session = new Session(settings, 0);
  const rows: [type: MessageType, offset: number, length: number, can: boolean][] = [
    [MessageType.HERALD, 0, 4, false],
    [MessageType.VMCORE, 0, 0, false],
    [MessageType.VMCORE, 0, 1448, true],
    [MessageType.VMCORE, 9000, 1000, true],
    [MessageType.VMCORE, 9000, 1001, false],
    [MessageType.KDH, 0, 0, false],
    [MessageType.KDH, 0, 512, true],
    [MessageType.KDH, 1, 512, false],
    [MessageType.EKCD_KEY, 65_000, 1000, false],
    [MessageType.EKCD_KEY, 0, 1448, true],
  ];
  for (const [type, offset, length, can] of rows) {
    assertEquals(session.canBeginWith(type, 2, offset, length), can, `${type} ${offset} ${length}`);
  }
});
