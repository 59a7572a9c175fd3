/**
 * Compressed sections (SHF_COMPRESSED). Only reading one from its front tells what lies in it, so it is held in memory
 * (reference kernel-symbols.md, section 2.1).
 *
 * @module
 */

import { Inflater } from "../bytes/gzip/inflate.ts";
import { type ReadAt, readAtOf, type Source } from "../bytes/source.ts";
import { decompressZstd } from "../bytes/zstd/frame.ts";
import type { ElfHeader } from "../kerneldump/elf/elf_header.ts";
import type { SectionBytes } from "./elf_section.ts";

const METHOD_ZLIB = 1;
const METHOD_ZSTD = 2;

/** What one section may take of memory. */
const MAX_DECOMPRESSED_BYTES = 96 * 2 ** 20;
const PIECE_BYTES = 2 ** 17;

/** Decompresses a section: what is good of a damaged one, `null` if it is too large or of an unknown method. */
export async function decompressSection(
  stored: SectionBytes,
  header: ElfHeader,
): Promise<SectionBytes | null> {
  const little = header.byteOrder === "little";
  const headerBytes = header.class === 64 ? 24 : 12;
  const start = await stored.readAt(0, headerBytes);
  if (start.byteLength < headerBytes) return null;
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const size = header.class === 64 ? Number(view.getBigUint64(8, little)) : view.getUint32(4, little);
  if (size > MAX_DECOMPRESSED_BYTES) return null;
  const body: ReadAt = (offset, length) => stored.readAt(headerBytes + offset, length);
  const method = view.getUint32(0, little);
  if (method !== METHOD_ZLIB && method !== METHOD_ZSTD) return null;
  const pieces = method === METHOD_ZLIB ? inflateZlib(body) : zstdPieces(body);
  return bytesOf(await joinPieces(pieces, size));
}

/** Inflates a zlib stream (RFC 1950): the pieces up to its end or to damage. */
export async function* inflateZlib(body: ReadAt): AsyncGenerator<Uint8Array> {
  const [method = 0, flags = 0] = await body(0, 2);
  if ((method & 15) !== 8 || (method * 256 + flags) % 31 !== 0 || (flags & 0x20) !== 0) return;
  const inflater = new Inflater();
  let position = 2;
  for (;;) {
    const step = inflater.step();
    const output = inflater.take();
    if (output.byteLength > 0) yield output;
    if (step === "input") {
      const piece = await body(position, PIECE_BYTES);
      inflater.give(piece, piece.byteLength < PIECE_BYTES);
      position += piece.byteLength;
    } else if (step !== "output") {
      return;
    }
  }
}

/** Joins pieces to at most `size` bytes; memory grows with what there is, not with what was promised. */
export async function joinPieces(pieces: AsyncGenerator<Uint8Array>, size: number): Promise<Uint8Array> {
  let joined = new Uint8Array(Math.min(size, 4 * PIECE_BYTES));
  let length = 0;
  for await (const piece of pieces) {
    const used = piece.subarray(0, size - length);
    if (length + used.byteLength > joined.byteLength) {
      const larger = new Uint8Array(Math.min(size, 2 * (length + used.byteLength)));
      larger.set(joined.subarray(0, length));
      joined = larger;
    }
    joined.set(used, length);
    length += used.byteLength;
    if (length >= size) break;
  }
  return joined.subarray(0, length);
}

function bytesOf(bytes: Uint8Array): SectionBytes {
  return { size: bytes.byteLength, readAt: readAtOf(bytes) };
}

async function* zstdPieces(body: ReadAt): AsyncGenerator<Uint8Array> {
  const source: Source = { size: null, randomAccess: true, read: body, close: () => {} };
  yield* decompressZstd(source, { checksum: false });
}
