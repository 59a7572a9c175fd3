/**
 * A model of the FreeBSD kernel's netdump client in simulated time (reference netdump-protocol.md, sections 2 to 4):
 * batches without a window, polls each half millisecond, resends after 2001 of them, eleven resends, and the masks
 * of 64 bits that are built with a shift of 32.
 *
 * @module
 */
import { type Message, MessageType } from "../../lib/protocol/message.ts";
import type { SimulatedTime } from "./simulated_time.ts";

const POLL_MS = 0.5;
/** Acks of this many seqnos from the batch's first are looked at. */
const ACK_WINDOW = 64;

/** What is sent and waited for in one go. */
export interface Batch {
  readonly type: MessageType;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What `1 << i` is for counts of 32 and more. */
export type Shift =
  /** x86: the count is taken modulo 32. */
  | "wrapping"
  /** PowerPC: 0 for counts of 32 to 63. */
  | "vanishing";

/** Settings of a kernel. */
export interface KernelSettings {
  readonly payloadSize: number;
  readonly shift: Shift;
  /** net.netdump.polls and net.netdump.retries. */
  readonly polls: number;
  readonly retries: number;
}

/** The tunables' defaults. */
export const KERNEL_DEFAULTS = { shift: "wrapping", polls: 2000, retries: 10 } as const;

/** One dump of a kernel. */
export class KernelClient {
  /** How the dump ended; `undefined` while it goes on. */
  result: "finished" | "timed-out" | undefined;
  /** Waits for acks that came to nothing. */
  timeouts = 0;
  resends = 0;
  packets = 0;
  /** Number of the batch under way, and how often its packets were sent before. */
  batch = -1;
  pass = 0;
  readonly #time: SimulatedTime;
  readonly #send: (message: Message, index: number) => void;
  readonly #batches: readonly Batch[];
  readonly #settings: KernelSettings;
  /** Seqno of the batch's first packet. */
  #base = 1;
  #count = 0;
  readonly #want = new Mask();
  readonly #got = new Mask();
  /** Acks that the network card has, for the next poll. */
  readonly #arrived: number[] = [];
  #pollingSinceMs = 0;
  /** Tells events of this wait from those of earlier ones. */
  #wait = 0;
  #pollDue = false;

  /** @param send takes a packet and its index in the batch */
  constructor(
    time: SimulatedTime,
    send: (message: Message, index: number) => void,
    batches: readonly Batch[],
    settings: KernelSettings,
  ) {
    this.#time = time;
    this.#send = send;
    this.#batches = batches;
    this.#settings = settings;
  }

  /** Begins with the HERALD, which is the first batch. */
  start(): void {
    this.#nextBatch();
  }

  /** An ack reached the network card. */
  receive(seqno: number): void {
    this.#arrived.push(seqno);
    if (this.result !== undefined || this.#pollDue) return;
    this.#pollDue = true;
    const polls = Math.ceil((this.#time.nowMs - this.#pollingSinceMs) / POLL_MS);
    const wait = this.#wait;
    this.#time.at(this.#pollingSinceMs + polls * POLL_MS, () => {
      if (wait === this.#wait) this.#poll();
    });
  }

  #poll(): void {
    this.#pollDue = false;
    for (const seqno of this.#arrived.splice(0)) {
      if (seqno >= this.#base && seqno < this.#base + ACK_WINDOW) {
        this.#got.set(seqno - this.#base, this.#settings.shift);
      }
    }
    if (!this.#got.equals(this.#want)) return;
    const wait = ++this.#wait;
    // The masks are compared after the pause that follows the poll.
    this.#time.after(POLL_MS, () => {
      if (wait === this.#wait) this.#nextBatch();
    });
  }

  #nextBatch(): void {
    this.#base += this.#count;
    this.batch++;
    this.pass = 0;
    this.#want.clear();
    this.#got.clear();
    const batch = this.#batches[this.batch];
    if (batch === undefined) {
      this.result = "finished";
      return;
    }
    this.#count = Math.max(Math.ceil(batch.bytes.byteLength / this.#settings.payloadSize), 1);
    this.#sendBatch(batch);
  }

  /** Sends the packets whose bit is not set, back to back, and begins to wait. */
  #sendBatch({ type, offset, bytes }: Batch): void {
    const { payloadSize, shift, polls } = this.#settings;
    for (let index = 0; index < this.#count; index++) {
      this.#want.set(index, shift);
      if (this.#got.has(index, shift)) continue;
      const at = index * payloadSize;
      const payload = bytes.subarray(at, at + payloadSize);
      this.#send({ type, seqno: this.#base + index, offset: offset + at, payload }, index);
      this.packets++;
      if (this.pass > 0) this.resends++;
    }
    this.#pollingSinceMs = this.#time.nowMs;
    const wait = ++this.#wait;
    this.#pollDue = false;
    // The count of polls is compared after it was raised, so one more passes.
    this.#time.after((polls + 1) * POLL_MS, () => {
      if (wait === this.#wait) this.#timeOut(this.#batches[this.batch]!);
    });
    if (this.#arrived.length > 0) this.receive(this.#arrived.pop()!);
  }

  #timeOut(batch: Batch): void {
    this.timeouts++;
    // The count of resends, too: retries + 1 of them are made.
    if (this.pass++ > this.#settings.retries) {
      this.result = "timed-out";
      this.#wait++;
      return;
    }
    this.#sendBatch(batch);
  }
}

/** An `uint64_t` that is built with `mask |= 1 << i`, in which `1` is an `int`. */
class Mask {
  #low = 0;
  #high = 0;

  clear(): void {
    this.#low = this.#high = 0;
  }

  set(index: number, shift: Shift): void {
    const bit = intShift(index, shift);
    this.#low |= bit;
    // The int is widened with its sign: bit 31 brings bits 32 to 63 along.
    this.#high |= bit >> 31;
  }

  has(index: number, shift: Shift): boolean {
    const bit = intShift(index, shift);
    return (this.#low & bit) !== 0 || (this.#high & (bit >> 31)) !== 0;
  }

  equals(other: Mask): boolean {
    return this.#low === other.#low && this.#high === other.#high;
  }
}

function intShift(index: number, shift: Shift): number {
  // JavaScript's shift is x86's.
  return shift === "vanishing" && (index & 63) >= 32 ? 0 : 1 << index;
}

/** Kinds of kernels and dumps, which differ in where batches end and in the order of messages (section 4). */
export type KernelKind =
  | "12"
  | "12-encrypted"
  | "13"
  | "13-gzip"
  | "13-zstd"
  | "13-encrypted"
  | "main-encrypted";
/** All of them. */
export const KERNEL_KINDS: readonly KernelKind[] = [
  "12",
  "12-encrypted",
  "13",
  "13-gzip",
  "13-zstd",
  "13-encrypted",
  "main-encrypted",
];

const BLOCK = 4096;
const WHOLE = 65536;

/** Sizes of the kernel's data batches for a dump of so many bytes. */
export function batchSizes(kind: KernelKind, dumpBytes: number, random: () => number): number[] {
  const sizes: number[] = [];
  for (let left = dumpBytes; left > 0; left -= sizes.at(-1)!) {
    sizes.push(Math.min(nextBatchSize(kind, sizes.length, random), left));
  }
  return sizes;
}

function nextBatchSize(kind: KernelKind, number: number, random: () => number): number {
  switch (kind) {
    case "12":
      // The minidump's header page and pages of page tables go alone.
      return number < 4 ? BLOCK : WHOLE;
    case "12-encrypted":
      return BLOCK;
    case "13-zstd":
      return BLOCK * (1 + Math.floor(random() * 16));
    default:
      return WHOLE;
  }
}

/** The largest payload of one of the kernel's packets; FreeBSD 12 sends no more than 4096 bytes. */
export function payloadSizeOf(kind: KernelKind, mtu: number): number {
  const most = mtu - 28 - 24;
  return kind.startsWith("12") ? Math.min(most, BLOCK) : most;
}

/** All batches of a dump, HERALD to FINISHED. */
export function dumpBatches(
  kind: KernelKind,
  sizes: readonly number[],
  bytes: Uint8Array,
  header: Uint8Array,
  key: Uint8Array,
): Batch[] {
  const data: Batch[] = [];
  let offset = 0;
  for (const size of sizes) {
    data.push({ type: MessageType.VMCORE, offset, bytes: bytes.subarray(offset, offset + size) });
    offset += size;
  }
  const nothing = new Uint8Array();
  const keyBatch: Batch[] = kind.endsWith("encrypted")
    ? [{ type: MessageType.EKCD_KEY, offset: 0, bytes: key }]
    : [];
  const keyFirst = kind === "main-encrypted";
  return [
    { type: MessageType.HERALD, offset: 0, bytes: nothing },
    ...(keyFirst ? keyBatch : []),
    ...data,
    { type: MessageType.KDH, offset: 0, bytes: header },
    ...(keyFirst ? [] : keyBatch),
    { type: MessageType.FINISHED, offset: 0, bytes: nothing },
  ];
}
