/**
 * A compressed stream gives about as much as it takes, or more. One that goes on taking and gives nothing, as millions of
 * empty members, frames or blocks do, was made to keep its readers busy: that much of it is read, and no more.
 *
 * @module
 */

import type { Source } from "./source.ts";
import type { StreamEnd } from "./stream_end.ts";

/** Bytes that a stream may take and give nothing for. */
const FREE_BYTES = 4 * 2 ** 20;
/** Of what it gave, the share that it may take besides: compressors add far less to what they cannot compress. */
const FREE_SHARE = 1 / 8;

/** The stream took too much for what it gave. */
class BarrenStreamError extends Error {
  override readonly name = "BarrenStreamError";
}

/** What is compressed, and how it pays. */
export class MeteredSource implements Source {
  readonly #source: Source;
  #given = 0;
  #left = 0;

  constructor(source: Source) {
    this.#source = source;
  }

  get size(): number | null {
    return this.#source.size;
  }

  get randomAccess(): boolean {
    return this.#source.randomAccess;
  }

  /** Takes note of bytes that came out. */
  gave(bytes: number): void {
    this.#given += bytes;
  }

  /** Takes note of bytes that need no decoding: they are passed over, however many. */
  leftOut(bytes: number): void {
    this.#left += bytes;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset - this.#left > FREE_BYTES + this.#given * (1 + FREE_SHARE)) throw new BarrenStreamError();
    return await this.#source.read(offset, length);
  }

  close(): void {}
}

/** Decodes a source by its meter: where the stream does not pay, it ends as one that is not supported. */
export async function* decodeMetered(
  source: Source,
  decode: (input: MeteredSource) => AsyncGenerator<Uint8Array, StreamEnd>,
): AsyncGenerator<Uint8Array, StreamEnd> {
  const input = new MeteredSource(source);
  const stream = decode(input);
  try {
    for (;;) {
      const next = await stream.next();
      if (next.done) return next.value;
      input.gave(next.value.byteLength);
      yield next.value;
    }
  } catch (error) {
    if (!(error instanceof BarrenStreamError)) throw error;
    return {
      reason: "unsupported",
      consumed: null,
      detail: "it takes ever more bytes and gives next to none",
    };
  } finally {
    await stream.return({ reason: "end", consumed: null });
  }
}
