import { assert, assertEquals } from "@std/assert";
import { encodeKernelDumpHeader } from "../../lib/kerneldump/header.ts";
import { decodeHeraldPath } from "../../lib/protocol/herald_path.ts";
import {
  checkHeader,
  decodeMessage,
  encodeMessage,
  HEADER_SIZE,
  HeaderField,
  type Message,
  MessageType,
} from "../../lib/protocol/message.ts";
import { DataVerdict, type Effect, MOST_KEY_BYTES, Session } from "../../lib/serve/session.ts";
import { seededRandom } from "../helpers.ts";
import { JOURNAL_HEADER } from "../kerneldump/journal_header.ts";
import { amount, tell } from "./amounts.ts";

/** Datagrams, of all kinds of fuzzing together. */
const DATAGRAMS = amount("NETDUMP_DATAGRAMS", 200_000);
/** Ends a longer run early, in seconds. */
const SECONDS = amount("NETDUMP_FUZZ_SECONDS", 600);
const EXTREMES = [
  0,
  1,
  31,
  32,
  63,
  64,
  511,
  512,
  4095,
  4096,
  65535,
  65536,
  0x7fffffff,
  0x80000000,
  0xffffffff,
];

/** Random choices from a seed. */
class Dice {
  readonly random: () => number;
  constructor(seed: number) {
    this.random = seededRandom(seed);
  }
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }
  happens(chance: number): boolean {
    return this.random() < chance;
  }
  oneOf<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
  bytes(length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }
}

/** Damages a datagram in one of the ways in which wires and attackers do. */
function mutate(dice: Dice, datagram: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(datagram.buffer);
  switch (dice.below(6)) {
    case 0:
      return datagram.slice(0, dice.below(datagram.byteLength + 1));
    case 1: {
      const longer = new Uint8Array(datagram.byteLength + 1 + dice.below(40));
      longer.set(datagram);
      return longer;
    }
    case 2:
      for (let flips = 1 + dice.below(4); flips > 0; flips--) {
        datagram[dice.below(datagram.byteLength)]! ^= 1 << dice.below(8);
      }
      return datagram;
    case 3: {
      const fields = Object.values(HeaderField);
      view.setUint32(dice.oneOf([...fields, HeaderField.OFFSET + 4]), dice.oneOf(EXTREMES));
      return datagram;
    }
    case 4:
      view.setUint32(HeaderField.TYPE, dice.below(7));
      return datagram;
    default:
      return dice.bytes(dice.below(64));
  }
}

/** Runs `fuzz` with one seed after the other until so many datagrams are through. */
function fuzz(share: number, fuzzOne: (dice: Dice) => number): void {
  const startedMs = performance.now();
  let datagrams = 0;
  let seed = 1;
  for (; datagrams < DATAGRAMS * share && performance.now() - startedMs < SECONDS * 1000; seed++) {
    try {
      datagrams += fuzzOne(new Dice(seed));
    } catch (error) {
      throw new Error(`Seed ${seed}`, { cause: error });
    }
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  tell("NETDUMP_DATAGRAMS", `${datagrams} datagrams from ${seed - 1} seeds in ${seconds} s`);
}

Deno.test("decoders take any datagram without an error, and agree on what is a message", () => {
  fuzz(0.3, (dice) => {
    for (let i = 0; i < 100; i++) {
      const message = {
        type: 1 + dice.below(5) as MessageType,
        seqno: dice.oneOf([dice.below(100), dice.oneOf(EXTREMES)]),
        offset: dice.oneOf([dice.below(2 ** 30), dice.below(2 ** 52), dice.oneOf(EXTREMES)]),
        payload: dice.bytes(dice.oneOf([0, 1, dice.below(60)])),
      };
      const datagram = mutate(dice, encodeMessage(message));
      const decoded = decodeMessage(datagram);
      const error = checkHeader(
        new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength),
        0,
        datagram.byteLength,
      );
      assertEquals(typeof decoded === "string" ? decoded : undefined, error);
      if (typeof decoded === "string") continue;
      assert(decoded.payload.byteLength === datagram.byteLength - HEADER_SIZE);
      assert(decoded.offset >= 0 && Number.isSafeInteger(decoded.offset + decoded.payload.byteLength));
      checkPath(decoded.payload);
    }
    return 100;
  });
});

function checkPath(payload: Uint8Array): void {
  const path = decodeHeraldPath(payload);
  if (path.kind !== "path") return;
  for (const component of path.components) {
    // deno-lint-ignore no-control-regex
    assert(!/^\.{0,2}$|[/\\:\u0000-\u001f\u007f-\u009f\ufffd]/.test(component), JSON.stringify(path.text));
  }
}

Deno.test("decodeHeraldPath() lets no path through that could lead out of the dump directory (P5)", () => {
  const pieces = [
    "..",
    ".",
    "/",
    "//",
    "a",
    "lab",
    "\0",
    "\n",
    "\\",
    ":",
    "\u009b",
    "é",
    "\xff",
    "x".repeat(300),
  ];
  fuzz(0.2, (dice) => {
    for (let i = 0; i < 100; i++) {
      const text = Array.from({ length: dice.below(8) }, () => dice.oneOf(pieces)).join("");
      const payload = dice.happens(0.5)
        ? new TextEncoder().encode(text + (dice.happens(0.9) ? "\0" : ""))
        : Uint8Array.from(text + "\0", (character) => character.charCodeAt(0));
      checkPath(payload);
    }
    return 100;
  });
});

/** A client out of its mind, with enough sense to get a session into every state. */
class WildClient {
  #seqno = 2;
  #offset = 0;
  readonly #dice: Dice;
  readonly #full: number;

  constructor(dice: Dice) {
    this.#dice = dice;
    this.#full = dice.oneOf([16, 524, 1024, 1408, 1448, 2048, 8948]);
  }

  next(): Uint8Array<ArrayBuffer> {
    const datagram = encodeMessage(this.#message());
    return this.#dice.happens(0.1) ? mutate(this.#dice, datagram) : datagram;
  }

  #message(): Message {
    const dice = this.#dice;
    const seqno = dice.happens(0.7) ? this.#seqno++ : dice.oneOf([
      Math.max(this.#seqno - dice.below(64), 0),
      this.#seqno + dice.below(8),
      dice.oneOf(EXTREMES),
    ]);
    const kind = dice.below(100);
    if (kind < 88) return this.#data(seqno);
    if (kind < 92) return { type: MessageType.KDH, seqno, ...this.#header() };
    if (kind < 97) {
      const offset = dice.oneOf([0, dice.below(4096), dice.below(2 * MOST_KEY_BYTES), dice.oneOf(EXTREMES)]);
      return { type: MessageType.EKCD_KEY, seqno, offset, payload: new Uint8Array(dice.below(1500)) };
    }
    const type = kind < 98 ? MessageType.HERALD : kind < 99 ? MessageType.VMCORE : MessageType.FINISHED;
    return { type, seqno, offset: 0, payload: new Uint8Array() };
  }

  #data(seqno: number): Message {
    const dice = this.#dice;
    const size = dice.happens(0.9) ? this.#full : dice.below(this.#full + 1);
    if (dice.happens(0.05)) {
      this.#offset = dice.oneOf([dice.below(2 ** 20), dice.below(2 ** 52), ...EXTREMES]);
    }
    const offset = this.#offset;
    if (dice.happens(0.8)) this.#offset += size;
    return { type: MessageType.VMCORE, seqno, offset, payload: new Uint8Array(size) };
  }

  #header(): { readonly offset: number; readonly payload: Uint8Array } {
    const dice = this.#dice;
    const bytes = encodeKernelDumpHeader({
      ...JOURNAL_HEADER,
      dumpLength: dice.oneOf([0, this.#offset, ...EXTREMES]),
      blockSize: dice.oneOf([512, 4096, ...EXTREMES]),
      dumpKeySize: dice.oneOf([0, 4096, ...EXTREMES]),
    });
    if (dice.happens(0.3)) bytes[dice.below(512)]! ^= 1 << dice.below(8);
    const offset = dice.happens(0.3) ? dice.below(600) : 0;
    return { offset, payload: dice.happens(0.3) ? bytes.subarray(dice.below(512)) : bytes };
  }
}

/** A session with a server around it that stores nothing but remembers what it should have stored. */
class Witness {
  readonly session: Session;
  nowMs = 0;
  /** Seqnos under which something was stored, or that need nothing stored. */
  readonly #ackable = new Set<number>();

  constructor(heraldSeqno: number, mostBytes: number) {
    this.session = new Session({ heraldSeqno, timeoutMs: 60_000, lingerMs: 1000, mostBytes }, 0);
  }

  take(message: Message): void {
    if (message.type === MessageType.VMCORE) this.#data(message);
    else this.#control(message);
    this.#letTimePass();
    this.#checkBounds();
  }

  #data({ seqno, offset, payload: { byteLength } }: Message): void {
    const acks: number[] = [];
    switch (this.session.data(offset, byteLength, this.nowMs)) {
      case DataVerdict.STORE:
        assert(offset + byteLength <= this.session.settings.mostBytes, "stored beyond the limit");
        this.#ackable.add(seqno);
        if (!this.session.stored(seqno, offset, byteLength, this.nowMs, acks)) this.session.end();
        break;
      case DataVerdict.ACK:
        assert(
          this.session.core.contains(offset, offset + byteLength),
          `acked ${offset}, which is not stored`,
        );
        break;
      case DataVerdict.DROP:
        break;
      case DataVerdict.TOO_LARGE:
        this.session.end();
    }
    this.#checkAcks(acks);
  }

  #control(message: Message): void {
    const acks: number[] = [];
    const effects = this.session.control(message, this.nowMs, acks);
    this.#checkAcks(acks);
    let written = false;
    for (const effect of effects) {
      if (effect.do === "ack") this.#checkAck(effect.seqno, message, written);
      else written = this.#perform(effect) || written;
    }
  }

  /** Performs an effect; tells whether it wrote something. */
  #perform(effect: Effect): boolean {
    const { session } = this;
    switch (effect.do) {
      case "write-header":
        session.headerStored(effect.offset, effect.bytes);
        return true;
      case "write-key":
        assert(effect.offset + effect.bytes.byteLength <= MOST_KEY_BYTES, "a key beyond the limit");
        session.keyStored(effect.offset, effect.bytes.byteLength);
        return true;
      case "finalize": {
        const { complete, reason } = effect.verdict;
        assertEquals(complete, reason === null);
        const { header } = session;
        // Behind the dump's length there is only padding.
        const end = header !== null && typeof header === "object" ? header.dumpLength : session.core.end;
        if (complete) assertEquals(session.core.missing(0, end), []);
        session.finalized(this.nowMs);
        return false;
      }
      case "ack":
        return false;
    }
  }

  #checkAck(seqno: number, message: Message, written: boolean): void {
    assertEquals(seqno, message.seqno);
    if (written || message.type === MessageType.FINISHED) return;
    assertEquals(this.session.phase, "finished", "acked without a write");
    const end = message.offset + message.payload.byteLength;
    const isIn = message.type === MessageType.EKCD_KEY
      ? this.session.key.contains(message.offset, end)
      : this.session.headerPieces().some(({ offset, bytes }) =>
        offset <= message.offset && offset + bytes.byteLength >= end
      );
    assert(isIn, "acked what is not in the dump");
  }

  #checkAcks(acks: readonly number[]): void {
    for (const seqno of acks) assert(this.#ackable.has(seqno), `acked ${seqno}, which was never stored`);
  }

  #letTimePass(): void {
    for (let looks = 0; this.nowMs >= this.session.deadlineMs; looks++) {
      assert(looks < 4, "the session asks to be looked at again and again");
      const due = this.session.due(this.nowMs);
      if (due.do === "end" || due.do === "close") return this.session.end();
      const acks: number[] = [];
      this.session.expireAcks(this.nowMs, acks);
      this.#checkAcks(acks);
      if (this.session.phase === "ended") return;
    }
  }

  #checkBounds(): void {
    const { core, key, acknowledgement, header } = this.session;
    assert(core.count <= 8192 && key.count <= 64 && key.end <= MOST_KEY_BYTES, "too many ranges");
    assert(core.end <= this.session.settings.mostBytes, "the core is too large");
    assert(acknowledgement.held <= 4096, "too many acks are held");
    assert((acknowledgement.state?.provenEnds.length ?? 0) <= 4096, "too many ends are remembered");
    assert(header === null || typeof header === "string" || header.version <= 4);
  }
}

Deno.test("a session takes any messages at any times: no error, no ack of what is not stored, no end of growth", () => {
  const phases = new Map<string, number>();
  fuzz(0.5, (dice) => {
    const client = new WildClient(dice);
    const witness = new Witness(dice.oneOf([0, 1, 1, 1, 0xffffffff]), dice.oneOf([2 ** 20, 2 ** 50]));
    const datagrams = 20 + dice.below(400);
    for (let i = 0; i < datagrams; i++) {
      witness.nowMs += dice.oneOf([0, 0, 0, 0.1, 1, 5, 40, 250, 1000]);
      const message = decodeMessage(client.next());
      if (typeof message !== "string") witness.take(message);
    }
    const { phase } = witness.session;
    phases.set(phase, (phases.get(phase) ?? 0) + 1);
    return datagrams;
  });
  // The fuzzer gets somewhere.
  for (const phase of ["receiving", "finished", "ended"]) assert((phases.get(phase) ?? 0) > 0, phase);
});
