/**
 * A panicking kernel in a few lines: batches of 64 KiB, stop and wait, resends each second, twelve sends (reference
 * netdump-protocol.md 3.1 and 3.2), its 32-bit ack masks (3.3), and a network that loses packets.
 */
import {
  ACK_PORT,
  decodeAck,
  encodeMessage,
  MAX_BATCH_SIZE,
  MessageType,
} from "../../lib/protocol/message.ts";
import { seededRandom } from "../helpers.ts";
import { listenAt } from "./addresses.ts";
import type { HeraldAddress } from "./raw_client.ts";

const ROUND_MS = 1000;
const SENDS = 12;
const MASK_BITS = 32;

/** What a kernel has to send, and how. */
export interface KernelDump {
  readonly core: Uint8Array;
  readonly header: Uint8Array;
  /** Sent before the data, as FreeBSD 14 does. */
  readonly key?: Uint8Array;
  readonly path?: string;
  readonly mtu?: number;
  /** Probability of losing a packet, and of losing an ack. */
  readonly loss?: number;
  readonly seed?: number;
  /** Pause after each batch, in ms: what a kernel spends on reading memory. */
  readonly pauseMs?: number;
  /** How often a batch is sent before giving up. */
  readonly sends?: number;
  /** Called with what is about to be sent. */
  readonly before?: (type: MessageType) => void;
}

/** How it went. */
export interface KernelResult {
  readonly ok: boolean;
  readonly resends: number;
}

/** Sends a dump from an address, port 20024. */
export async function sendAsKernel(
  server: HeraldAddress,
  address: string,
  dump: KernelDump,
): Promise<KernelResult> {
  const kernel = new Kernel(server, address, dump);
  try {
    return { ok: await kernel.dump(), resends: kernel.resends };
  } finally {
    await kernel.close();
  }
}

class Kernel {
  resends = 0;
  readonly #dump: KernelDump;
  readonly #hostname: string;
  #port: number;
  #portKnown = false;
  readonly #socket: Deno.DatagramConn;
  readonly #random: () => number;
  readonly #receiving: Promise<void>;
  #closed = false;
  #base = 1;
  #got = new Set<number>();
  #onAck: () => void = () => {};

  constructor(server: HeraldAddress, address: string, dump: KernelDump) {
    this.#dump = dump;
    this.#hostname = server.address;
    this.#port = server.port;
    this.#random = seededRandom(dump.seed ?? 1);
    this.#socket = listenAt(address, ACK_PORT);
    this.#receiving = this.#receive();
  }

  async dump(): Promise<boolean> {
    const { core, header, key, path, pauseMs = 0 } = this.#dump;
    const herald = path === undefined ? new Uint8Array() : new TextEncoder().encode(path + "\0");
    if (!await this.#batch(MessageType.HERALD, 0, herald)) return false;
    if (key !== undefined && !await this.#batch(MessageType.EKCD_KEY, 0, key)) return false;
    for (let at = 0; at < core.byteLength; at += MAX_BATCH_SIZE) {
      const bytes = core.subarray(at, at + MAX_BATCH_SIZE);
      if (!await this.#batch(MessageType.VMCORE, at, bytes)) return false;
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    if (!await this.#batch(MessageType.KDH, 0, header)) return false;
    return await this.#batch(MessageType.FINISHED, 0, new Uint8Array());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#socket.close();
    await this.#receiving;
  }

  async #batch(type: MessageType, offset: number, bytes: Uint8Array): Promise<boolean> {
    this.#dump.before?.(type);
    const full = (this.#dump.mtu ?? 1500) - 52;
    const count = Math.max(1, Math.ceil(bytes.byteLength / full));
    const wanted = new Set<number>();
    for (let i = 0; i < count; i++) for (const bit of maskBits(i)) wanted.add(bit);
    this.#got = new Set();
    for (let send = 0; send < (this.#dump.sends ?? SENDS); send++) {
      for (let i = 0; i < count; i++) {
        if (maskBits(i).every((bit) => this.#got.has(bit))) continue;
        if (send > 0) this.resends++;
        const payload = bytes.subarray(i * full, (i + 1) * full);
        await this.#transmit(
          encodeMessage({ type, seqno: this.#base + i, offset: offset + i * full, payload }),
        );
      }
      if (await this.#allAcked(wanted)) {
        this.#base += count;
        return true;
      }
    }
    return false;
  }

  async #transmit(datagram: Uint8Array): Promise<void> {
    if (this.#random() < (this.#dump.loss ?? 0)) return;
    await this.#socket.send(datagram, { transport: "udp", hostname: this.#hostname, port: this.#port });
  }

  async #allAcked(wanted: ReadonlySet<number>): Promise<boolean> {
    const late = Date.now() + ROUND_MS;
    const acked = () => this.#got.size === wanted.size && this.#got.isSubsetOf(wanted);
    for (let restMs = ROUND_MS; !acked() && restMs > 0; restMs = late - Date.now()) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#onAck = resolve;
        timer = setTimeout(resolve, restMs);
      });
      clearTimeout(timer);
    }
    return acked();
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(2048);
    while (!this.#closed) {
      try {
        const [datagram, from] = await this.#socket.receive(buffer) as [Uint8Array, Deno.NetAddr];
        const seqno = decodeAck(datagram);
        if (seqno === undefined || from.hostname !== this.#hostname) continue;
        if (this.#random() < (this.#dump.loss ?? 0)) continue;
        this.#take(seqno, from.port);
      } catch (error) {
        if (!this.#closed) throw error;
      }
    }
  }

  #take(seqno: number, port: number): void {
    if (!this.#portKnown) this.#port = port;
    this.#portKnown = true;
    const place = seqno - this.#base;
    if (place < 0 || place >= 2 * MASK_BITS) return;
    for (const bit of maskBits(place)) this.#got.add(bit);
    this.#onAck();
  }
}

/** The bits that packet i of a batch has in the kernel's mask, built with a 32-bit shift. */
function maskBits(i: number): number[] {
  const bit = i % MASK_BITS;
  return bit < MASK_BITS - 1 ? [bit] : Array.from({ length: MASK_BITS + 1 }, (_, n) => bit + n);
}
