/**
 * Writes a dump without its encryption, as savecore would have saved it in the clear.
 *
 * @module
 */

import type { HeaderFacts } from "./findings.ts";
import { breathe, type OnProgress } from "./judge/read_through.ts";
import type { Source } from "../bytes/source.ts";

const PIECE_BYTES = 2 ** 20;
/** The kernel pads encrypted and compressed dumps to whole blocks; netdump's are the largest. */
const MAX_PADDING = 4095;

/** The dump could not be read to its end, which is no fault of the file that is written. */
export class SourceReadError extends Error {
  override readonly name = "SourceReadError";
}

/** Where the dump ends: the header's length cuts off padding, and nothing more than padding. */
export function endOfDump(source: Source, header: HeaderFacts | null): number {
  const length = header?.dumpLength ?? null;
  const { size } = source;
  const cuts = length !== null && (size === null || (size >= length && size - length <= MAX_PADDING));
  return cuts ? length : Infinity;
}

/**
 * Writes the bytes of a source up to `end` to a file that must not exist yet, mode 0600. If it fails the file is
 * removed again.
 *
 * @param watch told in the same turn of the event loop in which the file comes to be there
 * @returns bytes written
 * @throws {SourceReadError} if the source cannot be read
 * @throws {Error} of the file system
 */
export async function writeDump(
  source: Source,
  end: number,
  path: string,
  watch: { readonly onCreated: () => void; readonly onProgress: OnProgress },
): Promise<number> {
  const file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  watch.onCreated();
  let offset = 0;
  try {
    for (;;) {
      const piece = await source.read(offset, Math.min(PIECE_BYTES, end - offset)).catch((cause) => {
        throw new SourceReadError(`behind its first ${offset} bytes`, { cause });
      });
      for (let at = 0; at < piece.byteLength;) at += await file.write(piece.subarray(at));
      offset += piece.byteLength;
      watch.onProgress(offset, source.size === null ? null : Math.min(end, source.size));
      await breathe();
      if (piece.byteLength < PIECE_BYTES) break;
    }
    await file.sync();
  } catch (error) {
    file.close();
    Deno.removeSync(path);
    throw error;
  }
  file.close();
  return offset;
}
