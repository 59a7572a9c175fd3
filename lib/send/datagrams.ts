/**
 * The datagrams of a dump: made when a message is first sent, kept while it may have to be sent again.
 *
 * @module
 */
import { encodeHeader, HEADER_SIZE, MessageType } from "../protocol/message.ts";
import { checkUnchanged, type OpenDump, type ReadAhead } from "./read_ahead.ts";
import { offsetInBatch, payloadSizeOf, type Sender, seqnoOf } from "./sender/sender.ts";

/** What the messages that carry no dump data carry. */
export interface SmallPayloads {
  /** The path with its NUL, or nothing. */
  readonly herald: Uint8Array;
  /** The kernel dump header. */
  readonly header: Uint8Array;
  /** The key of an encrypted dump, or nothing. */
  readonly key: Uint8Array;
}

/** As many datagrams as the sender may have to send again, in one piece of memory. */
export class Datagrams {
  readonly #sender: Sender;
  readonly #dump: OpenDump;
  readonly #data: ReadAhead;
  readonly #small: SmallPayloads;
  readonly #slots: { readonly whole: Uint8Array<ArrayBuffer>; readonly view: DataView; sizeBytes: number }[];
  /** The message after the last that was made. */
  #made = 0;

  constructor(sender: Sender, dump: OpenDump, data: ReadAhead, small: SmallPayloads) {
    this.#sender = sender;
    this.#dump = dump;
    this.#data = data;
    this.#small = small;
    const size = HEADER_SIZE + sender.payloadSize;
    const memory = new ArrayBuffer(sender.span * size);
    this.#slots = Array.from({ length: sender.span }, (_, slot) => ({
      whole: new Uint8Array(memory, slot * size, size),
      view: new DataView(memory, slot * size, HEADER_SIZE),
      sizeBytes: 0,
    }));
  }

  /**
   * The datagram of a message of the batch under way. New messages must come in order.
   *
   * @throws {SendError} if the file has changed when the data is through
   */
  get(number: number): Uint8Array<ArrayBuffer> {
    const slot = this.#slots[number % this.#slots.length];
    if (slot === undefined || number > this.#made) {
      throw new RangeError(`Cannot send message ${number}: only ${this.#made} were made`);
    }
    if (number === this.#made) {
      this.#made++;
      const length = payloadSizeOf(this.#sender, number);
      const at = offsetInBatch(this.#sender, number);
      const { type, offset } = this.#sender.batch;
      encodeHeader(slot.view, type, seqnoOf(number), offset + at, length);
      this.#copyPayload(type, offset + at, slot.whole.subarray(HEADER_SIZE, HEADER_SIZE + length));
      slot.sizeBytes = HEADER_SIZE + length;
    }
    return slot.sizeBytes === slot.whole.byteLength ? slot.whole : slot.whole.subarray(0, slot.sizeBytes);
  }

  #copyPayload(type: MessageType, offset: number, into: Uint8Array): void {
    switch (type) {
      case MessageType.HERALD:
        return into.set(this.#small.herald.subarray(offset, offset + into.byteLength));
      case MessageType.VMCORE:
        return this.#data.copy(offset, into);
      case MessageType.KDH:
        // The last moment to notice: the header and FINISHED would make the dump a complete one.
        checkUnchanged(this.#dump);
        return into.set(this.#small.header.subarray(offset, offset + into.byteLength));
      case MessageType.EKCD_KEY:
        return into.set(this.#small.key.subarray(offset, offset + into.byteLength));
      case MessageType.FINISHED:
        return;
    }
  }
}
