/**
 * A compressed stream as a source: read forwards, its beginning kept, and begun again where a reader goes back.
 *
 * @module
 */

import type { Source } from "./source.ts";
import type { StreamEnd } from "./stream_end.ts";

/** A decoder at work: pieces that are good until the next one is asked for, then how it ended. */
export type Stream = AsyncGenerator<Uint8Array, StreamEnd>;

/** What is kept of the beginning: a minidump's header, messages, bitmap and page tables lie there. */
const HEAD_BYTES = 48 * 2 ** 20;
/** What is kept of the bytes read last, for readers that go back a little. */
const RECENT_BYTES = 4 * 2 ** 20;

/** The plain bytes of a compressed stream. Its memory is bounded, whatever is read. */
export class StreamSource implements Source {
  readonly randomAccess = false;
  readonly #open: () => Stream;
  #stream: Stream | undefined;
  /** How much the stream has given. */
  #position = 0;
  #end: { readonly size: number; readonly how: StreamEnd } | undefined;
  #head = new Uint8Array(2 ** 18);
  #headBytes = 0;
  #recent: { readonly offset: number; readonly bytes: Uint8Array<ArrayBuffer> }[] = [];
  #recentBytes = 0;

  /** @param open begins the stream anew */
  constructor(open: () => Stream) {
    this.#open = open;
  }

  /** Known once the stream was read to its end. */
  get size(): number | null {
    return this.#end?.size ?? null;
  }

  /** How the stream ended, once it was read that far. */
  get end(): StreamEnd | undefined {
    return this.#end?.how;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const end = offset + length;
    if (end <= this.#headBytes) return this.#head.slice(offset, end);
    if (offset < this.#keptFrom()) await this.#restart();
    let bytes = new Uint8Array(Math.max(0, Math.min(end, this.#position) - offset));
    // A stream that begins again is not as far as the head that was kept of it.
    const known = Math.min(end, this.#headBytes, this.#position);
    if (offset < known) bytes.set(this.#head.subarray(offset, known));
    for (const piece of this.#recent) copyOverlap(bytes, offset, piece.bytes, piece.offset);
    // Pieces are taken as they come: what is kept of them may be less than what was asked for.
    const gathered: Uint8Array[] = [bytes];
    while (this.#position < end) {
      const before = this.#position;
      const piece = await this.#advance();
      if (piece === undefined) break;
      const from = Math.max(0, offset - before);
      const to = Math.min(piece.byteLength, end - before);
      if (from < to) gathered.push(piece.slice(from, to));
    }
    if (gathered.length > 1) bytes = concatenate(gathered);
    return bytes;
  }

  close(): void {
    // A decoder may hold memory that is not JavaScript's.
    void this.#stream?.return({ reason: "end", consumed: null });
    this.#recent = [];
    this.#head = new Uint8Array(0);
    this.#headBytes = 0;
    this.#stream = undefined;
  }

  /** The offset from which on everything up to the position is in memory. */
  #keptFrom(): number {
    const first = this.#recent[0];
    return first === undefined || first.offset <= this.#headBytes ? 0 : first.offset;
  }

  async #restart(): Promise<void> {
    await this.#stream?.return({ reason: "end", consumed: null });
    this.#stream = undefined;
    this.#position = 0;
    this.#recent = [];
    this.#recentBytes = 0;
  }

  /** Takes the next piece; `undefined` at the end. */
  async #advance(): Promise<Uint8Array | undefined> {
    if (this.#end !== undefined && this.#position >= this.#end.size) return undefined;
    this.#stream ??= this.#open();
    const next = await this.#stream.next();
    if (next.done) {
      this.#end = { size: this.#position, how: next.value };
      return undefined;
    }
    this.#keep(this.#position, next.value);
    this.#position += next.value.byteLength;
    return next.value;
  }

  #keep(offset: number, piece: Uint8Array): void {
    if (piece.byteLength === 0) return;
    if (offset === this.#headBytes && offset + piece.byteLength <= HEAD_BYTES) {
      this.#growHead(offset + piece.byteLength);
      this.#head.set(piece, offset);
      this.#headBytes = offset + piece.byteLength;
      return;
    }
    if (offset + piece.byteLength <= this.#headBytes) return;
    // What is given up makes room for what comes: new memory for all of a long stream takes longer than to decode it.
    let spare: Uint8Array<ArrayBuffer> | undefined;
    this.#recentBytes += piece.byteLength;
    while (
      this.#recent[0] !== undefined && this.#recentBytes - this.#recent[0].bytes.byteLength >= RECENT_BYTES
    ) {
      spare = this.#recent.shift()!.bytes;
      this.#recentBytes -= spare.byteLength;
    }
    const bytes = spare?.byteLength === piece.byteLength ? spare : new Uint8Array(piece.byteLength);
    bytes.set(piece);
    this.#recent.push({ offset, bytes });
  }

  #growHead(needed: number): void {
    if (needed <= this.#head.byteLength) return;
    const larger = new Uint8Array(Math.min(HEAD_BYTES, Math.max(needed, 2 * this.#head.byteLength)));
    larger.set(this.#head.subarray(0, this.#headBytes));
    this.#head = larger;
  }
}

function copyOverlap(to: Uint8Array, toOffset: number, from: Uint8Array, fromOffset: number): void {
  const start = Math.max(toOffset, fromOffset);
  const end = Math.min(toOffset + to.byteLength, fromOffset + from.byteLength);
  if (start < end) to.set(from.subarray(start - fromOffset, end - fromOffset), start - toOffset);
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}
