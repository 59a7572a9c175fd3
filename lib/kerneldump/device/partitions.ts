/**
 * The partitions of a disk, of which one is the dump device: GPT, and MBR with FreeBSD's own label in a slice or on the
 * bare disk (reference kernel-dump-formats.md, section 1.10).
 *
 * @module
 */

import { findTrailingHeader, SECTOR_SIZES } from "./device_image.ts";
import { hasNewerTrailingHeader } from "./newer_device.ts";
import { Magic } from "../files/header.ts";
import type { Extent, ReadAt } from "../../bytes/source.ts";

const SECTOR = SECTOR_SIZES[0];

const Gpt = { magic: "EFI PART", entriesAt: 72, count: 80, entrySize: 84, first: 32, last: 40 } as const;
/** Disks have 128 entries of 128 bytes. */
const MOST_ENTRIES = 1024;
const MOST_ENTRY_BYTES = 4096;

const Mbr = {
  table: 446,
  entries: 4,
  entrySize: 16,
  type: 4,
  first: 8,
  count: 12,
  signature: 0xaa55,
} as const;
const FREEBSD_SLICE = 0xa5;

const Label = { magic: 0x82564557, magicAgain: 132, count: 138, table: 148, entrySize: 16 } as const;
/** `c`, all of the slice: the others' offsets may count from the disk's beginning, as its own then does. */
const RAW_PARTITION = 2;

/** Finds the partition with a dump in it: one that savecore has not cleared goes first. */
export async function findDumpPartition(readAt: ReadAt, size: number): Promise<Extent | undefined> {
  let cleared: Extent | undefined;
  for (const partition of await readPartitions(readAt, size)) {
    const end = Math.min(partition.size, SECTOR_SIZES[1]);
    const bytes = await readAt(partition.offset + partition.size - end, end);
    const trailing = findTrailingHeader(bytes);
    if (trailing?.header.magic === Magic.CLEARED) cleared ??= partition;
    else if (trailing !== undefined || hasNewerTrailingHeader(bytes)) return partition;
  }
  return cleared;
}

/** Reads the partitions of a disk that lie on it; none if it has no table. */
async function readPartitions(readAt: ReadAt, size: number): Promise<Extent[]> {
  const all = [
    ...await readGpt(readAt),
    ...await readSlices(readAt),
    ...await readLabel(readAt, { offset: 0, size }),
  ];
  return all.filter((partition) =>
    partition.size > 0 && partition.offset > 0 && partition.offset + partition.size <= size
  );
}

async function readGpt(readAt: ReadAt): Promise<Extent[]> {
  for (const sectorSize of SECTOR_SIZES) {
    const header = viewOf((await readAt(sectorSize, SECTOR)).slice());
    if (header === undefined || latin1(header, Gpt.magic.length) !== Gpt.magic) continue;
    const count = Math.min(header.getUint32(Gpt.count, true), MOST_ENTRIES);
    const entrySize = header.getUint32(Gpt.entrySize, true);
    const at = Number(header.getBigUint64(Gpt.entriesAt, true)) * sectorSize;
    if (entrySize < 128 || entrySize > MOST_ENTRY_BYTES || !Number.isSafeInteger(at)) return [];
    const bytes = (await readAt(at, count * entrySize)).slice();
    const entries = new DataView(bytes.buffer);
    return Array.from({ length: Math.floor(bytes.byteLength / entrySize) }, (_, entry) => {
      const first = Number(entries.getBigUint64(entry * entrySize + Gpt.first, true));
      const last = Number(entries.getBigUint64(entry * entrySize + Gpt.last, true));
      return { offset: first * sectorSize, size: (last - first + 1) * sectorSize };
    });
  }
  return [];
}

/** Slices, and the partitions that FreeBSD's label makes in one of its own. */
async function readSlices(readAt: ReadAt): Promise<Extent[]> {
  const table = viewOf((await readAt(0, SECTOR)).slice());
  if (table?.getUint16(SECTOR - 2, true) !== Mbr.signature) return [];
  const found: Extent[] = [];
  for (let entry = 0; entry < Mbr.entries; entry++) {
    const at = Mbr.table + entry * Mbr.entrySize;
    const slice = {
      offset: table.getUint32(at + Mbr.first, true) * SECTOR,
      size: table.getUint32(at + Mbr.count, true) * SECTOR,
    };
    found.push(slice);
    if (table.getUint8(at + Mbr.type) === FREEBSD_SLICE) found.push(...await readLabel(readAt, slice));
  }
  return found;
}

async function readLabel(readAt: ReadAt, slice: Extent): Promise<Extent[]> {
  const label = viewOf((await readAt(slice.offset + SECTOR, SECTOR)).slice());
  if (label?.getUint32(0, true) !== Label.magic || label.getUint32(Label.magicAgain, true) !== Label.magic) {
    return [];
  }
  const field = (partition: number, at: number) =>
    label.getUint32(Label.table + partition * Label.entrySize + at, true);
  const fitting = Math.floor((SECTOR - Label.table) / Label.entrySize);
  const count = Math.min(label.getUint16(Label.count, true), fitting);
  const base = count > RAW_PARTITION ? field(RAW_PARTITION, 4) : 0;
  return Array.from({ length: count }, (_, partition) => ({
    offset: slice.offset + (field(partition, 4) - base) * SECTOR,
    size: field(partition, 0) * SECTOR,
  }));
}

function viewOf(bytes: Uint8Array): DataView | undefined {
  return bytes.byteLength < SECTOR ? undefined : new DataView(bytes.buffer, bytes.byteOffset, SECTOR);
}

function latin1(view: DataView, length: number): string {
  return String.fromCharCode(...Array.from({ length }, (_, at) => view.getUint8(at)));
}
