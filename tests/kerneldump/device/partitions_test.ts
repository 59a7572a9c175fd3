/** A disk is searched for its dump device by its partition table. */

import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { findDumpPartition } from "../../../lib/kerneldump/device/partitions.ts";
import type { ReadAt } from "../../../lib/bytes/source.ts";
import { readAtOf } from "../../../lib/bytes/source.ts";
import { encodeKernelDumpHeader } from "../../../lib/kerneldump/files/header.ts";
import { JOURNAL_HEADER } from "../journal_header.ts";
import { buildDeviceImage, buildDisk, type Placed, placed } from "../synthetic.ts";
import { codes, headerOf, look, minidumpWithMessages } from "../../inspect/dumps.ts";

const DUMP = minidumpWithMessages();
const { bytes: HEADER } = headerOf(DUMP, { blockSize: 512 });
const DEVICE = buildDeviceImage({ header: HEADER, data: DUMP });

function mbr(view: DataView, slices: readonly (readonly [type: number, at: number, size: number])[]): void {
  view.setUint16(510, 0xaa55, true);
  slices.forEach(([type, at, size], i) => {
    view.setUint8(446 + 16 * i + 4, type);
    view.setUint32(446 + 16 * i + 8, at / 512, true);
    view.setUint32(446 + 16 * i + 12, size / 512, true);
  });
}

/** @param base what first sectors count from: 0, or where the slice begins */
function label(
  view: DataView,
  slice: Placed | { at: number },
  swap: Placed,
  base: number,
  raw: number,
): void {
  const at = slice.at + 512;
  view.setUint32(at, 0x82564557, true);
  view.setUint32(at + 132, 0x82564557, true);
  view.setUint16(at + 138, 8, true);
  const partition = (index: number, offset: number, size: number) => {
    view.setUint32(at + 148 + 16 * index, size / 512, true);
    view.setUint32(at + 148 + 16 * index + 4, offset / 512, true);
  };
  partition(1, swap.at - slice.at + base, swap.bytes.byteLength);
  partition(2, base, raw);
}

const find = (bytes: Uint8Array) => findDumpPartition(readAtOf(bytes), bytes.byteLength);
const FILLING = new Uint8Array(64 * 1024).fill(0x5a);

for (const sectorSize of [512, 4096]) {
  Deno.test(`findDumpPartition() finds the partition of a GPT on sectors of ${sectorSize} bytes`, async () => {
    const device = buildDeviceImage({
      header: headerOf(DUMP, { blockSize: sectorSize }).bytes,
      data: DUMP,
      sectorSize,
    });
    const at = 0x60000;
    const image = buildDisk([{ at: 0x10000, bytes: FILLING }, { at, bytes: device }], { sectorSize });
    assertEquals(await find(image), { offset: at, size: device.byteLength });
    const found = await look("disk.img", { "disk.img": image });
    assertEquals([found.kind, found.complete, codes(found)], ["minidump", true, []]);
    assertEquals([found.summary.host, found.summary.panic], ["w1.example", "sleeping thread"]);
  });
}

Deno.test("findDumpPartition() finds a slice, and a partition of FreeBSD's label in one or on the bare disk", async () => {
  const swap = { at: 0x50000, bytes: DEVICE };
  const where = { offset: swap.at, size: DEVICE.byteLength };
  const slice = placed(
    1 << 20,
    [swap],
    (view) => mbr(view, [[0x0c, 512, 4096], [0xa5, swap.at, DEVICE.byteLength]]),
  );
  assertEquals(await find(slice), where);
  for (const base of [0, 0x8000]) {
    const labelled = placed(1 << 20, [swap], (view) => {
      mbr(view, [[0xa5, 0x8000, 0xf0000]]);
      label(view, { at: 0x8000 }, swap, base, 0xf0000);
    });
    assertEquals(await find(labelled), where, `first sectors from ${base}`);
  }
  const bare = placed(1 << 20, [swap], (view) => label(view, { at: 0 }, swap, 0, 1 << 20));
  assertEquals(await find(bare), where);
  assertEquals((await look("disk.img", { "disk.img": bare })).summary.panic, "sleeping thread");
});

Deno.test("findDumpPartition() takes a dump that savecore has not saved before one that it has", async () => {
  const saved = buildDeviceImage({ header: HEADER, data: DUMP, cleared: true });
  const both = buildDisk([{ at: 0x10000, bytes: saved }, { at: 0x60000, bytes: DEVICE }]);
  assertEquals((await find(both))?.offset, 0x60000);
  assertEquals((await find(buildDisk([{ at: 0x10000, bytes: saved }])))?.offset, 0x10000);
  const newer = DEVICE.slice();
  new DataView(newer.buffer).setUint32(newer.byteLength - 512 + 32, 9);
  assertEquals((await find(buildDisk([{ at: 0x10000, bytes: newer }])))?.offset, 0x10000);
});

Deno.test("findDumpPartition() finds nothing where there is no table, no dump, or a table that lies", async () => {
  assertEquals(await find(new Uint8Array(1 << 20)), undefined);
  assertEquals(await find(new Uint8Array(100)), undefined);
  assertEquals(await find(buildDisk([{ at: 0x10000, bytes: FILLING }])), undefined);
  const lies = buildDisk([{ at: 0x60000, bytes: DEVICE }]);
  const view = new DataView(lies.buffer);
  view.setUint32(512 + 84, 0, true);
  assertEquals(await find(lies), undefined, "entries of no bytes");
  view.setUint32(512 + 84, 128, true);
  view.setBigUint64(512 + 72, 2n ** 63n, true);
  assertEquals(await find(lies), undefined, "entries beyond the disk");
});

Deno.test("findDumpPartition() reads little, and only what is there, whatever the tables say", async () => {
  const plain = placed(1 << 18, [], (view) => {
    mbr(view, [[0xa5, 0x8000, 0x10000], [0xa5, 0x9000, 0x10000]]);
    label(view, { at: 0x8000 }, { at: 0x9000, bytes: FILLING }, 0, 0x10000);
    label(view, { at: 0 }, { at: 0x9000, bytes: FILLING }, 0, 0x10000);
  });
  plain.set(buildDisk([{ at: 0x10000, bytes: FILLING }], { size: 1 << 17 }).subarray(512, 4096), 512);
  const changes = fc.array(fc.tuple(fc.nat(4095), fc.nat(255)), { maxLength: 8 });
  await fc.assert(fc.asyncProperty(changes, async (list) => {
    const bytes = plain.slice();
    for (const [at, value] of list) bytes[at] = value;
    let read = 0;
    const readAt: ReadAt = (offset, length) => {
      assert(offset >= 0 && length >= 0 && Number.isSafeInteger(offset), `${offset} ${length}`);
      read += length;
      return readAtOf(bytes)(offset, length);
    };
    await findDumpPartition(readAt, bytes.byteLength);
    assert(read < 12 * 2 ** 20, `${read}`);
  }));
});

Deno.test("a header of a textdump or an encrypted dump tells a dump partition too", async () => {
  for (const magic of ["FreeBSD Text Dump", "FreeBSD Kernel Dump"]) {
    const header = encodeKernelDumpHeader({ ...JOURNAL_HEADER, magic, dumpLength: 512, dumpExtent: 512 });
    const device = buildDeviceImage({ header, data: new Uint8Array(512) });
    assertEquals((await find(buildDisk([{ at: 0x10000, bytes: device }])))?.offset, 0x10000);
  }
});
