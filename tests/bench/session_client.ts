/**
 * A client that holds a session for as long as it is told to and sends what it is told to, resending each second.
 *
 * @module
 */
import {
  ACK_PORT,
  decodeAck,
  encodeMessage,
  MAX_BATCH_SIZE,
  type Message,
  MessageType,
} from "../../lib/protocol/message.ts";

const PACKET_SIZE = 1448;
const ROUNDS = 12;
const ROUND_MS = 1000;
const NOTHING = new Uint8Array();

/** A client with an address of its own. */
export class SessionClient {
  readonly #socket: Deno.DatagramConn;
  readonly #server: string;
  readonly #awaited = new Set<number>();
  #port: number;
  #heralded = false;
  #seqno = 1;
  #closed = false;
  #onAcked: (() => void) | undefined;

  /** @param port where the server takes HERALDs */
  constructor(server: string, port: number, address: string) {
    this.#server = server;
    this.#port = port;
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname: address, port: ACK_PORT });
    void this.#receive();
  }

  /** HERALD until it is acked. */
  async open(roundMs = ROUND_MS, rounds = ROUNDS): Promise<void> {
    await this.#reliably([{ type: MessageType.HERALD, offset: 0, payload: NOTHING }], roundMs, rounds);
  }

  /** One batch of VMCORE messages, at most 64 KiB. */
  async batch(offset: number, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength > MAX_BATCH_SIZE) throw new RangeError("A batch has at most 64 KiB");
    const parts = Array.from({ length: Math.ceil(bytes.byteLength / PACKET_SIZE) }, (_, i) => ({
      type: MessageType.VMCORE,
      offset: offset + i * PACKET_SIZE,
      payload: bytes.subarray(i * PACKET_SIZE, (i + 1) * PACKET_SIZE),
    }));
    await this.#reliably(parts);
  }

  /** Kernel dump header, and FINISHED. */
  async finish(header: Uint8Array): Promise<void> {
    await this.#reliably([{ type: MessageType.KDH, offset: 0, payload: header }]);
    await this.#reliably([{ type: MessageType.FINISHED, offset: 0, payload: NOTHING }]);
  }

  /** Gives the address back; the server hears nothing of it. */
  close(): void {
    this.#closed = true;
    this.#socket.close();
  }

  async #reliably(
    parts: readonly Omit<Message, "seqno">[],
    roundMs = ROUND_MS,
    rounds = ROUNDS,
  ): Promise<void> {
    const messages = parts.map((part) => ({ ...part, seqno: this.#seqno++ }));
    for (const { seqno } of messages) this.#awaited.add(seqno);
    for (let round = 0; round < rounds; round++) {
      const to: Deno.NetAddr = { transport: "udp", hostname: this.#server, port: this.#port };
      for (const message of messages) {
        if (this.#awaited.has(message.seqno)) await this.#socket.send(encodeMessage(message), to);
      }
      if (await this.#acked(roundMs)) return;
    }
    throw new Error(`The server did not ack ${[...this.#awaited].join(", ")}`);
  }

  /** Resolves with true once all is acked, with false after the time. */
  async #acked(patienceMs: number): Promise<boolean> {
    if (this.#awaited.size === 0) return true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#onAcked = resolve;
      timer = setTimeout(resolve, patienceMs);
    });
    clearTimeout(timer);
    return this.#awaited.size === 0;
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(65536);
    while (!this.#closed) {
      try {
        const [datagram, from] = await this.#socket.receive(buffer);
        this.#take(datagram, from as Deno.NetAddr);
      } catch (error) {
        if (!this.#closed) throw error;
      }
    }
  }

  #take(datagram: Uint8Array, from: Deno.NetAddr): void {
    const seqno = decodeAck(datagram);
    if (seqno === undefined || from.hostname !== this.#server) return;
    if (!this.#heralded) {
      this.#heralded = true;
      this.#port = from.port;
    }
    if (this.#awaited.delete(seqno) && this.#awaited.size === 0) this.#onAcked?.();
  }
}

/** Address of the bench's n-th client, none of which is one of kclient's. */
export function clientAddress(number: number): string {
  return `127.2.${Math.floor(number / 200)}.${number % 200 + 1}`;
}
