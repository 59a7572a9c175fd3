/**
 * The plain bytes of a seekable zstd file, read by offset: only the frames are decompressed that are asked for.
 *
 * @module
 */
import { countUpTo } from "../sorted.ts";
import type { Source } from "../source.ts";
import { decompressZstd } from "./frame.ts";
import { type FrameStarts, readSeekTable } from "./seek_table.ts";

/** Plain bytes that are kept. */
const KEPT_BYTES = 32 * 2 ** 20;
const NOTHING = new Uint8Array(0);

/** Frames that are read one by one. A damaged one ends what can be read in one go, and is noted. */
export class SeekableZstdSource implements Source {
  readonly randomAccess = true;
  readonly size: number;
  readonly #file: Source;
  readonly #starts: FrameStarts;
  /** By number, the least recently used first. */
  readonly #frames = new Map<number, Promise<Uint8Array>>();
  readonly #mostFrames: number;
  /** Where the first damaged frame begins, of those that were read; `null` if all were good. */
  damagedAt: number | null = null;

  private constructor(file: Source, starts: FrameStarts) {
    this.#file = file;
    this.#starts = starts;
    this.size = starts.plain.at(-1)!;
    let longest = 1;
    for (let i = 1; i < starts.plain.length; i++) {
      longest = Math.max(longest, starts.plain[i]! - starts.plain[i - 1]!);
    }
    this.#mostFrames = Math.max(2, Math.floor(KEPT_BYTES / longest));
  }

  /**
   * Opens a file that has a seek table; `undefined` if it has none.
   *
   * @param file not owned
   */
  static async open(file: Source): Promise<SeekableZstdSource | undefined> {
    const starts = file.randomAccess ? await readSeekTable(file) : undefined;
    return starts === undefined ? undefined : new SeekableZstdSource(file, starts);
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const end = Math.min(this.size, offset + length);
    if (offset >= end) return new Uint8Array(0);
    const bytes = new Uint8Array(end - offset);
    const { plain } = this.#starts;
    for (let at = offset, number = this.#frameAt(offset); at < end; number++) {
      const [from, to] = [plain[number]!, plain[number + 1]!];
      const frame = await this.#frame(number);
      if (frame.length < to - from) {
        this.damagedAt = Math.min(from, this.damagedAt ?? Infinity);
        return bytes.slice(0, at - offset);
      }
      const stop = Math.min(end, to);
      bytes.set(frame.subarray(at - from, stop - from), at - offset);
      at = stop;
    }
    return bytes;
  }

  close(): void {
    this.#frames.clear();
  }

  /** Number of the frame that a plain byte is in: the last one that begins there or before. */
  #frameAt(offset: number): number {
    const { plain } = this.#starts;
    return countUpTo(plain.length - 1, (i) => plain[i]! <= offset) - 1;
  }

  #frame(number: number): Promise<Uint8Array> {
    const frame = this.#frames.get(number) ?? this.#decompress(number);
    this.#frames.delete(number);
    this.#frames.set(number, frame);
    if (this.#frames.size > this.#mostFrames) this.#frames.delete(this.#frames.keys().next().value!);
    // What could not be read may be read another time.
    frame.catch(() => this.#frames.delete(number));
    return frame;
  }

  /** A frame's plain bytes; none, if it is damaged or the table lies. */
  async #decompress(number: number): Promise<Uint8Array> {
    const { compressed, plain } = this.#starts;
    const start = compressed[number]!;
    const input = await this.#file.read(start, compressed[number + 1]! - start);
    const bytes = new Uint8Array(plain[number + 1]! - plain[number]!);
    let filled = 0;
    const stream = decompressZstd(sourceOf(input), { checksum: true });
    for (;;) {
      const next = await stream.next();
      if (next.done) return next.value.reason === "end" && filled === bytes.length ? bytes : NOTHING;
      if (filled + next.value.length > bytes.length) {
        await stream.return({ reason: "end", consumed: null });
        return NOTHING;
      }
      bytes.set(next.value, filled);
      filled += next.value.length;
    }
  }
}

function sourceOf(bytes: Uint8Array): Source {
  return {
    size: bytes.length,
    randomAccess: true,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
    close: () => {},
  };
}
