/**
 * What is stored for a file, cut into the parts of an upload: the file as it is, or as seekable zstd. A file gives the same parts
 * whenever it is read (by the same Deno), so that a later process can go on.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { canCompress, FrameCompressor } from "../bytes/zstd/compress.ts";
import { encodeSeekTable, type FrameSize } from "../bytes/zstd/seek_table.ts";
import { cutParts, partBytes } from "./part_size.ts";
import { takeTurn } from "./turn.ts";

const FRAME_BYTES = 4 * 2 ** 20;
/** So much is read or hashed in one go. */
const SLICE_BYTES = 2 ** 20;

/** A local file that must stay as it is while it is shipped. */
export interface LocalFile {
  readonly sizeBytes: number;
  /** Fills bytes with what stands at an offset. */
  read(offset: number, into: Uint8Array): void;
}

/** A part of what is stored. */
export interface ContentPart {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly isLast: boolean;
  /** To be called when the bytes are no longer needed, once or more often: they are the memory of parts to come. */
  release(): void;
}

/** Memory of a few parts, which is used again: garbage of their size would pile up faster than it is collected. */
export class PartBuffers {
  readonly #most: number;
  #sizeBytes = 0;
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param most parts that there is memory for */
  constructor(most: number) {
    this.#most = most;
  }

  /** Memory for a part of some size, with anything in it, as soon as there is some; and what gives it back. */
  async take(sizeBytes: number): Promise<{ readonly buffer: Uint8Array<ArrayBuffer>; release(): void }> {
    while (this.#taken >= this.#most) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#taken++;
    if (this.#sizeBytes !== sizeBytes) this.#free.length = 0;
    this.#sizeBytes = sizeBytes;
    const buffer = this.#free.pop() ?? new Uint8Array(sizeBytes);
    let isTaken = true;
    return {
      buffer,
      release: () => {
        if (!isTaken) return;
        isTaken = false;
        this.#taken--;
        if (this.#sizeBytes === sizeBytes) this.#free.push(buffer);
        this.#waiting.shift()?.();
      },
    };
  }
}

/** How a file is stored. */
export interface Content {
  readonly compression: "none" | "zstd";
  /** Ends the key. */
  readonly suffix: "" | ".zst";
  /** Size of what is stored, where that is known before. */
  readonly sizeBytes: number | null;
  /** Its parts, at least one; returns the SHA-256 of the file itself. */
  parts(): AsyncGenerator<ContentPart, string>;
}

/** A file as it is. */
export function plainContent(file: LocalFile, buffers: PartBuffers): Content {
  return {
    compression: "none",
    suffix: "",
    sizeBytes: file.sizeBytes,
    async *parts() {
      const sha256 = createHash("sha256");
      const mostBytes = partBytes(file.sizeBytes);
      const parts = file.sizeBytes === 0 ? [{ start: 0, sizeBytes: 0 }] : cutParts(file.sizeBytes);
      for (const { start, sizeBytes } of parts) {
        const { buffer, release } = await buffers.take(mostBytes);
        const bytes = buffer.subarray(0, sizeBytes);
        try {
          await readHashed(file, start, bytes, sha256);
        } catch (error) {
          release();
          throw error;
        }
        yield { bytes, isLast: start + sizeBytes === file.sizeBytes, release };
      }
      return sha256.digest("hex");
    },
  };
}

/** A file as zstd frames with a seek table behind them; `undefined` where Deno cannot compress. */
export function seekableContent(file: LocalFile, buffers: PartBuffers): Content | undefined {
  if (!canCompress) return undefined;
  return {
    compression: "zstd",
    suffix: ".zst",
    sizeBytes: null,
    async *parts() {
      const sha256 = createHash("sha256");
      const frames: FrameSize[] = [];
      const gathered = new Gathered(partBytes(file.sizeBytes), buffers);
      const memory = new Uint8Array(Math.min(FRAME_BYTES, file.sizeBytes));
      const compressor = new FrameCompressor(memory.length);
      try {
        for (let at = 0; at < file.sizeBytes; at += FRAME_BYTES) {
          const plain = memory.subarray(0, Math.min(FRAME_BYTES, file.sizeBytes - at));
          await readHashed(file, at, plain, sha256);
          const frame = compressor.compress(plain);
          const checksum = new DataView(frame.buffer, frame.byteOffset).getUint32(frame.length - 4, true);
          frames.push({ compressed: frame.length, plain: plain.length, checksum });
          yield* gathered.add(frame);
          await takeTurn();
        }
        yield* gathered.add(encodeSeekTable(frames));
        yield gathered.last();
        return sha256.digest("hex");
      } finally {
        compressor.close();
        gathered.close();
      }
    },
  };
}

/** Reads and hashes in turns: on this thread parts are sent, too. */
async function readHashed(file: LocalFile, offset: number, into: Uint8Array, sha256: Hash): Promise<void> {
  for (let at = 0; at < into.length; at += SLICE_BYTES) {
    const slice = into.subarray(at, at + SLICE_BYTES);
    file.read(offset + at, slice);
    sha256.update(slice);
    await takeTurn();
  }
}

/** Makes parts of one size out of bytes that come in any; the last one is never empty. */
class Gathered {
  readonly #sizeBytes: number;
  readonly #buffers: PartBuffers;
  #part: Awaited<ReturnType<PartBuffers["take"]>> | undefined;
  #filled = 0;

  constructor(sizeBytes: number, buffers: PartBuffers) {
    this.#sizeBytes = sizeBytes;
    this.#buffers = buffers;
  }

  async *add(bytes: Uint8Array): AsyncGenerator<ContentPart> {
    for (let at = 0; at < bytes.length;) {
      if (this.#part !== undefined && this.#filled === this.#sizeBytes) yield this.#give(false);
      this.#part ??= await this.#buffers.take(this.#sizeBytes);
      const fits = Math.min(bytes.length - at, this.#sizeBytes - this.#filled);
      this.#part.buffer.set(bytes.subarray(at, at + fits), this.#filled);
      this.#filled += fits;
      at += fits;
    }
  }

  /** What was gathered last: something was. */
  last(): ContentPart {
    return this.#give(true);
  }

  /** Gives back what was not given out. */
  close(): void {
    this.#part?.release();
    this.#part = undefined;
  }

  #give(isLast: boolean): ContentPart {
    const { buffer, release } = this.#part!;
    const bytes = buffer.subarray(0, this.#filled);
    this.#part = undefined;
    this.#filled = 0;
    return { bytes, isLast, release };
  }
}
