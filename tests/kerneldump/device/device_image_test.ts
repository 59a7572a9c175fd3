import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type DeviceImage,
  findTrailingHeader,
  readAtOfDeviceData,
  readDeviceImage,
  readLiveDump,
} from "../../../lib/kerneldump/device/device_image.ts";
import { searchDeviceImage } from "../../../lib/kerneldump/device/device_search.ts";
import { encodeKernelDumpHeader, type KernelDumpHeaderFields } from "../../../lib/kerneldump/files/header.ts";
import { readAtOf } from "../../../lib/bytes/source.ts";
import { readTextdump } from "../../../lib/kerneldump/textdump.ts";
import { JOURNAL_HEADER } from "../journal_header.ts";
import { buildDeviceImage, buildReferenceFixture, buildTextdump, concatenate } from "../synthetic.ts";

const DUMP = buildReferenceFixture();

function header(fields: Partial<KernelDumpHeaderFields> = {}): Uint8Array<ArrayBuffer> {
  const length = fields.dumpLength ?? DUMP.byteLength;
  return encodeKernelDumpHeader({ ...JOURNAL_HEADER, dumpLength: length, dumpExtent: length, ...fields });
}
const read = (image: Uint8Array) => readDeviceImage(readAtOf(image), image.byteLength);
const codes = (image: DeviceImage | undefined) => image?.problems.map((p) => p.code);

async function dataOf(image: Uint8Array, device: DeviceImage): Promise<Uint8Array> {
  return await readAtOfDeviceData(readAtOf(image), device.data!, device.backwards)(0, device.data!.size);
}

for (const sectorSize of [512, 4096]) {
  for (const version of [1, 2, 3, 4]) {
    Deno.test(`readDeviceImage() finds a version ${version} dump on sectors of ${sectorSize} bytes`, async () => {
      const image = buildDeviceImage({
        header: header({ version, blockSize: sectorSize }),
        data: DUMP,
        sectorSize,
      });
      const device = (await read(image))!;
      assertEquals([device.sectorSize, device.status, device.problems], [sectorSize, "good", []]);
      assertEquals(device.header.version, version);
      assertEquals(device.key, null);
      assertEquals(device.data, {
        offset: image.byteLength - sectorSize - DUMP.byteLength,
        size: DUMP.byteLength,
      });
      assertEquals(await dataOf(image, device), DUMP);
    });
  }
}

Deno.test("readDeviceImage() finds the key block of an encrypted dump before its data", async () => {
  const key = new Uint8Array(512).fill(7);
  const image = buildDeviceImage({ header: header({ dumpKeySize: 512 }), data: DUMP, key });
  const device = (await read(image))!;
  assertEquals([device.status, device.problems], ["good", []]);
  const { offset, size } = device.key!;
  assertEquals(image.subarray(offset, offset + size), key);
  assertEquals(await dataOf(image, device), DUMP);
});

Deno.test("readDeviceImage() leaves out the old contents behind compressed data", async () => {
  const extent = 0x20000;
  const fields = { dumpLength: 1000, dumpExtent: extent, compression: "gzip" } as const;
  const data = new Uint8Array(1000).fill(9);
  const image = buildDeviceImage({ header: header(fields), data, extent });
  const device = (await read(image))!;
  assertEquals(device.data, { offset: image.byteLength - 512 - extent, size: 1000 });
  assertEquals([await dataOf(image, device), device.problems], [data, []]);
});

Deno.test("readDeviceImage() turns the blocks of a textdump round", async () => {
  const tar = buildTextdump();
  const fields = { magic: "FreeBSD Text Dump", architectureVersion: 4, dumpLength: tar.byteLength };
  const image = buildDeviceImage({ header: header(fields), data: tar, backwards: true });
  const device = (await read(image))!;
  assertEquals([device.status, device.backwards, device.problems], ["good", true, []]);
  assertEquals(await dataOf(image, device), tar);
  const readAt = readAtOfDeviceData(readAtOf(image), device.data!, true);
  assertEquals((await readTextdump(readAt)).members.length, 5);
  for (
    const [offset, length] of [[0, 1], [511, 2], [700, 1300], [tar.byteLength - 1, 5], [
      tar.byteLength,
      5,
    ]] as const
  ) {
    assertEquals(await readAt(offset, length), tar.slice(offset, offset + length), `${offset}`);
  }
});

Deno.test("readDeviceImage() reads a cleared header's magic from the copy before the dump", async () => {
  const image = buildDeviceImage({ header: header(), data: DUMP, cleared: true });
  const device = (await read(image))!;
  assertEquals([device.status, device.header.magic], ["cleared", "FreeBSD Kernel Dump"]);
  assertEquals(codes(device), ["header-cleared"], "its parity is wrong by design");
  assertEquals(await dataOf(image, device), DUMP);
});

Deno.test("readDeviceImage() knows a cleared textdump whose leading header is gone by its first block", async () => {
  const tar = buildTextdump();
  const fields = { magic: "FreeBSD Text Dump", dumpLength: tar.byteLength };
  const image = buildDeviceImage({ header: header(fields), data: tar, backwards: true, cleared: true });
  image.fill(0, image.byteLength - 1024 - tar.byteLength, image.byteLength - 512 - tar.byteLength);
  const device = (await read(image))!;
  assertEquals([device.status, device.header.magic], ["cleared", "Cleared Kernel Dump"]);
  assertEquals(codes(device), ["header-cleared", "header-leading-missing"]);
  assertEquals(await dataOf(image, device), tar);
});

Deno.test("readDeviceImage() tells headers that differ, are gone, damaged or of another sector size", async () => {
  const image = buildDeviceImage({ header: header(), data: DUMP });
  const leading = image.byteLength - 1024 - DUMP.byteLength;
  const changed = (change: (bytes: Uint8Array) => void) => {
    const copy = image.slice();
    change(copy);
    return read(copy);
  };
  const differing = await changed((b) => b[leading + 100]! ^= 1);
  assertEquals([codes(differing), differing?.status], [["header-copies-differ"], "bad"]);
  const gone = await changed((b) => b.fill(0, leading, leading + 512));
  assertEquals([codes(gone), gone?.status], [["header-leading-missing"], "bad"]);
  const damaged = await changed((b) => {
    b[leading + 100]! ^= 1;
    b[b.byteLength - 412]! ^= 1;
  });
  assertEquals([codes(damaged), damaged?.status], [["header-parity"], "good"]);
  assertEquals(codes(await read(buildDeviceImage({ header: header({ blockSize: 4096 }), data: DUMP }))), [
    "header-block-size",
  ]);
});

Deno.test("readDeviceImage() reads nothing that a header puts outside the device", async () => {
  for (const dumpLength of [2 ** 40, Number.MAX_SAFE_INTEGER]) {
    const image = new Uint8Array(70000);
    image.set(header({ dumpLength }), image.byteLength - 512);
    const device = (await read(image))!;
    assertEquals(device.data, null);
    assert(codes(device)!.includes("extent-outside-device"));
  }
  const longer = buildDeviceImage({
    header: header({ dumpLength: 0x10000, dumpExtent: DUMP.byteLength }),
    data: DUMP,
  });
  assertEquals((await read(longer))!.data, null);
});

Deno.test("readDeviceImage() finds nothing where there is nothing", async () => {
  assertEquals(await read(new Uint8Array(70000)), undefined);
  assertEquals(await read(new Uint8Array(0)), undefined);
  assertEquals(findTrailingHeader(new Uint8Array(100)), undefined);
  const unknown = header();
  unknown[35] = 9;
  assertEquals(findTrailingHeader(unknown), undefined, "a version that nobody wrote");
});

Deno.test("readLiveDump() finds the header behind a live dump and its padding", async () => {
  const file = concatenate([
    DUMP.subarray(0, 40000),
    new Uint8Array(960),
    header({ dumpLength: 40000, panicString: "" }),
  ]);
  const live = (await readLiveDump(readAtOf(file), file.byteLength))!;
  assertEquals([live.data, live.problems], [{ offset: 0, size: 40000 }, []]);
  assertEquals(await readLiveDump(readAtOf(DUMP), DUMP.byteLength), undefined);
  assertEquals(await readLiveDump(readAtOf(DUMP), 100), undefined);
  const cut = file.subarray(1000);
  const short = (await readLiveDump(readAtOf(cut), cut.byteLength))!;
  assertEquals(short.data.size, 39960);
  assertEquals(short.problems.map((p) => p.code), ["extent-outside-device"]);
});

Deno.test("searchDeviceImage() finds an interrupted dump by the header before it", async () => {
  const search = (image: Uint8Array, limit = 1 << 30) =>
    searchDeviceImage(readAtOf(image), image.byteLength, limit);
  for (const sectorSize of [512, 4096]) {
    const key = new Uint8Array(sectorSize).fill(7);
    const fields = { dumpKeySize: key.byteLength, blockSize: sectorSize };
    // The kernel's own copy of its header is part of the memory that is dumped.
    const data = concatenate([DUMP.subarray(0, 0x9000), header(fields), DUMP.subarray(0x9000 + 512)]);
    const image = buildDeviceImage({ header: header(fields), data, key, sectorSize, mediaSize: 3 << 20 });
    image.fill(0, image.byteLength - sectorSize);
    assertEquals(await read(image), undefined);
    const device = (await search(image))!;
    assertEquals([codes(device), device.status], [["header-trailing-missing"], "bad"]);
    assertEquals(await dataOf(image, device), data);
    assertEquals(image.subarray(device.key!.offset, device.key!.offset + device.key!.size), key);
    const cut = image.subarray(0, image.byteLength - 0x3000);
    assertEquals((await search(cut))!.data!.size, DUMP.byteLength + sectorSize - 0x3000);
    assertEquals(await search(image, 1 << 20), undefined);
  }
  assertEquals(await search(new Uint8Array(70000)), undefined);
});

Deno.test("searchDeviceImage() reads an interrupted textdump only if all of its blocks are there", async () => {
  const tar = buildTextdump();
  const fields = { magic: "FreeBSD Text Dump", dumpLength: tar.byteLength };
  const image = buildDeviceImage({ header: header(fields), data: tar, backwards: true });
  image.fill(0, image.byteLength - 512);
  const device = (await searchDeviceImage(readAtOf(image), image.byteLength, 1 << 20))!;
  assertEquals(await dataOf(image, device), tar);
  const cut = image.subarray(0, image.byteLength - 1024);
  assertEquals((await searchDeviceImage(readAtOf(cut), cut.byteLength, 1 << 20))!.data, null);
});

Deno.test("device images with any bytes of their headers changed are read, never worse", async () => {
  const image = buildDeviceImage({
    header: header({ dumpKeySize: 512 }),
    data: DUMP,
    key: new Uint8Array(512),
  });
  const trailing = image.byteLength - 512;
  const changes = fc.array(fc.tuple(fc.nat(511), fc.nat(255)), { minLength: 1, maxLength: 4 });
  await fc.assert(fc.asyncProperty(changes, fc.boolean(), async (list, text) => {
    const copy = image.slice();
    if (text) copy.set(header({ magic: "FreeBSD Text Dump" }), trailing);
    for (const [at, value] of list) copy[trailing + at] = value;
    const device = await readDeviceImage((offset, length) => {
      assert(offset >= 0 && length >= 0 && length <= 4096, `${offset} ${length}`);
      return readAtOf(copy)(offset, length);
    }, copy.byteLength);
    if (device?.data) {
      assert(device.data.offset >= 0 && device.data.offset + device.data.size <= copy.byteLength);
      await readAtOfDeviceData(readAtOf(copy), device.data, device.backwards)(0, 4096);
    }
  }));
});

Deno.test("searchDeviceImage() takes a dump for good that has an equal header right behind it, whatever follows", async () => {
  const search = (image: Uint8Array) => searchDeviceImage(readAtOf(image), image.byteLength, 1 << 30);
  for (const sectorSize of [512, 4096]) {
    for (const version of [1, 2, 3, 4]) {
      const device = buildDeviceImage({
        header: header({ version, blockSize: sectorSize }),
        data: DUMP,
        sectorSize,
      });
      const image = concatenate([new Uint8Array(9 * 512), device, new Uint8Array(8192).fill(0x55)]);
      assertEquals(await read(image), undefined);
      const found = (await search(image))!;
      assertEquals([codes(found), found.status], [[], "good"]);
      assertEquals(await dataOf(image, found), DUMP);
    }
  }
});

Deno.test("searchDeviceImage() finds the header behind a compressed dump's extent, and behind a textdump", async () => {
  const search = (image: Uint8Array) => searchDeviceImage(readAtOf(image), image.byteLength, 1 << 30);
  const compressed = DUMP.subarray(0, 5000);
  const extent = 0x4000;
  const fields = { dumpLength: 5000, dumpExtent: extent, compression: "zstd" as const };
  const zstd = concatenate([
    buildDeviceImage({ header: header(fields), data: compressed, extent }),
    new Uint8Array(4096),
  ]);
  const found = (await search(zstd))!;
  assertEquals([codes(found), found.status, await dataOf(zstd, found)], [[], "good", compressed]);
  const tar = buildTextdump();
  const textdump = { magic: "FreeBSD Text Dump", dumpLength: tar.byteLength, dumpExtent: tar.byteLength };
  const image = concatenate([
    buildDeviceImage({ header: header(textdump), data: tar, backwards: true }),
    new Uint8Array(4096),
  ]);
  const text = (await search(image))!;
  assertEquals([codes(text), text.status, await dataOf(image, text)], [[], "good", tar]);
});

Deno.test("searchDeviceImage() tells a header behind the dump that differs, and one that savecore cleared", async () => {
  const slack = new Uint8Array(4096);
  const search = (image: Uint8Array) => searchDeviceImage(readAtOf(image), image.byteLength, 1 << 30);
  const device = buildDeviceImage({ header: header(), data: DUMP });
  // What an older dump of the same length left there.
  device.set(header({ dumpTime: 1_500_000_000 }), device.byteLength - 512);
  const stale = (await search(concatenate([device, slack])))!;
  assertEquals([codes(stale), stale.status], [["header-copies-differ"], "bad"]);
  const saved = buildDeviceImage({ header: header(), data: DUMP, cleared: true });
  const cleared = (await search(concatenate([saved, slack])))!;
  assertEquals([codes(cleared), cleared.status], [["header-cleared"], "cleared"]);
});
