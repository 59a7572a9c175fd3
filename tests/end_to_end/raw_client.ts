/**
 * A client of raw messages, for tests that read as transcripts: one method per message, and what is expected back.
 */
import { assert } from "@std/assert";
import { ACK_PORT, decodeAck, encodeMessage, MessageType } from "../../lib/protocol/message.ts";
import { freshAddress, listenAt } from "./addresses.ts";
import { PATIENCE_MS } from "../patience.ts";

/** Where a server takes HERALDs. */
export interface HeraldAddress {
  readonly address: string;
  readonly port: number;
}

/** An ack that is not here by then is taken not to come; a kernel waits that long, too. */
const ANSWER_MS = 1000;
/** Long enough for an ack that should not come: on loopback it comes in a millisecond. */
const SILENCE_MS = 120;

/** Large enough that a batch has fewer than 33 packets, so that no ack is held (P4). */
const PIECE_SIZE = 4096;
const RESEND_MS = 50;

const NOTHING = new Uint8Array();

/** A client with its own address, port 20024. */
export class RawClient {
  readonly address: string;
  /** Port that the first ack came from. */
  serverPort: number | undefined;
  /** Acks that came and were not asked for yet, in order. */
  readonly acks: number[] = [];
  /** Everything that came and was not four bytes from the server's address. */
  readonly strange: string[] = [];
  readonly #socket: Deno.DatagramConn;
  readonly #server: HeraldAddress;
  readonly #receiving: Promise<void>;
  readonly #others = new Map<string, (port: number) => void>();
  #onAck: (() => void)[] = [];
  #closed = false;

  constructor(server: HeraldAddress, address = freshAddress(), port = ACK_PORT) {
    this.#server = server;
    this.address = address;
    this.#socket = listenAt(address, port);
    this.#receiving = this.#receive();
  }

  /** HERALD, to the server's herald port. */
  async herald(path?: string, seqno = 1): Promise<void> {
    const payload = path === undefined ? NOTHING : new TextEncoder().encode(path + "\0");
    await this.heraldWith(payload, seqno);
  }

  /** HERALD with any payload. */
  async heraldWith(payload: Uint8Array, seqno = 1): Promise<void> {
    await this.datagram(
      encodeMessage({ type: MessageType.HERALD, seqno, offset: 0, payload }),
      this.#server.port,
    );
  }

  /** HERALD, and its ack. */
  async connect(path?: string, seqno = 1): Promise<void> {
    await this.herald(path, seqno);
    await this.acked(seqno);
  }

  /** VMCORE. */
  async vmcore(seqno: number, offset: number, payload: Uint8Array): Promise<void> {
    await this.message(MessageType.VMCORE, seqno, offset, payload);
  }

  /** KDH. */
  async kdh(seqno: number, header: Uint8Array, offset = 0): Promise<void> {
    await this.message(MessageType.KDH, seqno, offset, header);
  }

  /** EKCD_KEY. */
  async key(seqno: number, offset: number, payload: Uint8Array): Promise<void> {
    await this.message(MessageType.EKCD_KEY, seqno, offset, payload);
  }

  /** FINISHED. */
  async finished(seqno: number): Promise<void> {
    await this.message(MessageType.FINISHED, seqno, 0, NOTHING);
  }

  /** Any message, to the session's port. */
  async message(type: MessageType, seqno: number, offset: number, payload: Uint8Array): Promise<void> {
    await this.datagram(encodeMessage({ type, seqno, offset, payload }));
  }

  /** Any bytes, to the session's port or another. */
  async datagram(bytes: Uint8Array, port = this.serverPort): Promise<void> {
    assert(port !== undefined, "no ack has shown the session's port");
    await this.#socket.send(bytes, { transport: "udp", hostname: this.#server.address, port });
  }

  /** Sends a datagram to another of the server's addresses; resolves with the port that answers with four bytes. */
  async exchange(bytes: Uint8Array, hostname: string, port: number): Promise<number> {
    const answered = new Promise<number>((resolve) => this.#others.set(hostname, resolve));
    await this.#socket.send(bytes, { transport: "udp", hostname, port });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<number>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${hostname}:${port} does not answer`)), PATIENCE_MS);
    });
    return await Promise.race([answered, late]).finally(() => clearTimeout(timer));
  }

  /** Waits for acks of these seqnos, in any order; others stay to be asked for. */
  async acked(...seqnos: number[]): Promise<void> {
    const late = Date.now() + PATIENCE_MS;
    for (const seqno of seqnos) {
      while (!this.acks.includes(seqno)) {
        const restMs = late - Date.now();
        assert(restMs > 0, `no ack of ${seqno} came, of others: ${this.acks}`);
        await this.#wait(restMs);
      }
      this.acks.splice(this.acks.indexOf(seqno), 1);
    }
  }

  /** Waits for an ack that may not come, and tells whether it did. */
  async answered(seqno: number): Promise<boolean> {
    const late = Date.now() + ANSWER_MS;
    while (!this.acks.includes(seqno) && Date.now() < late) await this.#wait(late - Date.now());
    if (!this.acks.includes(seqno)) return false;
    await this.acked(seqno);
    return true;
  }

  /** Sends a message again and again until it is acked, as every client does. */
  async resending(seqno: number, send: () => Promise<void>): Promise<void> {
    const late = Date.now() + PATIENCE_MS;
    while (!this.acks.includes(seqno)) {
      assert(Date.now() < late, `no ack of ${seqno} came`);
      await send();
      await this.#wait(RESEND_MS);
    }
    await new Promise((resolve) => setTimeout(resolve, RESEND_MS));
    this.forgetAcks();
  }

  /**
   * A whole dump after the HERALD, one message at a time.
   *
   * @returns the seqno of FINISHED
   */
  async dump(core: Uint8Array, header: Uint8Array | undefined, key?: Uint8Array): Promise<number> {
    let seqno = await this.data(2, core);
    if (header !== undefined) {
      await this.kdh(seqno, header);
      await this.acked(seqno++);
    }
    if (key !== undefined) {
      await this.key(seqno, 0, key);
      await this.acked(seqno++);
    }
    await this.finished(seqno);
    await this.acked(seqno);
    return seqno;
  }

  /**
   * Data in VMCORE messages, one at a time.
   *
   * @returns the next seqno
   */
  async data(seqno: number, bytes: Uint8Array, offset = 0): Promise<number> {
    for (let at = 0; at < bytes.byteLength; at += PIECE_SIZE) {
      await this.vmcore(seqno, offset + at, bytes.subarray(at, at + PIECE_SIZE));
      await this.acked(seqno++);
    }
    return seqno;
  }

  /** Waits for a moment in which no ack comes. */
  async silence(durationMs = SILENCE_MS): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, durationMs));
    assert(this.acks.length === 0, `acks came: ${this.acks}`);
  }

  /** Forgets acks that came, such as second copies. */
  forgetAcks(): void {
    this.acks.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#socket.close();
    await this.#receiving;
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(65536);
    while (!this.#closed) {
      try {
        const [datagram, from] = await this.#socket.receive(buffer);
        this.#take(datagram, from as Deno.NetAddr);
      } catch (error) {
        if (this.#closed) return;
        throw error;
      }
    }
  }

  #take(datagram: Uint8Array, from: Deno.NetAddr): void {
    const seqno = decodeAck(datagram);
    if (seqno !== undefined) this.#others.get(from.hostname)?.(from.port);
    if (seqno === undefined || from.hostname !== this.#server.address) {
      this.strange.push(`${datagram.byteLength} bytes from ${from.hostname}:${from.port}`);
      return;
    }
    this.serverPort ??= from.port;
    this.acks.push(seqno);
    for (const resolve of this.#onAck.splice(0)) resolve();
  }

  async #wait(mostMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#onAck.push(resolve);
      timer = setTimeout(resolve, mostMs);
    });
    clearTimeout(timer);
  }
}
