import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { hostileText } from "../../hostile_text.ts";
import {
  decodeHex,
  encodeHex,
  type JournalHead,
  journalLine,
  type JournalRecord,
} from "../../../lib/serve/session/journal.ts";
import { parseJournal } from "../../../lib/serve/session/read_journal.ts";
import { condense, replay, type Replayed } from "../../../lib/serve/session/replay.ts";
import { Session } from "../../../lib/serve/session/session.ts";

const HEAD: JournalHead = {
  format: 2,
  session: {
    id: "00000000-0000-4000-8000-000000000000",
    client: "192.0.2.7",
    local: "192.0.2.1",
    port: 40001,
    heraldSeqno: 1,
    path: "lab/\u2028",
    startedMs: 1_700_000_000_000,
  },
};
const SETTINGS = { heraldSeqno: 1, timeoutMs: 1, lingerMs: 1, mostBytes: Infinity };

function journalOf(records: readonly JournalRecord[]): string {
  return [HEAD, ...records].map(journalLine).join("");
}

function takeUp(text: string): { readonly session: Session; readonly replayed: Replayed } {
  const session = new Session(SETTINGS, 0);
  return { session, replayed: replay(session, parseJournal(text), 0) };
}

/** All that a session taken up must know. */
function knowledge(session: Session) {
  const { core, key, messages, resends, acknowledgement } = session;
  return {
    core: core.ranges(),
    key: key.ranges(),
    header: session.headerPieces(),
    messages,
    resends,
    acknowledgement: acknowledgement.state,
    held: acknowledgement.held,
  };
}

/** What a client sends: batches that are whole or cut short, pieces of header and key. */
const step = fc.oneof(
  fc.record({
    what: fc.constant("batch" as const),
    blocks: fc.integer({ min: 1, max: 16 }),
    full: fc.constantFrom(524, 1024, 1408, 1448, 2048),
    lost: fc.array(fc.nat(130), { maxLength: 3 }),
  }),
  fc.record({
    what: fc.constantFrom("header" as const, "key" as const),
    offset: fc.nat(400),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 112 }),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Plays steps to a session, writing its journal as a transfer does. */
function play(steps: readonly Step[]): { readonly session: Session; readonly records: JournalRecord[] } {
  const session = new Session(SETTINGS, 0);
  const records: JournalRecord[] = [{ index: 3 }];
  let seqno = 2;
  let offset = 0;
  for (const each of steps) {
    if (each.what === "batch") {
      const size = each.blocks * 4096;
      const count = Math.ceil(size / each.full);
      for (let i = 0; i < count; i++) {
        if (each.lost.includes(i)) continue;
        const length = Math.min(each.full, size - i * each.full);
        records.push({ run: [offset + i * each.full, length, seqno + i, 1, length] });
        session.stored(seqno + i, offset + i * each.full, length, 0, []);
      }
      seqno += count;
      offset += size;
    } else if (each.what === "header") {
      records.push({ header: [seqno, each.offset, encodeHex(each.bytes)] });
      session.acknowledgement.other(seqno++, []);
      session.headerStored(each.offset, each.bytes);
    } else {
      records.push({ key: [seqno, each.offset, each.bytes.byteLength] });
      session.acknowledgement.other(seqno++, []);
      session.keyStored(each.offset, each.bytes.byteLength);
    }
  }
  return { session, records };
}

Deno.test("replay() brings a session to where its journal's last line leaves it (P9)", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const { session, records } = play(steps);
    const { session: resumed, replayed } = takeUp(journalOf(records));
    assertEquals(knowledge(resumed), knowledge(session));
    assertEquals(replayed, { index: 3, finishedSeqno: undefined, final: undefined });
  }));
});

Deno.test("condense() says in a few lines what the whole journal says", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const { session, records } = play(steps);
    const short = condense(session);
    if (short === undefined) {
      assert(session.acknowledgement.state === undefined);
      return;
    }
    const { session: resumed } = takeUp(journalOf([{ index: 3 }, ...short]));
    assertEquals(knowledge(resumed), knowledge(session));
    // And again, with what follows.
    const more = { run: [offsetBehind(session), 4096, 60_000, 1, 4096] } as const;
    const long = takeUp(journalOf([...records, more])).session;
    assertEquals(
      knowledge(takeUp(journalOf([{ index: 3 }, ...short, more])).session),
      knowledge(long),
    );
  }));
});

function offsetBehind(session: Session): number {
  return session.core.end + 4096;
}

Deno.test("replay() takes a run apart into its messages", () => {
  const { session } = takeUp(journalOf([{ run: [0, 4096, 2, 3, 1448] }]));
  assertEquals([session.messages, session.core.ranges()], [3, [{ start: 0, end: 4096 }]]);
  // The batch is whole: the next begins with seqno 5.
  assertEquals(session.acknowledgement.state?.base, 5);
});

Deno.test("replay() leaves a batch open that the kill cut where an earlier one ended (P9)", () => {
  // MTU 1076: batches of 4 packets of 1024 bytes are known; this one of 64 was being received.
  const known = { holding: true, kernelSeen: true, base: 2, fullSize: 1024, provenEnds: [4] };
  const whole = [0, 1, 2, 3].map((n): JournalRecord => ({
    run: [n * 65536, 65536, 2 + 64 * n, 64, 1024],
  }));
  const cut: JournalRecord = { run: [4 * 65536, 4096, 2 + 64 * 4, 4, 1024] };
  const { session } = takeUp(journalOf([{ acknowledgement: known }, ...whole, cut]));
  assertEquals([session.acknowledgement.held, session.acknowledgement.deadlineMs], [4, undefined]);
});

Deno.test("replay() tells of a FINISHED whose dump was not made final, and of a final one", () => {
  const finished: JournalRecord[] = [{ index: 1 }, { run: [0, 1, 2, 1, 1] }, { finished: 9 }];
  assertEquals(takeUp(journalOf(finished)).replayed.finishedSeqno, 9);
  const final = { final: true, atMs: 5, core: "vmcore.w1.1" };
  assertEquals(takeUp(journalOf([...finished, final])).replayed.final, {
    complete: true,
    atMs: 5,
    core: "vmcore.w1.1",
  });
});

Deno.test("parseJournal() reads all whole lines of a journal that was cut off at any byte", () => {
  const records: JournalRecord[] = [
    { index: 3 },
    { run: [0, 65536, 2, 46, 1448] },
    { header: [48, 0, "00ff"] },
    { key: [49, 0, 4096] },
    { extents: [0, 5, 7, 9], messages: 5, resends: 1, beganStale: false },
    { finished: 50 },
    { final: false, atMs: 1, core: "vmcore.w1.3.incomplete" },
  ];
  const text = journalOf(records);
  const ends = [...text.matchAll(/\n/g)].map((match) => match.index + 1);
  for (let length = ends[0]!; length <= text.length; length++) {
    const whole = ends.filter((end) => end <= length).length;
    assertEquals(parseJournal(text.slice(0, length)), { head: HEAD, records: records.slice(0, whole - 1) });
  }
});

const DAMAGED: readonly (readonly [name: string, text: string])[] = [
  ["nothing", ""],
  ["a first line without its end", JSON.stringify(HEAD)],
  ["a first line that is no session", '{"format":2}\n'],
  ["a first line that is null", "null\n"],
  ["a line that is no JSON", journalOf([]) + "garbage\n"],
  ["an empty line", journalOf([]) + "\n"],
  ["a number for a record", journalOf([]) + "5\n"],
  ["null for a record", journalOf([]) + "null\n"],
  ["a record of no kind", journalOf([]) + '{"what":1}\n'],
  ["a run of no length", journalOf([{ run: [0, 0, 2, 1, 0] }])],
  ["a run of more messages than bytes", journalOf([{ run: [0, 10, 2, 4, 5] }])],
  ["a header piece that is too long", journalOf([{ header: [2, 400, "00".repeat(113)] }])],
  ["a header piece at a negative offset", journalOf([{ header: [2, -1, "00"] }])],
];

for (const [name, text] of DAMAGED) {
  Deno.test(`a damaged journal with ${name} is refused`, () => {
    assertThrows(() => takeUp(text), SyntaxError);
  });
}

Deno.test("encodeHex() and decodeHex() are each other's inverse", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => assertEquals(decodeHex(encodeHex(bytes)), bytes)));
});

Deno.test("journalLine() keeps a value on one line, whatever a client's name has in it", () => {
  fc.assert(fc.property(hostileText, (hostName) => {
    const record = { place: { directory: "lab", host: "w1" }, hostName };
    const line = journalLine(record);
    assertEquals(line.indexOf("\n"), line.length - 1);
    assertEquals(parseJournal(journalOf([record])).records, [record]);
  }));
});

const FORGED: readonly (readonly [name: string, head: unknown, record?: unknown])[] = [
  ["a path to elsewhere", { ...HEAD, session: { ...HEAD.session, path: "../x" } }],
  ["an address that no machine has", { ...HEAD, session: { ...HEAD.session, local: "0.0.0.0" } }],
  ["a port that is none", { ...HEAD, session: { ...HEAD.session, port: 70_000 } }],
  ["an id that is a path", { ...HEAD, session: { ...HEAD.session, id: "../../x" } }],
  ["a directory above", HEAD, { place: { directory: "../..", host: "w1" }, hostName: null }],
  ["an absolute directory", HEAD, { place: { directory: "/etc", host: "w1" }, hostName: null }],
  ["a host that is a path", HEAD, { place: { directory: ".", host: "x/../../victim/a" }, hostName: null }],
  ["an index that is none", HEAD, { index: 1e300 }],
  ["a run of 1e12 messages", HEAD, { run: [0, 1e12, 2, 1e12, 1] }],
  ["ranges without end", HEAD, { extents: [0, 1e300], messages: 1, resends: 0, beganStale: false }],
  ["ranges out of order", HEAD, { extents: [5, 3], messages: 1, resends: 0, beganStale: false }],
  ["a core elsewhere", HEAD, { final: true, atMs: 1, core: "/etc/passwd" }],
];

for (const [name, head, record] of FORGED) {
  Deno.test(`a journal that somebody else made with ${name} is not believed`, () => {
    const lines = record === undefined ? [head] : [head, record];
    assertThrows(() => parseJournal(lines.map((line) => JSON.stringify(line) + "\n").join("")), SyntaxError);
  });
}
