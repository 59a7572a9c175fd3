/**
 * What fuzzing sends: datagrams of a client out of its mind, and datagrams that were damaged on their way.
 *
 * @module
 */
import { encodeKernelDumpHeader } from "../../lib/kerneldump/files/header.ts";
import { encodeMessage, HeaderField, type Message, MessageType } from "../../lib/protocol/message.ts";
import { MOST_KEY_BYTES } from "../../lib/serve/session/session.ts";
import { seededRandom } from "../helpers.ts";
import { JOURNAL_HEADER } from "../kerneldump/journal_header.ts";

/** Numbers at which something may change. */
export const EXTREMES = [
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
export class Dice {
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
export function mutate(dice: Dice, datagram: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
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

/** A client out of its mind, with enough sense to get a session into every state. */
export class WildClient {
  #seqno = 2;
  #offset = 0;
  readonly #dice: Dice;
  readonly #full: number;

  constructor(dice: Dice) {
    this.#dice = dice;
    this.#full = dice.oneOf([16, 524, 1024, 1408, 1448, 2048, 8948]);
  }

  /** The next datagram. */
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
