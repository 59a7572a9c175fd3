import { assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import { loadDump } from "../../lib/send/load_dump.ts";
import { SendError } from "../../lib/send/failure.ts";
import { JOURNAL_HEADER } from "../kerneldump/journal_header.ts";
import { encodeKernelDumpHeader } from "../../lib/kerneldump/files/header.ts";
import {
  buildDeviceImage,
  buildMinidump,
  buildReferenceFixture,
  buildTextdump,
  concatenate,
} from "../kerneldump/synthetic.ts";
import { compress } from "../bytes/compressed_data.ts";
import { withFiles } from "../inspect/dumps.ts";

const NO_OVERRIDES = {
  hostname: undefined,
  panicString: undefined,
  architecture: undefined,
  versionString: undefined,
};

async function load(name: string, files: Readonly<Record<string, Uint8Array | string>>, force = false) {
  let loaded: Awaited<ReturnType<typeof loadDump>> | undefined;
  await withFiles(files, async (_, path) => {
    loaded = await loadDump({
      path: path(name),
      elsewhere: undefined,
      headerPath: undefined,
      keyPath: undefined,
      overrides: NO_OVERRIDES,
      force,
    });
    loaded.open.file.close();
  });
  return loaded!;
}

const DUMP = buildReferenceFixture();
const HEADER = encodeKernelDumpHeader({
  ...JOURNAL_HEADER,
  dumpLength: DUMP.byteLength,
  dumpExtent: DUMP.byteLength,
});

const INFO = `Dump header from device: /dev/ada0p3
  Architecture: amd64
  Architecture Version: 4
  Dump Length: 5000
  Compression: none
  Hostname: gw1.example.com
  Magic: FreeBSD Text Dump
  Version String: FreeBSD 13.2-RELEASE-p10
  Panic String: page fault
  Dump Parity: 1
  Dump Status: good
`;

Deno.test("loadDump() takes host, panic and architecture of a textdump from the info file beside it", async () => {
  for (const name of ["textdump.tar.0", "textdump.tar.0.gz"]) {
    const tar = name.endsWith(".gz") ? new Uint8Array(gzipSync(buildTextdump())) : buildTextdump();
    const { header } = (await load(name, { [name]: tar, "info.0": INFO })).header;
    assertEquals(
      [header.hostname, header.panicString, header.architecture, header.magic],
      ["gw1.example.com", "page fault", "amd64", "FreeBSD Text Dump"],
      name,
    );
  }
  const alone = await load("textdump.tar.0", { "textdump.tar.0": buildTextdump() });
  assertEquals(alone.header.header.magic, "FreeBSD Text Dump");
});

Deno.test("loadDump() reads the architecture of a minidump below gzip, and does without it where that is cut", async () => {
  for (
    const [architecture, named] of [["amd64", "amd64"], ["arm64", "aarch64"], ["riscv", "riscv64"]] as const
  ) {
    const gz = new Uint8Array(gzipSync(buildMinidump({ architecture })));
    const { header, warnings } = (await load("vmcore.2.gz", { "vmcore.2.gz": gz })).header;
    assertEquals([header.architecture, warnings], [named, []]);
    const cut = await load("vmcore.2.gz", { "vmcore.2.gz": gz.slice(0, 12) });
    assertEquals(cut.header.header.architecture, "");
  }
});

Deno.test("loadDump() reads the architecture below zstd too, and takes the compression from the data where no name shows it", async () => {
  const skippable = new Uint8Array([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
  for (const [architecture, named] of [["amd64", "amd64"], ["arm64", "aarch64"]] as const) {
    const zst = await compress("zstd", buildMinidump({ architecture }), 3);
    for (const data of [zst, concatenate([skippable, zst])]) {
      for (const name of ["vmcore.2.zst", "vmcore.2", "core"]) {
        const { header, dataSize, warnings } = (await load(name, { [name]: data })).header;
        assertEquals([header.architecture, header.compression, warnings], [named, "zstd", []], name);
        assertEquals([header.dumpLength, dataSize], [data.byteLength, 4096]);
      }
    }
    const cut = (await load("vmcore.2", { "vmcore.2": zst.slice(0, 20) })).header.header;
    assertEquals([cut.architecture, cut.compression], ["", "zstd"]);
  }
});

Deno.test("loadDump() refuses what is recognized as no dump with what it is, unless it is forced to", async () => {
  const device = buildDeviceImage({ header: HEADER, data: DUMP });
  const rows: [name: string, content: Uint8Array | string, what: string][] = [
    ["info.1", INFO, "it is an info file;"],
    ["core.txt.0", "w1 dumped core - see /var/crash/vmcore.0\n", "it is crashinfo's report of a dump;"],
    ["bounds", "1\n", "it is the number of the next dump;"],
    ["kdh.w1.1", HEADER, "it is a kernel dump header;"],
    ["ada0p3.img", device, "it is the image of a dump device, with the dump in it;"],
    [
      "disk.img",
      concatenate([new Uint8Array(4096), device, new Uint8Array(4096)]),
      "the image of a dump device",
    ],
    ["behind", concatenate([HEADER, DUMP, HEADER]), "it is the image of a dump device, with the dump in it;"],
    ["cut.img", device.subarray(0, -512), "it is the image of a dump device, with the dump in it;"],
    ["vmcore.0.bz2", concatenate([new TextEncoder().encode("BZh91AY&SY"), new Uint8Array(90)]), "bzip2 -d"],
  ];
  for (const format of ["gzip", "zstd"] as const) {
    const report = new TextEncoder().encode("w1 dumped core - see /var/crash/vmcore.0\n");
    rows.push([
      "core.txt.0.z",
      await compress(format, report, 3),
      "crashinfo's report of a dump, compressed;",
    ]);
  }
  for (const [name, content, what] of rows) {
    await assertRejects(() => load(name, { [name]: content }), SendError, what);
    const forced = await load(name, { [name]: content }, true);
    assertEquals(forced.open.info.size > 0, true);
  }
});

Deno.test("loadDump() sends what it knows nothing of", async () => {
  for (const content of [new Uint8Array(5000).fill(0xa5), new Uint8Array(5000), "x"]) {
    assertEquals((await load("memory", { memory: content })).name.id, null);
  }
});
