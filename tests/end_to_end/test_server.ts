/** A small honest netdump server in memory, for tests of `netdump send`; it can be told to misbehave. */
import { ACK_PORT, decodeMessage, encodeAck, type Message, MessageType } from "../../lib/protocol/message.ts";
import { freshAddress } from "./addresses.ts";

/** A message as it came, without its payload. */
export interface Received {
  readonly type: MessageType;
  readonly seqno: number;
  readonly offset: number;
  readonly length: number;
  readonly atMs: number;
}

/** How the server deviates from acknowledging everything at once. */
export interface Behaviour {
  /** Decides about each message: how long its ack takes, or `undefined` for none; it is kept if acknowledged. */
  readonly ack?: (message: Received, server: TestServer) => number | undefined;
  /** Where acks go; 20024 as a rule. */
  readonly ackPort?: number;
}

/** One server for one dump. */
export class TestServer {
  readonly address = freshAddress();
  readonly messages: Received[] = [];
  /** Paths asked for in HERALDs, with their NUL. */
  readonly paths: string[] = [];
  readonly #behaviour: Behaviour;
  readonly #herald: Deno.DatagramConn;
  readonly #session: Deno.DatagramConn;
  readonly #loops: Promise<void>[];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #files = new Map<MessageType, Uint8Array>();
  readonly #sizes = new Map<MessageType, number>();
  readonly #startedAt = performance.now();
  #closed = false;

  constructor(behaviour: Behaviour = {}) {
    this.#behaviour = behaviour;
    this.#herald = Deno.listenDatagram({ transport: "udp", hostname: this.address, port: 0 });
    this.#session = Deno.listenDatagram({ transport: "udp", hostname: this.address, port: 0 });
    this.#loops = [this.#receive(this.#herald), this.#receive(this.#session)];
  }

  /** `HOST:PORT` for `--server`. */
  get target(): string {
    return `${this.address}:${(this.#herald.addr as Deno.NetAddr).port}`;
  }

  /** Port that everything but the HERALD goes to. */
  get sessionPort(): number {
    return (this.#session.addr as Deno.NetAddr).port;
  }

  /** What was written by messages of a type. */
  file(type: MessageType): Uint8Array {
    return this.#files.get(type)?.subarray(0, this.#sizes.get(type)) ?? new Uint8Array();
  }

  /** The dump. */
  get core(): Uint8Array {
    return this.file(MessageType.VMCORE);
  }

  /** Messages of a type, resends included. */
  count(type: MessageType): number {
    return this.messages.filter((message) => message.type === type).length;
  }

  /** Types in the order they first came. */
  get order(): MessageType[] {
    return [...new Set(this.messages.map(({ type }) => type))];
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#herald.close();
    this.#session.close();
    await Promise.all(this.#loops);
  }

  async #receive(socket: Deno.DatagramConn): Promise<void> {
    const buffer = new Uint8Array(65536);
    while (!this.#closed) {
      try {
        const [datagram, from] = await socket.receive(buffer) as [Uint8Array, Deno.NetAddr];
        const message = decodeMessage(datagram);
        if (typeof message === "string") throw new Error(`Not a message: ${message}`);
        this.#take(message, from.hostname);
      } catch (error) {
        if (!this.#closed) throw error;
      }
    }
  }

  #take(message: Message, client: string): void {
    const { type, seqno, offset, payload } = message;
    const received = {
      type,
      seqno,
      offset,
      length: payload.byteLength,
      atMs: performance.now() - this.#startedAt,
    };
    this.messages.push(received);
    if (type === MessageType.HERALD) this.paths.push(new TextDecoder().decode(payload));
    const delayMs = this.#behaviour.ack === undefined ? 0 : this.#behaviour.ack(received, this);
    if (delayMs === undefined) return;
    this.#write(type, offset, payload);
    if (delayMs === 0) return this.#ack(seqno, client);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#ack(seqno, client);
    }, delayMs);
    this.#timers.add(timer);
  }

  #ack(seqno: number, client: string): void {
    const to = { transport: "udp", hostname: client, port: this.#behaviour.ackPort ?? ACK_PORT } as const;
    this.#session.send(encodeAck(seqno), to).catch(() => {});
  }

  #write(type: MessageType, offset: number, payload: Uint8Array): void {
    const end = offset + payload.byteLength;
    let file = this.#files.get(type) ?? new Uint8Array(65536);
    if (end > file.byteLength) {
      const larger = new Uint8Array(2 ** Math.ceil(Math.log2(end)));
      larger.set(file);
      file = larger;
    }
    file.set(payload, offset);
    this.#files.set(type, file);
    this.#sizes.set(type, Math.max(end, this.#sizes.get(type) ?? 0));
  }
}
