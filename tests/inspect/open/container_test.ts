import { assertEquals } from "@std/assert";
import { openContainer } from "../../../lib/inspect/open/container.ts";
import { encodeKernelDumpHeader, type KernelDumpHeaderFields } from "../../../lib/kerneldump/files/header.ts";
import { JOURNAL_HEADER } from "../../kerneldump/journal_header.ts";
import {
  buildDeviceImage,
  buildElfCore,
  buildReferenceFixture,
  buildTextdump,
  concatenate,
} from "../../kerneldump/synthetic.ts";
import { examine } from "../../../lib/inspect/examine.ts";
import { headerOf, minidumpWithMessages, withFiles } from "../dumps.ts";
import { memorySource } from "../../bytes/memory_source.ts";

const DUMP = buildReferenceFixture();
const TEXTDUMP = buildTextdump();

function header(data: Uint8Array, fields: Partial<KernelDumpHeaderFields> = {}): Uint8Array<ArrayBuffer> {
  const length = data.byteLength;
  return encodeKernelDumpHeader({ ...JOURNAL_HEADER, dumpLength: length, dumpExtent: length, ...fields });
}
const HEADER = header(DUMP);

/** What is in a file: its kind, its bytes, whether it has a header and a key, its problems. */
async function open(bytes: Uint8Array) {
  const container = await openContainer(memorySource(bytes), "file");
  const { size } = container.source;
  return {
    kind: container.identity.kind,
    bytes: await container.source.read(0, size ?? 0),
    hostname: container.header?.hostname ?? null,
    keySize: container.key?.byteLength ?? null,
    codes: container.problems.map((p) => p.code),
  };
}
const ON_DEVICE = { hostname: "displacementactivity", keySize: null, codes: [] };

Deno.test("openContainer() opens a dump device down to the minidump on it", async () => {
  for (const sectorSize of [512, 4096]) {
    const image = buildDeviceImage({
      header: header(DUMP, { blockSize: sectorSize }),
      data: DUMP,
      sectorSize,
    });
    assertEquals(await open(image), { ...ON_DEVICE, kind: "minidump", bytes: DUMP });
  }
});

Deno.test("openContainer() opens a dump device down to the textdump on it, the right way round", async () => {
  const image = buildDeviceImage({
    header: header(TEXTDUMP, { magic: "FreeBSD Text Dump" }),
    data: TEXTDUMP,
    backwards: true,
  });
  assertEquals(await open(image), { ...ON_DEVICE, kind: "textdump", bytes: TEXTDUMP });
});

Deno.test("openContainer() finds the key block on a dump device", async () => {
  const key = new Uint8Array(512).fill(1);
  const random = new Uint8Array(8192).fill(0xa5);
  const image = buildDeviceImage({ header: header(random, { dumpKeySize: 512 }), data: random, key });
  assertEquals(await open(image), { ...ON_DEVICE, keySize: 512, kind: "unknown", bytes: random });
});

Deno.test("openContainer() finds an interrupted dump on a device by the header before it", async () => {
  const image = buildDeviceImage({ header: HEADER, data: DUMP });
  image.fill(0, image.byteLength - 512);
  assertEquals(await open(image), {
    ...ON_DEVICE,
    codes: ["header-trailing-missing"],
    kind: "minidump",
    bytes: DUMP,
  });
});

Deno.test("openContainer() takes the header off the end of a live dump, and off the front of an old powerpc one", async () => {
  assertEquals(await open(concatenate([DUMP, HEADER])), { ...ON_DEVICE, kind: "minidump", bytes: DUMP });
  const core = buildElfCore({ bits: 32, machine: 20, littleEndian: false });
  assertEquals(await open(concatenate([HEADER, core])), { ...ON_DEVICE, kind: "elf-core", bytes: core });
});

Deno.test("openContainer() leaves a dump in a file of its own alone", async () => {
  assertEquals(await open(DUMP), { kind: "minidump", bytes: DUMP, hostname: null, keySize: null, codes: [] });
  const nothing = new Uint8Array(70000);
  assertEquals(await open(nothing), {
    kind: "unknown",
    bytes: nothing,
    hostname: null,
    keySize: null,
    codes: [],
  });
});

Deno.test("openContainer() reads a dump behind its header, with its copy behind it or not", async () => {
  const dump = minidumpWithMessages();
  const { bytes } = headerOf(dump, { blockSize: 512 });
  for (
    const [parts, codes] of [
      [[bytes, dump, bytes], []],
      [[bytes, dump, bytes, new Uint8Array(4096)], []],
      [[bytes, dump], ["header-trailing-missing"]],
    ] as const
  ) {
    await withFiles({ "dump-behind": concatenate(parts) }, async (_, path) => {
      const examination = await examine(path("dump-behind"), { thoroughness: "look", privateKey: null });
      examination.close();
      const { findings } = examination;
      assertEquals(findings.kind, "minidump");
      assertEquals(findings.problems.map(({ code }) => code), [...codes]);
    });
  }
  // A header in a whole block stays one.
  await withFiles({ "kdh.w1.0": concatenate([bytes, new Uint8Array(3584)]) }, async (_, path) => {
    const examination = await examine(path("kdh.w1.0"), { thoroughness: "look", privateKey: null });
    examination.close();
    assertEquals(examination.findings.kind, "kernel-dump-header");
  });
});
