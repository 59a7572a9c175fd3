/**
 * A session's socket as the rest of a receiver knows it: datagrams of one peer come in bursts, numbers go back as acks. How they
 * are moved (one at a time by Deno's operations, many at once by the system's library, in memory by a test) and when a burst is
 * over is the business of what stands behind this.
 *
 * @module
 */

/** Who a socket talks to; everybody else's datagrams change nothing (P6). */
export interface Peer {
  /** IPv4 address in dotted notation. */
  readonly hostname: string;
  readonly port: number;
}

/** A datagram where it was received. The object and its memory are the socket's: good until whoever takes it is done. */
export interface Datagram {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same memory. */
  readonly view: DataView;
  /** Size of the datagram in bytes. */
  size: number;
}

/** Takes what a socket receives. */
export interface DatagramTaker {
  /**
   * Takes a datagram of the peer.
   *
   * @returns a promise if its memory is needed for longer: nothing else is taken before that resolves
   */
  take(datagram: Datagram): Promise<void> | undefined;
  /** Nothing more waits in the socket: what was taken is written, and acked. May be called with nothing taken. */
  endOfBurst(): void;
  /** Messages taken and not written yet. */
  readonly gathered: number;
  /** Whether {@linkcode take} may return a promise. */
  readonly mayWait: boolean;
  /** A datagram of somebody else came. */
  foreign(from: Peer): void;
  /** An operation of the socket failed; it goes on. */
  failed(what: "receive" | "send", error: unknown): void;
}

/** A socket of one session. */
export interface DatagramSocket {
  /** Its local port. */
  readonly port: number;
  /** Numbers to be acked to the peer. Whoever queues some calls {@linkcode flush}. */
  readonly acks: number[];
  /** Receives for `taker` until the socket is closed. */
  receive(taker: DatagramTaker): Promise<void>;
  /** Sends the queued acks, each so many times; what finds no room is sent a moment later. */
  flush(copies: 1 | 2): void;
  /** Resolves when what has arrived by now is taken. */
  settle(): Promise<void>;
  /** Closes it; what waits in {@linkcode acks} is not sent. */
  close(): void;
}

/** Opens sockets. */
export interface DatagramSockets {
  /** Whether many datagrams are moved in one system call. */
  readonly isNative: boolean;
  /** Room that each socket has for what is not received yet, as the system accounts for it; `null` if that is not known. */
  readonly receiveBufferBytes: number | null;
  /**
   * Binds a socket.
   *
   * @param port a local port, or 0 for any
   * @throws Deno's errors: `AddrInUse`, `AddrNotAvailable`, ...
   */
  bind(local: string, port: number, peer: Peer): DatagramSocket;
  /** Ends what they share. Sockets must be closed before. */
  close(): void;
}
