/**
 * Moves many datagrams in one system call, on descriptors of sockets that Deno opened (reference native-datagrams.md): `recvmmsg`
 * empties a socket, `sendmmsg` sends a batch of acks. Its memory is shared by all sockets of a thread, for both are synchronous.
 *
 * @module
 */
import { parseAddress } from "../protocol/ipv4.ts";
import { ACK_SIZE } from "../protocol/message.ts";
import type { Datagram } from "./datagram_socket.ts";
import { newDatagram } from "./deno_socket.ts";
import { addressOf, Constant, Layout, type Libc } from "./native_abi.ts";

/** Datagrams that a call takes or sends. */
const BATCH = 64;
/** Room that is asked for: several of a kernel's batches (reference native-datagrams.md, section 2). */
const RECEIVE_BUFFER_BYTES = 512 * 1024;
/** Calls in a row for one socket: other sessions have their turn too. */
const MOST_CALLS = 4;
/** Descriptors that are looked through for a socket. */
const MOST_DESCRIPTORS = 65536;
const FIRST_DESCRIPTOR = 3;

/** Takes a datagram, whose memory is good only until this returns, and the address it came from as its 32 bits. */
export type TakeDatagram = (datagram: Datagram, address: number, port: number) => void;

/** Moves datagrams for the sockets of a thread. */
export class NativeMover {
  readonly #libc: Libc;
  readonly #datagrams = Array.from({ length: BATCH }, newDatagram);
  readonly #receiving: Batch;
  readonly #sending: Batch;
  readonly #acks = new Uint8Array(BATCH * ACK_SIZE);
  readonly #ackView = new DataView(this.#acks.buffer);

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#receiving = new Batch(libc, this.#datagrams.map(({ bytes }) => bytes));
    const ackSlots = Array.from(
      { length: BATCH },
      (_, i) => new Uint8Array(this.#acks.buffer, i * ACK_SIZE, ACK_SIZE),
    );
    this.#sending = new Batch(libc, ackSlots);
  }

  /**
   * The descriptor of a socket that Deno opened: the only one of this process's datagram sockets with its address and port.
   *
   * @returns `undefined` if none or several are found
   */
  descriptorOf({ hostname, port }: Deno.NetAddr): number | undefined {
    const name = new Uint8Array(Layout.SOCKADDR);
    const view = new DataView(name.buffer);
    const length = new Uint32Array(1);
    const wanted = parseAddress(hostname);
    let misses = 0;
    for (let fd = FIRST_DESCRIPTOR; fd < MOST_DESCRIPTORS && misses < 4096; fd++) {
      length[0] = Layout.SOCKADDR;
      if (this.#libc.getsockname(fd, name, new Uint8Array(length.buffer)) !== 0) {
        misses++;
        continue;
      }
      misses = 0;
      const isIt = view.getUint16(Layout.FAMILY, true) === Constant.AF_INET &&
        view.getUint16(Layout.PORT) === port &&
        view.getUint32(Layout.ADDRESS) === wanted && this.#isDatagram(fd);
      if (isIt) return fd;
    }
    return undefined;
  }

  /** Asks for room in a socket's receive buffer; returns what the system gave, as it accounts for it, in bytes. */
  askReceiveBuffer(fd: number, bytes = RECEIVE_BUFFER_BYTES): number {
    const value = new Uint32Array([bytes]);
    this.#libc.setsockopt(fd, Constant.SOL_SOCKET, Constant.SO_RCVBUF, new Uint8Array(value.buffer), 4);
    return this.#option(fd, Constant.SO_RCVBUF) ?? 0;
  }

  /**
   * Has the system cut what a socket sends into datagrams of so many bytes, 0 for not at all; returns whether it can (UDP_SEGMENT,
   * Linux 4.18). It holds for what Deno sends, too.
   */
  askSegmentation(fd: number, bytes = ACK_SIZE): boolean {
    const value = new Uint32Array([bytes]);
    const { SOL_UDP, UDP_SEGMENT } = Constant;
    return this.#libc.setsockopt(fd, SOL_UDP, UDP_SEGMENT, new Uint8Array(value.buffer), 4) === 0;
  }

  /** Takes what the socket holds, as far as a session's turn goes; does not wait. */
  drain(fd: number, take: TakeDatagram): void {
    const { headers, headerView, nameView } = this.#receiving;
    for (let calls = 0; calls < MOST_CALLS; calls++) {
      const count = this.#libc.recvmmsg(fd, headers, BATCH, Constant.MSG_DONTWAIT, 0n);
      for (let i = 0; i < count; i++) {
        const header = i * Layout.MMSGHDR;
        const name = i * Layout.SOCKADDR;
        const datagram = this.#datagrams[i]!;
        datagram.size = headerView.getUint32(header + Layout.LENGTH, true);
        headerView.setUint32(header + Layout.NAME_LENGTH, Layout.SOCKADDR, true);
        const address = nameView.getUint32(name + Layout.ADDRESS);
        take(datagram, address, nameView.getUint16(name + Layout.PORT));
      }
      if (count < BATCH) return;
    }
  }

  /**
   * Sends acks as one piece a batch, which the system cuts into datagrams (see {@linkcode askSegmentation}).
   *
   * @returns how many went; fewer than there are if the system's queue is full, or the device cannot be sent to like that
   */
  sendSegmented(fd: number, seqnos: readonly number[], address: number, port: number): number {
    let sent = 0;
    while (sent < seqnos.length) {
      const count = Math.min(BATCH, seqnos.length - sent);
      for (let i = 0; i < count; i++) this.#ackView.setUint32(i * ACK_SIZE, seqnos[sent + i]!);
      if (!this.sendPiece(fd, this.#acks, count * ACK_SIZE, address, port)) break;
      sent += count;
    }
    return sent;
  }

  /**
   * Sends `piece[0, length)`, which the system cuts as it was asked to (see {@linkcode askSegmentation}).
   *
   * @returns whether it went, as a whole: if not, nothing did
   */
  sendPiece(
    fd: number,
    piece: Uint8Array<ArrayBuffer>,
    length: number,
    address: number,
    port: number,
  ): boolean {
    this.#sending.setName(0, address, port);
    const { names } = this.#sending;
    const went = this.#libc.sendto(fd, piece, BigInt(length), Constant.MSG_DONTWAIT, names, Layout.SOCKADDR);
    return Number(went) === length;
  }

  /**
   * Sends acks, each as a datagram of its own.
   *
   * @returns how many went; fewer than there are if the system's queue is full
   */
  sendAcks(fd: number, seqnos: readonly number[], address: number, port: number): number {
    const { headers } = this.#sending;
    let sent = 0;
    while (sent < seqnos.length) {
      const count = Math.min(BATCH, seqnos.length - sent);
      for (let i = 0; i < count; i++) {
        this.#ackView.setUint32(i * ACK_SIZE, seqnos[sent + i]!);
        this.#sending.setName(i, address, port);
      }
      const went = this.#libc.sendmmsg(fd, headers, count, Constant.MSG_DONTWAIT);
      if (went > 0) sent += went;
      if (went < count) break;
    }
    return sent;
  }

  #isDatagram(fd: number): boolean {
    return this.#option(fd, Constant.SO_TYPE) === Constant.SOCK_DGRAM;
  }

  #option(fd: number, option: number): number | undefined {
    const value = new Uint32Array(1);
    const length = new Uint32Array([4]);
    const failed = this.#libc.getsockopt(
      fd,
      Constant.SOL_SOCKET,
      option,
      new Uint8Array(value.buffer),
      new Uint8Array(length.buffer),
    );
    return failed === 0 ? value[0] : undefined;
  }
}

/** The headers of a call's datagrams, one vector each. */
class Batch {
  readonly headers = new Uint8Array(BATCH * Layout.MMSGHDR);
  readonly headerView = new DataView(this.headers.buffer);
  readonly nameView: DataView;
  /** Kept alive, for the headers hold their addresses. */
  readonly names = new Uint8Array(BATCH * Layout.SOCKADDR);
  readonly #vectors = new Uint8Array(BATCH * Layout.IOVEC);

  /** Says where the i-th datagram goes. */
  setName(i: number, address: number, port: number): void {
    const name = i * Layout.SOCKADDR;
    this.nameView.setUint16(name + Layout.FAMILY, Constant.AF_INET, true);
    this.nameView.setUint16(name + Layout.PORT, port);
    this.nameView.setUint32(name + Layout.ADDRESS, address);
  }

  constructor(libc: Libc, slots: readonly Uint8Array<ArrayBuffer>[]) {
    this.nameView = new DataView(this.names.buffer);
    const vectors = new DataView(this.#vectors.buffer);
    const namesAt = addressOf(libc, this.names);
    const vectorsAt = addressOf(libc, this.#vectors);
    for (const [i, slot] of slots.entries()) {
      vectors.setBigUint64(i * Layout.IOVEC, addressOf(libc, slot), true);
      vectors.setBigUint64(i * Layout.IOVEC + 8, BigInt(slot.byteLength), true);
      const header = i * Layout.MMSGHDR;
      this.headerView.setBigUint64(header + Layout.NAME, namesAt + BigInt(i * Layout.SOCKADDR), true);
      this.headerView.setUint32(header + Layout.NAME_LENGTH, Layout.SOCKADDR, true);
      this.headerView.setBigUint64(header + Layout.VECTORS, vectorsAt + BigInt(i * Layout.IOVEC), true);
      this.headerView.setBigUint64(header + Layout.VECTOR_COUNT, 1n, true);
    }
  }
}
