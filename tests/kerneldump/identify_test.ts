import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { encodeKernelDumpHeader } from "../../lib/kerneldump/files/header.ts";
import {
  identify,
  type Identity,
  SAMPLE_END_SIZE,
  SAMPLE_START_SIZE,
} from "../../lib/kerneldump/identify.ts";
import { encodeKernelDumpKey } from "../../lib/kerneldump/files/key.ts";
import { JOURNAL_HEADER } from "./journal_header.ts";
import { realVmcore, testWithVmcores } from "./real_vmcores.ts";
import {
  buildDeviceImage,
  buildElfCore,
  buildMinidump,
  buildReferenceFixture,
  buildTextdump,
  concatenate,
  MINIDUMP_KINDS,
} from "./synthetic.ts";
import { testWithTool } from "./tools.ts";

function look(bytes: Uint8Array, name = "file"): Identity {
  const start = bytes.subarray(0, SAMPLE_START_SIZE);
  const end = bytes.subarray(Math.max(0, bytes.byteLength - SAMPLE_END_SIZE));
  return identify({ name, start, end, size: bytes.byteLength });
}
const text = (contents: string) => new TextEncoder().encode(contents);
const HEADER = encodeKernelDumpHeader({ ...JOURNAL_HEADER, dumpLength: 40960, dumpExtent: 40960 });
const KEY = encodeKernelDumpKey({
  cipher: "chacha20",
  iv: new Uint8Array(32).fill(1),
  encryptedKey: new Uint8Array(256).fill(2),
});

const ROWS: readonly (readonly [what: string, bytes: Uint8Array, name: string, identity: Identity])[] = [
  ["a minidump", buildReferenceFixture(), "vmcore.0", { kind: "minidump", trailingHeader: false }],
  ["a raw live dump", concatenate([buildReferenceFixture(), HEADER]), "live", {
    kind: "minidump",
    trailingHeader: true,
  }],
  ["a full dump", buildElfCore(), "vmcore.0", { kind: "elf-core", dataOffset: 0 }],
  [
    "a full dump of old powerpc, sent by TFTP",
    concatenate([HEADER, buildElfCore({ machine: 20, bits: 32 })]),
    "x",
    {
      kind: "elf-core",
      dataOffset: 512,
    },
  ],
  ["a textdump", buildTextdump(), "textdump.tar.0", { kind: "textdump" }],
  ["a textdump by another name", buildTextdump({ "msgbuf.txt": "x" }), "x", { kind: "textdump" }],
  ["a textdump by name alone", buildTextdump({ "other.txt": "x" }), "textdump.tar.last", {
    kind: "textdump",
  }],
  ["any other archive", buildTextdump({ "other.txt": "x" }), "src.tar", {
    kind: "unknown",
    hint: "a tar archive, but no textdump: unpack it first (tar -xf)",
  }],
  ["gzip", new Uint8Array([0x1f, 0x8b, 8, 0]), "x", {
    kind: "compressed",
    compression: "gzip",
    trailingHeader: false,
  }],
  ["zstd", new Uint8Array([0x28, 0xb5, 0x2f, 0xfd]), "x", {
    kind: "compressed",
    compression: "zstd",
    trailingHeader: false,
  }],
  ["savecore's info", text("Dump header from device: /dev/ada0p3\n"), "x", { kind: "info" }],
  ["old savecore's info", text("Dump header from device /dev/ada0p3\n"), "x", { kind: "info" }],
  ["netdumpd's info", text("Dump from w1 [192.0.2.1]\n"), "x", { kind: "info" }],
  ["a kernel dump header", HEADER, "kdh.w1.0", { kind: "kernel-dump-header" }],
  ["a key", KEY, "x", { kind: "key" }],
  ["a damaged key", KEY.subarray(0, 100), "key.w1.0", { kind: "key" }],
  ["no key, only short", KEY.subarray(0, 100), "x", { kind: "unknown", hint: null }],
  ["a device", buildDeviceImage({ header: HEADER, data: buildReferenceFixture() }), "ada0p3", {
    kind: "device-image",
  }],
  [
    "a device with large sectors",
    buildDeviceImage({ header: HEADER, data: buildReferenceFixture(), sectorSize: 4096 }),
    "nda0p3",
    { kind: "device-image" },
  ],
  [
    "a device that savecore has cleared",
    buildDeviceImage({ header: HEADER, data: buildReferenceFixture(), cleared: true }),
    "ada0p3",
    { kind: "device-image" },
  ],
  ["an encrypted dump", new Uint8Array(9000).fill(0xa5), "vmcore_encrypted.w1.0", { kind: "encrypted" }],
  ["nothing", new Uint8Array(0), "x", { kind: "unknown", hint: "empty" }],
  ["zeros", new Uint8Array(9000), "x", { kind: "unknown", hint: null }],
];
for (const [what, bytes, name, identity] of ROWS) {
  Deno.test(`identify() knows ${what} named ${name}`, () => assertEquals(look(bytes, name), identity));
}

Deno.test("identify() refuses a process's core and other ELF files politely", () => {
  const hint = (bytes: Uint8Array) => {
    const identity = look(bytes);
    return identity.kind === "unknown" ? identity.hint! : identity.kind;
  };
  assertStringIncludes(hint(buildElfCore({ osAbi: 9 })), "the core of a process");
  const kernel = buildElfCore({ osAbi: 9 });
  kernel[16] = 2;
  assertStringIncludes(hint(kernel), "no kernel dump");
  assertStringIncludes(hint(buildElfCore().subarray(0, 60)), "cut or damaged");
});

Deno.test("identify() does without an end and a size", () => {
  const image = buildDeviceImage({ header: HEADER, data: buildReferenceFixture() });
  const start = image.subarray(0, SAMPLE_START_SIZE);
  assertEquals(identify({ name: "x", start, end: null, size: null }), { kind: "unknown", hint: null });
});

Deno.test("identify() survives any bytes", () => {
  const beginning = fc.constantFrom(
    new Uint8Array(0),
    text("minidump FreeBSD/"),
    HEADER,
    KEY,
    buildElfCore().slice(0, 200),
    buildTextdump().slice(0, 512),
  );
  fc.assert(fc.property(beginning, fc.uint8Array({ maxLength: 700 }), fc.nat(600), (first, rest, cut) => {
    look(concatenate([first.subarray(0, cut), rest]));
  }));
});

testWithTool("file", "file(1) and identify() agree on minidumps of every kind", async (run) => {
  for (const kind of MINIDUMP_KINDS) {
    const dump = buildMinidump(kind);
    assertEquals(look(dump).kind, "minidump");
    const order = kind.littleEndian ? "little" : "big";
    const mmu = kind.architecture === "powerpc64" ? ", mmu_phyp" : "";
    assertStringIncludes(
      await run(["-b"], dump),
      `FreeBSD kernel minidump for ${kind.architecture}${mmu}, ${order} endian, version ${kind.version}`,
    );
  }
});

testWithTool("file", "file(1) and identify() agree on full dumps and textdumps", async (run) => {
  const core = await run(["-b"], buildElfCore());
  assertStringIncludes(core, "ELF 64-bit LSB core file, x86-64");
  assertStringIncludes(await run(["-b"], buildTextdump()), "POSIX tar archive");
});

testWithVmcores("identify() knows the real vmcores", async () => {
  for (const architecture of ["amd64", "arm64"] as const) {
    assertEquals(look(await realVmcore(architecture)), { kind: "minidump", trailingHeader: false });
  }
});
