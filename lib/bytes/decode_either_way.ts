/**
 * Two decoders for one stream: the native one as long as it goes well, ours for the verdict.
 *
 * @module
 */

import { NativeDecoderError } from "./native_decoder.ts";

/** What went otherwise than the native decoder alone would have it. */
export interface Refusal {
  /** Called before our decoder begins. */
  refused(): void;
  /** Called when ours ended before all that was given: so many of the last bytes are not good. */
  surplus(bytes: number): void;
}

/**
 * Gives what `native` does; where that refuses the stream, `own` begins it anew, and gives what lies behind what was
 * given. So the end is that of our decoder in any case, and so are the bytes, but for a surplus. While it passes over what
 * was given, pieces are empty: whoever takes them can see to other things.
 */
export async function* decodeEitherWay<End>(
  native: AsyncGenerator<Uint8Array, End>,
  own: () => AsyncGenerator<Uint8Array, End>,
  refusal: Refusal,
): AsyncGenerator<Uint8Array, End> {
  let given = 0;
  try {
    for (;;) {
      const next = await native.next();
      if (next.done) return next.value;
      given += next.value.byteLength;
      yield next.value;
    }
  } catch (error) {
    if (!(error instanceof NativeDecoderError)) throw error;
  }
  refusal.refused();
  const stream = own();
  try {
    for (;;) {
      const next = await stream.next();
      if (next.done) return next.value;
      const known = Math.min(given, next.value.byteLength);
      given -= known;
      yield next.value.subarray(known);
    }
  } finally {
    if (given > 0) refusal.surplus(given);
  }
}
