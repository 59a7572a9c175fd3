/**
 * The wire format: the 24-byte message header, the message types, the 4-byte ack, ports and limits
 * (reference netdump-protocol.md, section 1). Pure: bytes in, values out, and back.
 *
 * @module
 */

/** Bytes of a message header: type u32, seqno u32, offset u64, length u32, aux2 u32, all big endian. */
export const HEADER_SIZE = 24;
/** Bytes of an ack: the seqno of the acknowledged message, u32 big endian. */
export const ACK_SIZE = 4;
/** Destination port of a HERALD (NETDUMP_PORT). */
export const HERALD_PORT = 20023;
/** The client's port: source of everything it sends, destination of every ack (NETDUMP_ACKPORT). */
export const ACK_PORT = 20024;
/** Largest UDP datagram over IPv4 without options. */
export const MAX_DATAGRAM_SIZE = 65507;
/** Largest payload of one message. */
export const MAX_PAYLOAD_SIZE = MAX_DATAGRAM_SIZE - HEADER_SIZE;
/** Bytes of IPv4 and UDP header: a message's payload is at most MTU - 28 - 24. */
export const IP_UDP_HEADER_SIZE = 28;
/** Bytes the FreeBSD kernel sends in one batch at most (MAXDUMPPGS pages; section 3.1). */
export const MAX_BATCH_SIZE = 65536;
/** Largest message payload of a FreeBSD 12 kernel, and largest that netdumpd takes (NETDUMP_DATASIZE). */
export const FREEBSD12_MAX_PAYLOAD_SIZE = 4096;
/** Size of the key blob sent as EKCD_KEY: it is always padded to the block size of 4096 (section 4.3). */
export const MAX_KEY_SIZE = 4096;
/** Largest HERALD path with its NUL. */
export const MAX_HERALD_PATH_SIZE = 1024;

/** Message types (section 1.2). */
export const MessageType = {
  HERALD: 1,
  FINISHED: 2,
  VMCORE: 3,
  KDH: 4,
  EKCD_KEY: 5,
} as const;
/** One of {@linkcode MessageType}'s numbers. */
export type MessageType = typeof MessageType[keyof typeof MessageType];

/** A decoded message. `payload` is a view into the datagram, not a copy. */
export interface Message {
  readonly type: MessageType;
  /** Sequence number, u32; echoed in the ack. */
  readonly seqno: number;
  /** Seek offset in the target file, in bytes; 0 for all but VMCORE and EKCD_KEY. */
  readonly offset: number;
  readonly payload: Uint8Array;
}

/** Why a datagram is no message. */
export type MessageError = "runt" | "length-mismatch" | "unknown-type" | "absurd-offset";

/** Field positions in the header, for the one hot loop that reads a datagram without making a value of it. */
export const HeaderField = { TYPE: 0, SEQNO: 4, OFFSET: 8, LENGTH: 16, AUX2: 20 } as const;

/**
 * Checks the header at `at` of a datagram that is `datagramSize` bytes long; the first check of every datagram.
 *
 * @returns `undefined` if it is well formed: the length field is exact, the type known, and the offset plus the
 * length fits 2^53 (aux2 is ignored, section 1.1)
 */
export function checkHeader(view: DataView, at: number, datagramSize: number): MessageError | undefined {
  if (datagramSize < HEADER_SIZE) return "runt";
  if (view.getUint32(at + HeaderField.LENGTH) !== datagramSize - HEADER_SIZE) return "length-mismatch";
  const type = view.getUint32(at + HeaderField.TYPE);
  if (type < MessageType.HERALD || type > MessageType.EKCD_KEY) return "unknown-type";
  // Offsets below 2^52 leave room for any length within 2^53.
  if (view.getUint32(at + HeaderField.OFFSET) >= 0x100000) return "absurd-offset";
  return undefined;
}

/** Reads the offset of a header that {@linkcode checkHeader} accepted. */
export function readOffset(view: DataView, at: number): number {
  return view.getUint32(at + HeaderField.OFFSET) * 0x100000000 + view.getUint32(at + HeaderField.OFFSET + 4);
}

/** Decodes one datagram. */
export function decodeMessage(datagram: Uint8Array): Message | MessageError {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const error = checkHeader(view, 0, datagram.byteLength);
  if (error !== undefined) return error;
  return {
    type: view.getUint32(HeaderField.TYPE) as MessageType,
    seqno: view.getUint32(HeaderField.SEQNO),
    offset: readOffset(view, 0),
    payload: datagram.subarray(HEADER_SIZE),
  };
}

/**
 * Encodes a message header at the start of `into`; the payload of `length` bytes belongs right behind it.
 *
 * @throws {RangeError} if a value does not fit its field
 */
export function encodeHeader(
  into: DataView,
  type: MessageType,
  seqno: number,
  offset: number,
  length: number,
): void {
  if (!Number.isSafeInteger(offset) || offset < 0 || length > MAX_PAYLOAD_SIZE) {
    throw new RangeError(`Cannot encode message: offset ${offset}, length ${length}`);
  }
  into.setUint32(HeaderField.TYPE, type);
  into.setUint32(HeaderField.SEQNO, seqno);
  into.setUint32(HeaderField.OFFSET, Math.floor(offset / 0x100000000));
  into.setUint32(HeaderField.OFFSET + 4, offset >>> 0);
  into.setUint32(HeaderField.LENGTH, length);
  into.setUint32(HeaderField.AUX2, 0);
}

/** Encodes a whole message into a new datagram. */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const datagram = new Uint8Array(HEADER_SIZE + message.payload.byteLength);
  encodeHeader(
    new DataView(datagram.buffer),
    message.type,
    message.seqno,
    message.offset,
    message.payload.byteLength,
  );
  datagram.set(message.payload, HEADER_SIZE);
  return datagram;
}

/** Encodes an ack of `seqno`. */
export function encodeAck(seqno: number): Uint8Array<ArrayBuffer> {
  const ack = new Uint8Array(ACK_SIZE);
  new DataView(ack.buffer).setUint32(0, seqno);
  return ack;
}

/** Decodes an ack; `undefined` if the datagram is not exactly four bytes (section 2.1). */
export function decodeAck(datagram: Uint8Array): number | undefined {
  if (datagram.byteLength !== ACK_SIZE) return undefined;
  return new DataView(datagram.buffer, datagram.byteOffset, ACK_SIZE).getUint32(0);
}
