/** A device is read also where its header is of a version that is not known. */

import { assertEquals } from "@std/assert";
import { readAtOfDeviceData } from "../../../lib/kerneldump/device/device_image.ts";
import { hasNewerTrailingHeader, readNewerDeviceImage } from "../../../lib/kerneldump/device/newer_device.ts";
import { encodeKernelDumpHeader, type KernelDumpHeaderFields } from "../../../lib/kerneldump/files/header.ts";
import { readAtOf } from "../../../lib/bytes/source.ts";
import { JOURNAL_HEADER } from "../journal_header.ts";
import { buildDeviceImage, buildReferenceFixture, buildTextdump, concatenate } from "../synthetic.ts";
import { codes, look, minidumpWithMessages } from "../../inspect/dumps.ts";

const DUMP = buildReferenceFixture();

/** A header as a later kernel may write it: what is behind the length has moved, and means something else. */
function newer(dump: Uint8Array, version = 5, fields: Partial<KernelDumpHeaderFields> = {}) {
  const header = encodeKernelDumpHeader({ ...JOURNAL_HEADER, dumpLength: dump.byteLength, ...fields });
  new DataView(header.buffer).setUint32(32, version);
  header.copyWithin(72, 48, 500);
  return header;
}

async function read(image: Uint8Array, limit = 1 << 20) {
  const found = await readNewerDeviceImage(readAtOf(image), image.byteLength, limit);
  if (found === undefined) return undefined;
  const { data, backwards, problems } = found;
  const bytes = data === null
    ? null
    : await readAtOfDeviceData(readAtOf(image), data, backwards)(0, data.size);
  return { bytes, version: found.header.version, codes: problems.map(({ code }): string => code) };
}

const SLACK = new Uint8Array(12 * 512).fill(0x55);

for (const sectorSize of [512, 4096]) {
  for (const version of [5, 9, 255]) {
    Deno.test(`a device with a header of version ${version}, on sectors of ${sectorSize} bytes, is read`, async () => {
      const image = buildDeviceImage({ header: newer(DUMP, version), data: DUMP, sectorSize });
      assertEquals(hasNewerTrailingHeader(image.subarray(-4096)), true);
      const good = { bytes: DUMP, version, codes: [] };
      assertEquals(await read(image), good);
      assertEquals(await read(concatenate([SLACK, image, SLACK])), good, "in an image that goes on");
    });
  }
}

Deno.test("a compressed dump behind a newer header lies at the front of its extent", async () => {
  const compressed = DUMP.slice(0, 5000);
  const image = buildDeviceImage({ header: newer(compressed), data: compressed, extent: 0x4000 });
  assertEquals(await read(image), { bytes: compressed, version: 5, codes: [] });
});

Deno.test("a textdump behind a newer header is turned round", async () => {
  const tar = buildTextdump();
  const image = buildDeviceImage({
    header: newer(tar, 5, { magic: "FreeBSD Text Dump" }),
    data: tar,
    backwards: true,
  });
  assertEquals(await read(image), { bytes: tar, version: 5, codes: [] });
});

Deno.test("a newer header that savecore cleared is known by its equal before the dump", async () => {
  const image = buildDeviceImage({ header: newer(DUMP), data: DUMP, cleared: true });
  const cleared = { bytes: DUMP, version: 5, codes: ["header-cleared"] };
  assertEquals(await read(image), cleared);
  assertEquals(await read(concatenate([SLACK, image, SLACK])), cleared);
});

Deno.test("a newer header without its equal tells where the dump may lie, and nothing about whether it is whole", async () => {
  const image = buildDeviceImage({ header: newer(DUMP), data: DUMP });
  const interrupted = image.slice();
  interrupted.fill(0, image.byteLength - 512);
  const unknown = { bytes: DUMP, version: 5, codes: ["version-newer"] };
  assertEquals(await read(interrupted), unknown);
  const overwritten = image.slice();
  overwritten.fill(0, 0, 66048);
  assertEquals(await read(overwritten), unknown);
  const other = image.slice();
  other.set(newer(DUMP, 5, { dumpTime: 7 }), 65536);
  assertEquals(await read(other), unknown);
  const large = buildDeviceImage({ header: newer(DUMP), data: DUMP, sectorSize: 4096 });
  large.fill(0, large.byteLength - 4096);
  assertEquals(await read(large), unknown);
});

Deno.test("a newer header that puts its dump outside the device leaves nothing to read", async () => {
  const image = buildDeviceImage({ header: newer(DUMP, 5, { dumpLength: 2 ** 40 }), data: DUMP });
  assertEquals(await read(image), { bytes: null, version: 5, codes: [] });
  assertEquals(await read(new Uint8Array(70000)), undefined);
  assertEquals(await read(new Uint8Array(100)), undefined);
  assertEquals(hasNewerTrailingHeader(new Uint8Array(0)), false);
});

Deno.test("inspect reads a dump device whose header is newer than known", async () => {
  const dump = minidumpWithMessages();
  const header = newer(dump);
  const image = buildDeviceImage({ header, data: dump });
  for (
    const [bytes, whole, expected] of [
      [image, true, ["header-version-newer"]],
      [concatenate([SLACK, image, SLACK]), true, ["header-version-newer"]],
      [image.subarray(0, -512), null, ["header-version-newer", "version-newer"]],
      [concatenate([dump, header]), true, ["header-version-newer"]],
      [concatenate([header, dump, header]), true, ["header-version-newer"]],
    ] as const
  ) {
    const found = await look("disk.img", { "disk.img": bytes });
    assertEquals([found.kind, found.complete, codes(found)], ["minidump", whole, [...expected]]);
    assertEquals([found.summary.panic, found.header?.version], ["sleeping thread", 5]);
  }
});
