/**
 * The output of a zstd frame, of which the last part, the window, can be copied again (RFC 8878, section 3.1.1.1.2).
 *
 * @module
 */

import { ensure } from "./corrupt.ts";
import type { FrameMemory } from "./frame_memory.ts";

/** Bytes kept beside the window, so that the window is moved to the front only now and then. */
const SLACK = 2 ** 20;
/** Copies up to this length are faster in a loop than in a call. */
const SHORT_COPY = 32;

/** Collects output block by block; its memory is the window and a constant, and grows only as output comes. */
export class OutputWindow {
  readonly #windowBytes: number;
  readonly #blockLimit: number;
  readonly #memory: FrameMemory;
  #buffer: Uint8Array<ArrayBuffer>;
  /** Where what was not taken yet begins, where the block at hand does, and where that is. */
  #pieceStart = 0;
  #blockStart = 0;
  #end = 0;

  /**
   * @param blockLimit the most output of one block
   * @param memory of earlier frames; what they left there cannot be reached
   */
  constructor(windowBytes: number, blockLimit: number, memory: FrameMemory) {
    this.#windowBytes = windowBytes;
    this.#blockLimit = blockLimit;
    this.#memory = memory;
    const least = Math.min(SLACK, windowBytes) + 2 * blockLimit;
    if (memory.output.byteLength < least) memory.output = new Uint8Array(least);
    this.#buffer = memory.output;
  }

  /** Whether there is no room for another block where the output lies: it is moved then. */
  get isFull(): boolean {
    return this.#end + this.#blockLimit > this.#buffer.byteLength;
  }

  /** Bytes of whole blocks that were not taken yet. */
  get readyBytes(): number {
    return this.#blockStart - this.#pieceStart;
  }

  /** Makes room for another block. If it is full, what is ready must have been taken. */
  beginBlock(): void {
    if (this.isFull) {
      const full = this.#windowBytes + SLACK + this.#blockLimit;
      if (this.#buffer.byteLength < full) {
        const larger = new Uint8Array(Math.min(full, 2 * this.#buffer.byteLength));
        larger.set(this.#buffer.subarray(0, this.#end));
        this.#buffer = this.#memory.output = larger;
      } else {
        this.#buffer.copyWithin(0, this.#end - this.#windowBytes, this.#end);
        this.#end = this.#windowBytes;
      }
      this.#pieceStart = this.#blockStart = this.#end;
    }
  }

  /** The block is whole. */
  endBlock(): void {
    this.#blockStart = this.#end;
  }

  /** Takes what is ready; good until the next {@linkcode beginBlock}. */
  takePiece(): Uint8Array {
    const piece = this.#buffer.subarray(this.#pieceStart, this.#blockStart);
    this.#pieceStart = this.#blockStart;
    return piece;
  }

  /** Adds bytes. */
  append(bytes: Uint8Array, from: number, to: number): void {
    this.#reserve(to - from);
    const buffer = this.#buffer;
    let end = this.#end;
    if (to - from > SHORT_COPY) {
      buffer.set(bytes.subarray(from, to), end);
      end += to - from;
    } else {
      for (let i = from; i < to; i++) buffer[end++] = bytes[i]!;
    }
    this.#end = end;
  }

  /** Adds `count` times the same byte. */
  fill(byte: number, count: number): void {
    this.#reserve(count);
    this.#buffer.fill(byte, this.#end, this.#end + count);
    this.#end += count;
  }

  /** Adds `length` bytes that begin `offset` bytes back; they may overlap with what is added. */
  repeat(offset: number, length: number): void {
    this.#reserve(length);
    const buffer = this.#buffer;
    const end = this.#end;
    ensure(offset <= end && offset <= this.#windowBytes, "a sequence reaches back too far");
    if (length > SHORT_COPY) {
      // Where the copy overlaps with itself, each round can take twice as much.
      for (let done = 0; done < length;) {
        const part = Math.min(length - done, offset + done);
        buffer.copyWithin(end + done, end - offset, end - offset + part);
        done += part;
      }
    } else {
      for (let at = end; at < end + length; at++) buffer[at] = buffer[at - offset]!;
    }
    this.#end = end + length;
  }

  #reserve(count: number): void {
    ensure(this.#end + count <= this.#blockStart + this.#blockLimit, "a block gives more than it may");
  }
}
