/**
 * The table behind the frames of a seekable zstd file, which says how long each of them is (reference
 * kernel-dump-formats.md, section 8): a frame to skip for whoever reads from the front, such as `zstd -d`.
 *
 * @module
 */
import { MAX_READ_BYTES, readSpan, type Source } from "../source.ts";

const SKIPPABLE_MAGIC = 0x184d2a5e;
const TABLE_MAGIC = 0x8f92eab1;
const HEAD_BYTES = 8;
/** Number of frames, a descriptor, the magic: the last bytes of the file. */
const FOOTER_BYTES = 9;
const CHECKSUM_FLAG = 0x80;
/** Bits of the descriptor that must be 0. */
const RESERVED = 0x7c;
/** Sixteen terabytes in frames of four mebibytes; the table of so many takes 48 MiB. */
const MAX_FRAMES = 2 ** 22;

/** How long a frame is, in bytes. */
export interface FrameSize {
  readonly compressed: number;
  readonly plain: number;
  /** The lower half of the plain bytes' XXH64, as a frame with a checksum has it in its last four bytes. */
  readonly checksum: number;
}

/** Encodes the table of frames with checksums. */
export function encodeSeekTable(frames: readonly FrameSize[]): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array(HEAD_BYTES + 12 * frames.length + FOOTER_BYTES);
  const view = new DataView(table.buffer);
  view.setUint32(0, SKIPPABLE_MAGIC, true);
  view.setUint32(4, table.length - HEAD_BYTES, true);
  let at = HEAD_BYTES;
  for (const { compressed, plain, checksum } of frames) {
    view.setUint32(at, compressed, true);
    view.setUint32(at + 4, plain, true);
    view.setUint32(at + 8, checksum, true);
    at += 12;
  }
  view.setUint32(at, frames.length, true);
  view.setUint8(at + 4, CHECKSUM_FLAG);
  view.setUint32(at + 5, TABLE_MAGIC, true);
  return table;
}

/** Where frames begin, compressed and plain; the last of each is where the last frame ends. */
export interface FrameStarts {
  readonly compressed: Float64Array;
  readonly plain: Float64Array;
}

/**
 * Reads the table of a file. Frames that are too long to be read at once make it useless.
 *
 * @returns `undefined` if there is none, or none that can be right
 */
export async function readSeekTable(file: Source): Promise<FrameStarts | undefined> {
  const { size } = file;
  if (size === null || size < HEAD_BYTES + FOOTER_BYTES) return undefined;
  const footer = viewOf(await file.read(size - FOOTER_BYTES, FOOTER_BYTES));
  if (footer.byteLength < FOOTER_BYTES || footer.getUint32(5, true) !== TABLE_MAGIC) return undefined;
  const count = footer.getUint32(0, true);
  const descriptor = footer.getUint8(4);
  const entryBytes = (descriptor & CHECKSUM_FLAG) === 0 ? 8 : 12;
  const contentBytes = count * entryBytes + FOOTER_BYTES;
  const tableAt = size - HEAD_BYTES - contentBytes;
  if (count > MAX_FRAMES || (descriptor & RESERVED) !== 0 || tableAt < 0) return undefined;
  const table = viewOf(await readSpan(file.read.bind(file), tableAt, HEAD_BYTES + count * entryBytes));
  if (table.byteLength < HEAD_BYTES + count * entryBytes) return undefined;
  if (table.getUint32(0, true) !== SKIPPABLE_MAGIC || table.getUint32(4, true) !== contentBytes) {
    return undefined;
  }
  const compressed = new Float64Array(count + 1);
  const plain = new Float64Array(count + 1);
  for (let frame = 0; frame < count; frame++) {
    const at = HEAD_BYTES + frame * entryBytes;
    const [compressedBytes, plainBytes] = [table.getUint32(at, true), table.getUint32(at + 4, true)];
    if (compressedBytes > MAX_READ_BYTES || plainBytes > MAX_READ_BYTES) return undefined;
    compressed[frame + 1] = compressed[frame]! + compressedBytes;
    plain[frame + 1] = plain[frame]! + plainBytes;
  }
  return compressed[count] === tableAt ? { compressed, plain } : undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
