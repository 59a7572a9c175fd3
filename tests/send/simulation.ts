/** A simulated network and clock around a sender and a server: thousands of dumps a second, each from a seed. */
import type { DumpShape } from "../../lib/send/sender/plan.ts";
import { NOTHING, offsetInBatch, payloadSizeOf, type Sender, seqnoOf } from "../../lib/send/sender/sender.ts";
import { MessageType } from "../../lib/protocol/message.ts";
import { Acknowledgement } from "../../lib/serve/session/acknowledgement.ts";
import { seededRandom } from "../helpers.ts";

/** What the network does to each datagram, either way. */
export interface Faults {
  readonly loss: number;
  readonly duplicate: number;
  /** Share of datagrams that are delayed further, by up to ten times the delay. */
  readonly reorder: number;
  /** One way. */
  readonly delayMs: number;
  /** Datagrams that the server's receive buffer holds; unlimited if absent. */
  readonly buffer?: number;
  /** What the server needs for a message. */
  readonly serviceMs?: number;
}

export const NO_FAULTS: Faults = { loss: 0, duplicate: 0, reorder: 0, delayMs: 0.1 };

/** What a sender needs to leave a message behind. */
const TRANSMISSION_MS = 0.007;

/** A message as the server sees it. */
export interface Arrival {
  readonly seqno: number;
  readonly type: MessageType;
  readonly offset: number;
  readonly length: number;
}

/** A server: messages and times in, seqnos to acknowledge out. */
export interface ModelServer {
  receive(message: Arrival, nowMs: number): number[];
  /** When it wants to act without a message. */
  wakeAt?(): number;
  wake?(nowMs: number): number[];
}

/** Acknowledges everything at once, as netdumpd does, and remembers what came. */
export class HonestServer implements ModelServer {
  readonly arrivals: Arrival[] = [];
  receive(message: Arrival, _nowMs: number): number[] {
    this.arrivals.push(message);
    return [message.seqno];
  }

  /** The first byte of a type's target that never came; `undefined` if all of `size` did. */
  firstHole(type: MessageType, size: number): number | undefined {
    const extents = this.arrivals.filter((arrival) => arrival.type === type)
      .map(({ offset, length }) => [offset, offset + length] as const).sort((a, b) => a[0] - b[0]);
    let covered = 0;
    for (const [start, end] of extents) {
      if (start > covered) break;
      covered = Math.max(covered, end);
    }
    return covered >= size ? undefined : covered;
  }
}

/** Drops messages that are 64 or more ahead of the first one missing. */
export class NarrowServer extends HonestServer {
  readonly #seen = new Set<number>();
  #expected = 1;
  override receive(message: Arrival, nowMs: number): number[] {
    if (message.seqno >= this.#expected + 64) return [];
    this.#seen.add(message.seqno);
    while (this.#seen.has(this.#expected)) this.#expected++;
    return super.receive(message, nowMs);
  }
}

/** Our own server's way: acks that a kernel could take for another's are held back (P4). */
export class HoldingServer extends HonestServer {
  #acknowledgement: Acknowledgement | undefined;
  /** Most acks held at once. */
  mostHeld = 0;
  override receive(message: Arrival, nowMs: number): number[] {
    super.receive(message, nowMs);
    this.#acknowledgement ??= new Acknowledgement(message.seqno);
    const acks: number[] = [];
    if (message.type === MessageType.VMCORE) {
      this.#acknowledgement.stored(message.seqno, message.length, nowMs, acks);
    } else {
      this.#acknowledgement.other(message.seqno, acks);
      acks.push(message.seqno);
    }
    this.mostHeld = Math.max(this.mostHeld, this.#acknowledgement.held);
    return acks;
  }
  wakeAt(): number {
    return this.#acknowledgement?.deadlineMs ?? Infinity;
  }
  wake(nowMs: number): number[] {
    const acks: number[] = [];
    this.#acknowledgement?.expire(nowMs, acks);
    return acks;
  }
}

/** How a simulated dump ended. */
export interface SimulatedDump {
  readonly elapsedMs: number;
  readonly transmissions: number;
}

/** Sends a dump to a server through a network that does harm. Stops when the sender does, or after a day. */
export function simulate(sender: Sender, server: ModelServer, faults: Faults, seed: number): SimulatedDump {
  const random = seededRandom(seed);
  const queue = new EventQueue();
  let now = 0;
  let transmissions = 0;
  let inBuffer = 0;
  let serverFreeAt = 0;
  const pass = (arrive: () => void) => {
    const copies = random() < faults.loss ? 0 : random() < faults.duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const extra = random() < faults.reorder ? random() * 10 * faults.delayMs : 0;
      queue.add(now + faults.delayMs + extra, arrive);
    }
  };
  const acknowledge = (seqnos: readonly number[]) => {
    for (const seqno of seqnos) pass(() => sender.acknowledge(seqno, now));
  };
  const arrive = (message: Arrival) => {
    if (inBuffer >= (faults.buffer ?? Infinity)) return;
    inBuffer++;
    serverFreeAt = Math.max(serverFreeAt, now) + (faults.serviceMs ?? 0);
    queue.add(serverFreeAt, () => {
      inBuffer--;
      acknowledge(server.receive(message, now));
    });
  };
  while (sender.state === "sending" && now < 86_400_000) {
    for (let number = sender.next(now, Infinity); number !== NOTHING; number = sender.next(now, Infinity)) {
      transmissions++;
      const message = arrivalOf(sender, number);
      pass(() => arrive(message));
      now += TRANSMISSION_MS;
    }
    if (sender.state !== "sending") break;
    const serverAt = server.wakeAt?.() ?? Infinity;
    const at = Math.min(queue.nextAt, sender.wakeAt(), serverAt);
    if (at === Infinity) throw new Error(`Nothing will ever happen: ${JSON.stringify(sender.batch)}`);
    now = Math.max(now, at);
    if (queue.nextAt <= now) queue.run();
    else if (serverAt <= now) acknowledge(server.wake?.(now) ?? []);
  }
  return { elapsedMs: now, transmissions };
}

function arrivalOf(sender: Sender, number: number): Arrival {
  const { type, offset } = sender.batch;
  return {
    seqno: seqnoOf(number),
    type,
    offset: offset + offsetInBatch(sender, number),
    length: payloadSizeOf(sender, number),
  };
}

/** Checks that a server got everything of a dump, in the order that servers rely on; returns what is wrong. */
export function problemOf(server: HonestServer, shape: DumpShape): string | undefined {
  const holes = [
    [MessageType.VMCORE, shape.dataSize],
    [MessageType.KDH, shape.headerSize],
    [MessageType.EKCD_KEY, shape.keySize],
  ] as const;
  for (const [type, size] of holes) {
    const hole = server.firstHole(type, size);
    if (hole !== undefined) return `type ${type} has a hole at ${hole} of ${size}`;
  }
  if (!server.arrivals.some(({ type }) => type === MessageType.FINISHED)) return "FINISHED never came";
  return undefined;
}

/** Events in the order of their times; those of one time in the order they were added. */
class EventQueue {
  readonly #heap: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];
  #order = 0;

  get nextAt(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ at, order: this.#order++, run });
    for (let child = heap.length - 1; child > 0;) {
      const parent = (child - 1) >> 1;
      if (!this.#before(child, parent)) break;
      this.#swap(child, parent);
      child = parent;
    }
  }

  run(): void {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      for (let parent = 0;;) {
        let least = parent;
        for (const child of [2 * parent + 1, 2 * parent + 2]) {
          if (child < heap.length && this.#before(child, least)) least = child;
        }
        if (least === parent) break;
        this.#swap(parent, least);
        parent = least;
      }
    }
    first.run();
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a]!, this.#heap[b]!];
    return x.at < y.at || (x.at === y.at && x.order < y.order);
  }

  #swap(a: number, b: number): void {
    [this.#heap[a], this.#heap[b]] = [this.#heap[b]!, this.#heap[a]!];
  }
}
