import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  decodeKernelDumpHeader,
  encodeKernelDumpHeader,
  type KernelDumpHeaderFields,
  Magic,
} from "../../lib/kerneldump/files/header.ts";
import { parseInfo } from "../../lib/kerneldump/files/read_info.ts";
import {
  type DumpFacts,
  type HeaderOverrides,
  type HeaderSource,
  makeHeader,
} from "../../lib/send/dump_header.ts";
import { parseDumpName } from "../../lib/kerneldump/files/dump_name.ts";

const NO_OVERRIDES: HeaderOverrides = {
  hostname: undefined,
  panicString: undefined,
  architecture: undefined,
  versionString: undefined,
};

const FIELDS: KernelDumpHeaderFields = {
  magic: Magic.DUMP,
  architecture: "aarch64",
  version: 2,
  architectureVersion: 1,
  dumpLength: 8192,
  dumpExtent: null,
  dumpTime: 1_500_000_000,
  dumpKeySize: 0,
  blockSize: 512,
  compression: null,
  hostname: "w1",
  versionString: "FreeBSD 12.0-CURRENT\n",
  panicString: "oops",
};

function facts(name: string, fileSize: number, more: Partial<DumpFacts> = {}): DumpFacts {
  const beginning = { plain: new Uint8Array(), compression: "none" } as const;
  return { name: parseDumpName(name), fileSize, modifiedAt: 1_600_000_000, keySize: 0, beginning, ...more };
}

const received = (fields: Partial<KernelDumpHeaderFields> = {}): HeaderSource => ({
  kind: "header",
  bytes: encodeKernelDumpHeader({ ...FIELDS, ...fields }),
});

function infoSource(lines: readonly string[]): HeaderSource {
  const info = parseInfo(["Dump header from device: /dev/ada0p3", ...lines, ""].join("\n"));
  if (info === undefined) throw new Error("The test's info file is none");
  return { kind: "info", info };
}

Deno.test("makeHeader() sends a received header byte for byte, of whatever version and parity", () => {
  const source = received() as { kind: "header"; bytes: Uint8Array };
  source.bytes[400] = 0x41;
  const { bytes, warnings } = makeHeader(source, facts("vmcore.0", 8192), NO_OVERRIDES);
  assertEquals(bytes, source.bytes);
  assertEquals(warnings, ["the parity of the kernel dump header is wrong: it is sent as it is"]);
});

Deno.test("makeHeader() puts options over a received header and makes its parity right again", () => {
  const overrides = { ...NO_OVERRIDES, hostname: "lab", versionString: "FreeBSD 15", architecture: "amd64" };
  const { header } = makeHeader(received(), facts("vmcore.0", 8192), overrides);
  const { parity: _, ...rest } = header;
  assertEquals(rest, {
    ...FIELDS,
    hostname: "lab",
    versionString: "FreeBSD 15\n",
    architecture: "amd64",
    architectureVersion: 2,
    parityOk: true,
  });
});

Deno.test("makeHeader() refuses what is not 512 bytes of a header", () => {
  for (const bytes of [new Uint8Array(511), new Uint8Array(512), new Uint8Array(513)]) {
    const make = () => makeHeader({ kind: "header", bytes }, facts("vmcore.0", 8192), NO_OVERRIDES);
    assertThrows(make, SyntaxError, "Cannot read kernel dump header");
  }
});

Deno.test("makeHeader() builds version 4 from savecore's info file", () => {
  const source = infoSource([
    "  Architecture: amd64",
    "  Architecture Version: 2",
    "  Dump Length: 970199040",
    "  Blocksize: 512",
    "  Compression: none",
    "  Dumptime: 2023-05-17 14:07:58 +0100",
    "  Hostname: displacementactivity",
    "  Magic: FreeBSD Kernel Dump",
    "  Version String: FreeBSD 14.0-CURRENT #2",
    "    tj@displacementactivity:/usr/obj",
    "  Panic String: Duplicate free",
    "  Dump Parity: 3958266970",
    "  Bounds: 5",
    "  Dump Status: good",
  ]);
  const { header, dataSize, warnings } = makeHeader(source, facts("vmcore.5", 970199040), NO_OVERRIDES);
  const { parity: _, ...rest } = header;
  assertEquals(rest, {
    magic: Magic.DUMP,
    architecture: "amd64",
    version: 4,
    architectureVersion: 2,
    dumpLength: 970199040,
    dumpExtent: 970199040,
    dumpTime: 1684328878,
    dumpKeySize: 0,
    blockSize: 4096,
    compression: "none",
    hostname: "displacementactivity",
    versionString: "FreeBSD 14.0-CURRENT #2\n    tj@displacementactivity:/usr/obj\n",
    panicString: "Duplicate free",
    parityOk: true,
  });
  assertEquals([dataSize, warnings], [970199040, []]);
});

Deno.test("makeHeader() of a dump that savecore -z compressed has the file's length and the dump's extent", () => {
  const source = infoSource(["  Architecture: amd64", "  Dump Length: 1000000", "  Compression: none"]);
  const { header, dataSize } = makeHeader(source, facts("vmcore.5.gz", 12_345), NO_OVERRIDES);
  assertEquals(
    [header.dumpLength, header.dumpExtent, header.compression, dataSize],
    [12_345, 1_000_000, "gzip", 16_384],
  );
});

Deno.test("makeHeader() knows from info that an encrypted dump without a suffix is compressed", () => {
  const source = infoSource(["  Architecture: amd64", "  Dump Length: 12345", "  Compression: zstd"]);
  const { header, dataSize, warnings } = makeHeader(
    source,
    facts("vmcore_encrypted.5", 12_345, { keySize: 4096 }),
    NO_OVERRIDES,
  );
  assertEquals([header.compression, header.dumpKeySize, dataSize, warnings], ["zstd", 4096, 16_384, []]);
});

Deno.test("makeHeader() without any source takes what options, file and minidump header tell", () => {
  const beginning = new Uint8Array(4096);
  beginning.set(new TextEncoder().encode("minidump FreeBSD/arm64"));
  new DataView(beginning.buffer).setUint32(24, 1, true);
  const { header, warnings } = makeHeader(
    { kind: "none" },
    facts("core", 8192, { beginning: { plain: beginning, compression: "none" } }),
    { ...NO_OVERRIDES, panicString: "by hand" },
  );
  assertEquals(
    [header.architecture, header.architectureVersion, header.panicString, header.dumpTime, header.hostname],
    ["aarch64", 1, "by hand", 1_600_000_000, ""],
  );
  assertEquals(warnings, []);
});

Deno.test("makeHeader() says what cannot be right", () => {
  const warn = (source: HeaderSource, name: string, size: number) =>
    makeHeader(source, facts(name, size), NO_OVERRIDES);
  const unknown = warn({ kind: "none" }, "core", 4096);
  assertEquals(unknown.warnings, ["the architecture is not known: --arch tells it"]);
  const cut = warn(received(), "vmcore.0", 5000);
  assertMatch(cut.warnings[0] ?? "", /header speaks of 8192 bytes, the file has 5000/);
  assertEquals(cut.dataSize, 5000);
  const longer = warn(received(), "vmcore.0", 12288);
  assertMatch(longer.warnings[0] ?? "", /header speaks of 8192 bytes, the file has 12288/);
  const tail = warn(received(), "vmcore.0", 4096);
  assertMatch(tail.warnings[0] ?? "", /ends 4096 bytes before the dump does/);
  assertEquals(tail.dataSize, 8192);
  const partial = warn(received(), "vmcore.w1.0.incomplete", 4096);
  assertMatch(partial.warnings[0] ?? "", /never arrived whole/);
  assertEquals(partial.dataSize, 4096);
  const keyless = warn(received({ dumpKeySize: 4096 }), "vmcore_encrypted.0", 8192);
  assertMatch(keyless.warnings[0] ?? "", /encrypted and has no key/);
});

Deno.test("makeHeader() keeps a textdump's magic", () => {
  const source = infoSource(["  Architecture: amd64", "  Dump Length: 4096", "  Magic: FreeBSD Text Dump"]);
  const { bytes } = makeHeader(source, facts("textdump.tar.0", 4096), NO_OVERRIDES);
  assertEquals(decodeKernelDumpHeader(bytes).magic, Magic.TEXTDUMP);
});
