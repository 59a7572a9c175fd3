/**
 * Searches a dump device whose last sector holds no header, for the one that the kernel wrote before the dump: the
 * dump was interrupted, or the image was cut (reference kernel-dump-formats.md, section 1.8).
 *
 * @module
 */

import { compareCopies, type DeviceImage, SECTOR_SIZES, tryDecodeHeader } from "./device_image.ts";
import { type NewerDeviceImage, readNewerDeviceImage } from "./newer_device.ts";
import {
  hasKernelDumpMagic,
  KERNEL_DUMP_HEADER_SIZE,
  type KernelDumpHeader,
  Magic,
} from "../files/header.ts";
import { problem } from "../problem.ts";
import { type ReadAt, roundUp } from "../../bytes/source.ts";

/** A device without a header in its last sector is searched this far for the one before its dump, in bytes. */
export const SEARCH_LIMIT = 256 * 2 ** 20;

/**
 * Searches a device for a dump by the header before it, of any version.
 *
 * @param size bytes of the device
 * @param limit bytes to search at most
 */
export async function searchDevice(
  readAt: ReadAt,
  size: number,
  limit = SEARCH_LIMIT,
): Promise<DeviceImage | NewerDeviceImage | undefined> {
  return await searchDeviceImage(readAt, size, limit) ?? await readNewerDeviceImage(readAt, size, limit);
}

const WINDOW_SIZE = 1024 * 1024;
const SECTOR_SIZE = SECTOR_SIZES[0];
/** Of the magics that a leading header can have: looked at first, since nearly all sectors have another. */
const FIRST_BYTE = Magic.DUMP.charCodeAt(0);

/**
 * Searches from the front for a leading header. The first counts: what looks like one behind it may be the kernel's
 * own copy, in the memory that was dumped.
 *
 * @param size bytes of the device
 * @param limit bytes to search at most
 */
export async function searchDeviceImage(
  readAt: ReadAt,
  size: number,
  limit: number,
): Promise<DeviceImage | undefined> {
  for (let offset = 0; offset < Math.min(size, limit); offset += WINDOW_SIZE) {
    const window = await readAt(offset, WINDOW_SIZE);
    for (let at = 0; at + KERNEL_DUMP_HEADER_SIZE <= window.byteLength; at += SECTOR_SIZE) {
      const sector = window.subarray(at, at + KERNEL_DUMP_HEADER_SIZE);
      if (sector[0] !== FIRST_BYTE || !hasKernelDumpMagic(sector)) continue;
      const header = tryDecodeHeader(sector);
      if (header !== undefined && isLeading(header)) return await layOut(readAt, header, offset + at, size);
    }
  }
  return undefined;
}

/** A header that survived to the last bit, of a device: savecore never clears the leading one. */
function isLeading(header: KernelDumpHeader): boolean {
  return header.parityOk && header.magic !== Magic.CLEARED &&
    (SECTOR_SIZES as readonly number[]).includes(header.blockSize);
}

async function layOut(
  readAt: ReadAt,
  header: KernelDumpHeader,
  offset: number,
  size: number,
): Promise<DeviceImage> {
  const keyOffset = offset + header.blockSize;
  const keySize = header.dumpKeySize ?? 0;
  const dataOffset = keyOffset + keySize;
  // Turning blocks round needs all of them.
  const backwards = header.magic === Magic.TEXTDUMP;
  const available = Math.max(0, Math.min(header.dumpLength, size - dataOffset));
  const fits = available > 0 && !(backwards && available < header.dumpLength);
  const leading = await readAt(offset, KERNEL_DUMP_HEADER_SIZE);
  const behind = fits ? await compareBehind(readAt, leading.slice(), header, dataOffset) : undefined;
  const missing = problem(
    "header-trailing-missing",
    `There is a kernel dump header at offset ${offset}, but none behind its dump: ` +
      "the dump was interrupted, or the image was cut",
  );
  return {
    sectorSize: header.blockSize,
    header,
    status: behind?.status ?? "bad",
    data: fits ? { offset: dataOffset, size: available } : null,
    backwards,
    key: keySize > 0 && fits ? { offset: keyOffset, size: keySize } : null,
    problems: behind?.problems ?? [missing],
  };
}

/**
 * Compares a leading header with what stands right behind its dump's extent: an image may go on behind it, as a disk
 * with the dump device in it does.
 *
 * @returns `undefined` if no header stands there
 */
async function compareBehind(
  readAt: ReadAt,
  leading: Uint8Array,
  header: KernelDumpHeader,
  dataOffset: number,
): Promise<Pick<DeviceImage, "status" | "problems"> | undefined> {
  const extent = header.dumpExtent || header.dumpLength;
  for (const end of new Set([extent, roundUp(extent, header.blockSize)])) {
    const trailing = await readAt(dataOffset + end, KERNEL_DUMP_HEADER_SIZE);
    if (trailing.byteLength < KERNEL_DUMP_HEADER_SIZE || !hasKernelDumpMagic(trailing)) continue;
    return compareCopies(header, trailing.slice(), leading);
  }
  return undefined;
}
