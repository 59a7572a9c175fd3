/**
 * The raw image of a dump device: a dump packed against the device's end between two copies of its header (reference
 * kernel-dump-formats.md, sections 1.8 and 1.9).
 *
 * @module
 */

import {
  decodeKernelDumpHeader,
  hasKernelDumpMagic,
  KERNEL_DUMP_HEADER_SIZE,
  type KernelDumpHeader,
  Magic,
} from "../files/header.ts";
import { type Problem, problem } from "../problem.ts";
import { type Extent, type ReadAt, readAtWithin, roundUp } from "../../bytes/source.ts";
import { hasUstarMagic, TEXTDUMP_BLOCK_SIZE } from "../textdump.ts";

/** Sector sizes of dump devices: the header stands at the start of the last sector. */
export const SECTOR_SIZES = [512, 4096] as const;

/** A dump on a raw device. */
export interface DeviceImage {
  readonly sectorSize: number;
  /** The header behind the dump; of a cleared one the copy before the dump, if that is still there. */
  readonly header: KernelDumpHeader;
  /** As savecore judges: both headers equal, or not; or it has saved the dump already. */
  readonly status: "good" | "bad" | "cleared";
  /** `null` if it would lie outside the device. */
  readonly data: Extent | null;
  /** Whether the blocks of the data stand in reverse order: textdumps. */
  readonly backwards: boolean;
  /** The key block of an encrypted dump. */
  readonly key: Extent | null;
  readonly problems: readonly Problem[];
}

/**
 * Finds the kernel dump header at the end of a device, for either sector size.
 *
 * @param end the last 4096 bytes of the device or file, or all of it if it is shorter
 */
export function findTrailingHeader(
  end: Uint8Array,
): { sectorSize: number; header: KernelDumpHeader } | undefined {
  const found = SECTOR_SIZES.flatMap((sectorSize) => {
    const header = tryDecodeHeader(end.subarray(end.byteLength - sectorSize));
    return sectorSize > end.byteLength || header === undefined ? [] : [{ sectorSize, header }];
  });
  return found.find(({ sectorSize, header }) => header.blockSize === sectorSize) ?? found[0];
}

/**
 * Reads where the parts of a dump on a raw device lie.
 *
 * @param size bytes of the device
 * @returns `undefined` if there is no kernel dump header at its end
 */
export async function readDeviceImage(readAt: ReadAt, size: number): Promise<DeviceImage | undefined> {
  const endSize = Math.min(size, SECTOR_SIZES[1]);
  const end = await readAt(size - endSize, endSize);
  const found = findTrailingHeader(end);
  if (found === undefined) return undefined;
  const { sectorSize, header } = found;
  const last = size - sectorSize;
  const extent = header.dumpExtent || header.dumpLength;
  const keySize = header.dumpKeySize ?? 0;
  const start = last - extent;
  const first = start - keySize - sectorSize;
  const trailing = end.subarray(end.byteLength - sectorSize).subarray(0, KERNEL_DUMP_HEADER_SIZE);
  const leading = first < 0 ? new Uint8Array(0) : await readAt(first, KERNEL_DUMP_HEADER_SIZE);
  const copies = compareCopies(header, trailing, leading);
  const fits = first >= 0 && header.dumpLength <= extent;
  const backwards = fits && await isBackwards(readAt, copies.header, last);
  return {
    sectorSize,
    header: copies.header,
    status: copies.status,
    data: fits
      ? { offset: backwards ? last - wholeBlocks(header.dumpLength) : start, size: header.dumpLength }
      : null,
    backwards,
    key: fits && keySize > 0 ? { offset: start - keySize, size: keySize } : null,
    problems: [
      ...checkHeader(copies.header, sectorSize),
      ...copies.problems,
      ...(fits ? [] : [problem("extent-outside-device", outsideMessage(header, extent, size))]),
    ],
  };
}

/** Reads the data of a dump on a device as a file of its own, front to back whichever way it stands. */
export function readAtOfDeviceData(readAt: ReadAt, data: Extent, backwards: boolean): ReadAt {
  if (!backwards) return readAtWithin(readAt, data);
  return async (offset, length) => {
    const end = Math.min(offset + length, data.size);
    if (offset >= end) return new Uint8Array(0);
    const firstBlock = Math.floor(offset / TEXTDUMP_BLOCK_SIZE);
    const blocks = Math.ceil(end / TEXTDUMP_BLOCK_SIZE) - firstBlock;
    const from = data.offset + wholeBlocks(data.size) - (firstBlock + blocks) * TEXTDUMP_BLOCK_SIZE;
    const turned = reverseBlocks(await readAt(from, blocks * TEXTDUMP_BLOCK_SIZE));
    const skip = offset - firstBlock * TEXTDUMP_BLOCK_SIZE;
    return turned.subarray(skip, skip + end - offset);
  };
}

/** A minidump with its header behind it: what the live-dump ioctl writes (section 1.9). */
export interface LiveDump {
  readonly header: KernelDumpHeader;
  readonly data: Extent;
  readonly problems: readonly Problem[];
}

/**
 * Reads the header in the last 512 bytes of a file that begins with its dump.
 *
 * @param size bytes of the file
 * @returns `undefined` if there is none
 */
export async function readLiveDump(readAt: ReadAt, size: number): Promise<LiveDump | undefined> {
  const last = size - KERNEL_DUMP_HEADER_SIZE;
  if (last < 0) return undefined;
  const header = tryDecodeHeader(await readAt(last, KERNEL_DUMP_HEADER_SIZE));
  if (header === undefined) return undefined;
  const fits = header.dumpLength <= last;
  return {
    header,
    data: { offset: 0, size: Math.min(header.dumpLength, last) },
    problems: [
      ...checkParity(header),
      ...(fits ? [] : [problem("extent-outside-device", outsideMessage(header, header.dumpLength, size))]),
    ],
  };
}

/** What a cleared header means. */
export const CLEARED_MESSAGE =
  "savecore has saved this dump and cleared its header; the data may have been overwritten since";

/** What the two headers around a dump say together. */
export interface Copies {
  readonly header: KernelDumpHeader;
  readonly status: DeviceImage["status"];
  readonly problems: readonly Problem[];
}

/** Compares the headers behind and before a dump, as savecore does. */
export function compareCopies(header: KernelDumpHeader, trailing: Uint8Array, leading: Uint8Array): Copies {
  const before = tryDecodeHeader(leading);
  const cleared = readMagic(trailing) === Magic.CLEARED;
  const problems: Problem[] = [];
  if (cleared) problems.push(problem("header-cleared", CLEARED_MESSAGE));
  // Clearing changes the magic of the header behind the dump only.
  const from = cleared ? Magic.CLEARED.length + 1 : 0;
  const equal = before !== undefined && trailing.every((byte, i) => i < from || byte === leading[i]);
  if (before === undefined) {
    const message =
      "There is no kernel dump header before the dump on the device: it was overwritten in part";
    problems.push(problem("header-leading-missing", message));
  } else if (!equal) {
    const message =
      "The headers before and after the dump on the device differ: it was not written to its end";
    problems.push(problem("header-copies-differ", message));
  }
  const status = cleared ? "cleared" : equal ? "good" : "bad";
  return { header: cleared && equal ? before : header, status, problems };
}

function checkHeader(header: KernelDumpHeader, sectorSize: number): Problem[] {
  if (header.blockSize === sectorSize) return checkParity(header);
  const message =
    `The header's block size is ${header.blockSize}, but it was found as on sectors of ${sectorSize} bytes`;
  return [...checkParity(header), problem("header-block-size", message)];
}

/** savecore clears a header without computing its parity anew. */
function checkParity(header: KernelDumpHeader): Problem[] {
  if (header.parityOk || header.magic === Magic.CLEARED) return [];
  return [problem("header-parity", "The kernel dump header's parity is wrong: its fields may be damaged")];
}

/** A cleared header no longer says that it was a textdump's, but its first block, the last on the device, does. */
async function isBackwards(readAt: ReadAt, header: KernelDumpHeader, last: number): Promise<boolean> {
  if (header.magic === Magic.TEXTDUMP) return true;
  if (header.magic !== Magic.CLEARED) return false;
  return hasUstarMagic(await readAt(last - TEXTDUMP_BLOCK_SIZE, TEXTDUMP_BLOCK_SIZE));
}

function outsideMessage(header: KernelDumpHeader, extent: number, size: number): string {
  return `The dump of ${header.dumpLength} bytes in an extent of ${extent} does not fit in the ${size} bytes there are`;
}

function readMagic(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes.subarray(0, Magic.CLEARED.length));
}

/** Decodes a kernel dump header where there may be none. */
export function tryDecodeHeader(bytes: Uint8Array): KernelDumpHeader | undefined {
  if (bytes.byteLength < KERNEL_DUMP_HEADER_SIZE || !hasKernelDumpMagic(bytes)) return undefined;
  try {
    return decodeKernelDumpHeader(bytes);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function wholeBlocks(size: number): number {
  return roundUp(size, TEXTDUMP_BLOCK_SIZE);
}

function reverseBlocks(bytes: Uint8Array): Uint8Array {
  const turned = new Uint8Array(bytes.byteLength);
  for (let at = 0; at + TEXTDUMP_BLOCK_SIZE <= bytes.byteLength; at += TEXTDUMP_BLOCK_SIZE) {
    turned.set(bytes.subarray(at, at + TEXTDUMP_BLOCK_SIZE), bytes.byteLength - at - TEXTDUMP_BLOCK_SIZE);
  }
  return turned;
}
