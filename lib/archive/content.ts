/**
 * What is stored for a file, cut into the parts of an upload: the file as it is, or as seekable zstd. A file gives the same parts
 * whenever it is read (by the same Deno), so that a later process can go on.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { compressFrame } from "../bytes/zstd/compress.ts";
import { encodeSeekTable, type FrameSize } from "../bytes/zstd/seek_table.ts";
import { cutParts, partBytes } from "./part_size.ts";

const FRAME_BYTES = 4 * 2 ** 20;
/** Whoever makes parts lets others have their turn in between: on one thread they are sent, too. */
const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** A local file that must stay as it is while it is shipped. */
export interface LocalFile {
  readonly sizeBytes: number;
  /** Bytes from an offset on; never fewer than asked for. */
  read(offset: number, sizeBytes: number): Uint8Array<ArrayBuffer>;
}

/** A part of what is stored. */
export interface ContentPart {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly isLast: boolean;
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
export function plainContent(file: LocalFile): Content {
  return {
    compression: "none",
    suffix: "",
    sizeBytes: file.sizeBytes,
    async *parts() {
      const sha256 = createHash("sha256");
      if (file.sizeBytes === 0) yield { bytes: new Uint8Array(0), isLast: true };
      for (const { start, sizeBytes } of cutParts(file.sizeBytes)) {
        const bytes = file.read(start, sizeBytes);
        sha256.update(bytes);
        yield { bytes, isLast: start + sizeBytes === file.sizeBytes };
        await turn();
      }
      return sha256.digest("hex");
    },
  };
}

/** A file as zstd frames with a seek table behind them; `undefined` where Deno cannot compress. */
export function seekableContent(file: LocalFile): Content | undefined {
  const compress = compressFrame;
  if (compress === undefined) return undefined;
  return {
    compression: "zstd",
    suffix: ".zst",
    sizeBytes: null,
    async *parts() {
      const sha256 = createHash("sha256");
      const frames: FrameSize[] = [];
      const gathered = new Gathered(partBytes(file.sizeBytes));
      for (let at = 0; at < file.sizeBytes; at += FRAME_BYTES) {
        const plain = file.read(at, Math.min(FRAME_BYTES, file.sizeBytes - at));
        sha256.update(plain);
        const frame = compress(plain);
        const checksum = new DataView(frame.buffer, frame.byteOffset).getUint32(frame.length - 4, true);
        frames.push({ compressed: frame.length, plain: plain.length, checksum });
        for (const bytes of gathered.add(frame)) yield { bytes, isLast: false };
        await turn();
      }
      for (const bytes of gathered.add(encodeSeekTable(frames))) yield { bytes, isLast: false };
      yield { bytes: gathered.rest(), isLast: true };
      return sha256.digest("hex");
    },
  };
}

/** Makes pieces of one size out of bytes that come in any; the last one is never empty. */
class Gathered {
  readonly #pieceBytes: number;
  #piece: Uint8Array<ArrayBuffer>;
  #filled = 0;

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
    this.#piece = new Uint8Array(pieceBytes);
  }

  *add(bytes: Uint8Array): Generator<Uint8Array<ArrayBuffer>> {
    for (let at = 0; at < bytes.length;) {
      if (this.#filled === this.#pieceBytes) {
        yield this.#piece;
        this.#piece = new Uint8Array(this.#pieceBytes);
        this.#filled = 0;
      }
      const fits = Math.min(bytes.length - at, this.#pieceBytes - this.#filled);
      this.#piece.set(bytes.subarray(at, at + fits), this.#filled);
      this.#filled += fits;
      at += fits;
    }
  }

  rest(): Uint8Array<ArrayBuffer> {
    return this.#piece.subarray(0, this.#filled);
  }
}
