/**
 * A dump device whose header is of a version that is not known: its length stands where it always has, and where the
 * dump lies is told by the two copies of the header around it, which are equal byte for byte (reference
 * kernel-dump-formats.md, section 1.8).
 *
 * @module
 */

import { CLEARED_MESSAGE, SECTOR_SIZES } from "./device_image.ts";
import {
  decodeNewerHeader,
  hasKernelDumpMagic,
  KERNEL_DUMP_HEADER_SIZE,
  Magic,
  type NewerKernelDumpHeader,
} from "../files/header.ts";
import { type Problem, problem } from "../problem.ts";
import { type Extent, type ReadAt, roundUp } from "../../bytes/source.ts";
import { TEXTDUMP_BLOCK_SIZE } from "../textdump.ts";

/** A dump on a raw device, by a header of a version that is not known. */
export interface NewerDeviceImage {
  readonly header: NewerKernelDumpHeader;
  /** `null` if it would lie outside the device. */
  readonly data: Extent | null;
  /** Whether the blocks of the data stand in reverse order: textdumps. */
  readonly backwards: boolean;
  readonly problems: readonly Problem[];
}

interface FoundHeader {
  readonly header: NewerKernelDumpHeader;
  readonly bytes: Uint8Array;
  /** Where it stands. */
  readonly offset: number;
  readonly sectorSize: number;
}

const WINDOW_SIZE = 1024 * 1024;
const SECTOR_SIZE = SECTOR_SIZES[0];
const FIRST_BYTE = Magic.DUMP.charCodeAt(0);

/**
 * Tells whether a file ends in a kernel dump header of a version that is not known.
 *
 * @param end the last 4096 bytes of the device or file, or all of it if it is shorter
 */
export function hasNewerTrailingHeader(end: Uint8Array): boolean {
  return trailingHeader(end, end.byteLength) !== undefined;
}

/**
 * Reads where the dump on a raw device lies.
 *
 * @param size bytes of the device
 * @param limit bytes to search for the header before the dump
 * @returns `undefined` if there is no header of a newer version behind or before a dump
 */
export async function readNewerDeviceImage(
  readAt: ReadAt,
  size: number,
  limit: number,
): Promise<NewerDeviceImage | undefined> {
  const endSize = Math.min(size, SECTOR_SIZES[1]);
  const trailing = trailingHeader((await readAt(size - endSize, endSize)).slice(), size);
  const leading = await leadingHeader(readAt, trailing, Math.min(size, limit));
  const before = leading ?? trailing;
  if (before === undefined) return undefined;
  const { header } = before;
  const backwards = header.magic === Magic.TEXTDUMP;
  const behind = trailing ?? (leading === undefined ? undefined : await copyBehind(readAt, leading));
  const length = backwards ? roundUp(header.dumpLength, TEXTDUMP_BLOCK_SIZE) : header.dumpLength;
  // The extent of a compressed dump is longer than the dump, which begins where the extent does.
  const offset = leading === undefined || (backwards && behind !== undefined)
    ? behind!.offset - length
    : leading.offset + (behind?.sectorSize ?? leading.sectorSize);
  return {
    header,
    data: offset < 0 || offset + length > size ? null : { offset, size: header.dumpLength },
    backwards,
    problems: [
      ...(behind?.header.magic === Magic.CLEARED ? [problem("header-cleared", CLEARED_MESSAGE)] : []),
      ...(leading !== undefined && behind !== undefined ? [] : [oneCopy(before)]),
    ],
  };
}

function oneCopy({ offset, header }: FoundHeader): Problem {
  return problem(
    "version-newer",
    `The header at offset ${offset} is of version ${header.version}, which is not known, and has no equal on the other \
side of its dump: whether the dump is whole cannot be told`,
  );
}

function trailingHeader(end: Uint8Array, size: number): FoundHeader | undefined {
  for (const sectorSize of SECTOR_SIZES) {
    if (sectorSize > end.byteLength) break;
    const at = end.byteLength - sectorSize;
    const bytes = end.subarray(at, at + KERNEL_DUMP_HEADER_SIZE);
    const header = decodeNewerHeader(bytes);
    if (header !== undefined) return { header, bytes, offset: size - sectorSize, sectorSize };
  }
  return undefined;
}

/** The header before the dump: where the length says, or the first of its kind from the front. */
async function leadingHeader(
  readAt: ReadAt,
  trailing: FoundHeader | undefined,
  limit: number,
): Promise<FoundHeader | undefined> {
  if (trailing !== undefined) {
    const first = trailing.offset - trailing.header.dumpLength - trailing.sectorSize;
    const found = first < 0 ? undefined : await headerAt(readAt, first, trailing);
    if (found !== undefined) return found;
  }
  for (let offset = 0; offset < limit; offset += WINDOW_SIZE) {
    const window = await readAt(offset, Math.min(WINDOW_SIZE, limit - offset));
    for (let at = 0; at + KERNEL_DUMP_HEADER_SIZE <= window.byteLength; at += SECTOR_SIZE) {
      if (window[at] !== FIRST_BYTE || offset + at === trailing?.offset) continue;
      if (!hasKernelDumpMagic(window.subarray(at, at + KERNEL_DUMP_HEADER_SIZE))) continue;
      const found = await headerAt(readAt, offset + at, trailing);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

async function headerAt(
  readAt: ReadAt,
  offset: number,
  equal: FoundHeader | undefined,
): Promise<FoundHeader | undefined> {
  const block = (await readAt(offset, SECTOR_SIZES[1])).slice();
  const bytes = block.subarray(0, KERNEL_DUMP_HEADER_SIZE);
  const header = decodeNewerHeader(bytes);
  // savecore clears the header behind the dump only.
  if (header === undefined || header.magic === Magic.CLEARED) return undefined;
  if (equal !== undefined) {
    return areEqual(bytes, equal.bytes) ? { header, bytes, offset, sectorSize: equal.sectorSize } : undefined;
  }
  // The rest of a sector is zeros, as no dump begins.
  const large = block.byteLength === SECTOR_SIZES[1] &&
    block.every((byte, at) => at < bytes.length || byte === 0);
  return { header, bytes, offset, sectorSize: SECTOR_SIZES[large ? 1 : 0] };
}

/** The copy of a header right behind as many bytes as it tells: an image may go on there, as that of a disk does. */
async function copyBehind(readAt: ReadAt, leading: FoundHeader): Promise<FoundHeader | undefined> {
  const { header: { dumpLength }, sectorSize } = leading;
  for (const length of new Set([dumpLength, roundUp(dumpLength, sectorSize)])) {
    const offset = leading.offset + sectorSize + length;
    const bytes = await readAt(offset, KERNEL_DUMP_HEADER_SIZE);
    const header = decodeNewerHeader(bytes);
    if (header !== undefined && areEqual(leading.bytes, bytes)) return { ...leading, header, offset };
  }
  return undefined;
}

/** Clearing changes the magic alone. */
function areEqual(leading: Uint8Array, trailing: Uint8Array): boolean {
  if (trailing.byteLength < KERNEL_DUMP_HEADER_SIZE || !hasKernelDumpMagic(trailing)) return false;
  return leading.every((byte, at) => at < Magic.CLEARED.length + 1 || byte === trailing[at]);
}
