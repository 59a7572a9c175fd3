import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  decodeMinidump,
  hasMinidumpMagic,
  MINIDUMP_HEADER_SIZE,
  minidumpLayout,
} from "../../../lib/kerneldump/minidump/minidump.ts";
import { hex } from "../../helpers.ts";
import { realVmcore, testWithVmcores } from "../real_vmcores.ts";
import { buildMinidump, buildReferenceFixture, MINIDUMP_KINDS } from "../synthetic.ts";

Deno.test("the reference's fixture is built byte for byte", async () => {
  const fixture = buildReferenceFixture();
  assertEquals(fixture.byteLength, 40960);
  assertEquals(
    hex(new Uint8Array(await crypto.subtle.digest("SHA-256", fixture))),
    "0c3fe6773ea32d62e5be953f2b71aca6820036fbea8d045035d480b158f314e6",
  );
});

Deno.test("decodeMinidump() reads the reference's fixture", () => {
  const minidump = decodeMinidump(buildReferenceFixture());
  assertEquals(minidump, {
    architecture: "amd64",
    version: 3,
    littleEndian: true,
    wordSize: 8,
    pageSize: 4096,
    messageBufferSize: 0x1fb8,
    bitmapSize: 0x1000,
    pageTableSize: 0x1000,
    dumpAvailSize: 0x1000,
    kernelBase: 0xfffffe0000000000n,
    kernelEnd: null,
    directMapPhysical: null,
    directMapBase: 0xfffff80000000000n,
    directMapEnd: 0xfffffc0000000000n,
    paeMode: null,
    mmuFormat: null,
    mmuName: null,
    hardwareDirectMap: null,
    startKernel: null,
    endKernel: null,
  });
  assertEquals(minidumpLayout(minidump), {
    header: { offset: 0, size: 0x1000 },
    messageBuffer: { offset: 0x1000, size: 0x2000 },
    dumpAvail: { offset: 0x3000, size: 0x1000 },
    bitmap: { offset: 0x4000, size: 0x1000 },
    pageTables: { offset: 0x5000, size: 0x1000 },
    pagesOffset: 0x6000,
  });
});

/** What section 3.2 says about each architecture, by the fields of the synthetic builder. */
const EXPECTED = {
  amd64: {
    kernelBase: 0xfffffe0000000000n,
    directMapBase: 0xfffff80000000000n,
    directMapEnd: 0xfffffc0000000000n,
  },
  arm64: {
    kernelBase: 0xffff000000000000n,
    directMapPhysical: 0x40000000n,
    directMapBase: 0xffffa00000000000n,
    directMapEnd: 0xffffff0000000000n,
  },
  riscv: {
    kernelBase: 0xffffffc000000000n,
    directMapPhysical: 0x80000000n,
    directMapBase: 0xffffffd000000000n,
    directMapEnd: 0xfffffff000000000n,
  },
  i386: { kernelBase: 0x800000n, paeMode: true },
  arm: { kernelBase: 0xc0000000n, mmuFormat: 2 },
  mips: { kernelBase: 0xc000000000000000n, directMapBase: 0x9800000000000000n, directMapEnd: 0n },
  powerpc64: {
    kernelBase: 0xe000000000000000n,
    kernelEnd: 0xefffffffffffffffn,
    directMapBase: 0xc000000000000000n,
    directMapEnd: 0xc0000000ffffffffn,
    mmuName: "mmu_phyp",
    hardwareDirectMap: true,
    startKernel: 0xc000000000100100n,
    endKernel: 0xc000000002000000n,
  },
} as const;
const ABSENT = {
  kernelEnd: null,
  directMapPhysical: null,
  directMapBase: null,
  directMapEnd: null,
  paeMode: null,
  mmuFormat: null,
  mmuName: null,
  hardwareDirectMap: null,
  startKernel: null,
  endKernel: null,
};
const FIRST_WITH_DUMP_AVAIL = { amd64: 3, arm64: 2, riscv: 2, i386: 2, arm: 2, mips: 2, powerpc64: 2 };

for (const kind of MINIDUMP_KINDS) {
  const { architecture, version, littleEndian, pageSize } = kind;
  const order = littleEndian ? "little" : "big";
  Deno.test(`decodeMinidump() reads ${architecture} version ${version}, ${order} endian, ${pageSize}-byte pages`, () => {
    const dump = buildMinidump({ ...kind, paeMode: 1, pages: { 0x1000: new Uint8Array(1) } });
    const minidump = decodeMinidump(dump);
    const narrow = architecture === "i386" || architecture === "arm";
    assertEquals(minidump, {
      ...ABSENT,
      ...EXPECTED[architecture],
      architecture,
      version,
      littleEndian,
      wordSize: narrow ? 4 : 8,
      pageSize,
      messageBufferSize: 8192 - (narrow ? 56 : 72),
      bitmapSize: pageSize,
      pageTableSize: pageSize,
      dumpAvailSize: version < FIRST_WITH_DUMP_AVAIL[architecture] ? null : pageSize,
    });
    assertEquals(minidumpLayout(minidump).pagesOffset, dump.byteLength - pageSize);
  });
}

/** The offsets of messages, dump_avail, bitmap, page tables and pages in the real dumps of section 3.8. */
const offsets = (bytes: Uint8Array) => {
  const layout = minidumpLayout(decodeMinidump(bytes));
  const sections = [layout.messageBuffer, layout.dumpAvail, layout.bitmap, layout.pageTables];
  return [...sections.map((section) => section?.offset), layout.pagesOffset];
};

testWithVmcores("minidumpLayout() puts the sections of the real vmcores where they are", async () => {
  assertEquals(offsets(await realVmcore("amd64")), [0x1000, 0x19000, 0x1a000, 0x1b000, 0x81a000]);
  assertEquals(offsets(await realVmcore("arm64")), [0x1000, 0x19000, 0x1a000, 0x1c000, 0x6ca000]);
});

Deno.test("minidumpLayout() puts the sections of an i386 dump where the reference's real one has them", () => {
  const header = buildMinidump({ architecture: "i386", paeMode: 1 });
  const view = new DataView(header.buffer);
  [0x17fc8, 0x1000, 0xec000].forEach((size, i) => view.setUint32(28 + 4 * i, size, true));
  assertEquals(offsets(header), [0x1000, 0x19000, 0x1a000, 0x1b000, 0x107000]);
});

Deno.test("decodeMinidump() takes a mips kernel below 4 GiB for a 32-bit one", () => {
  assertEquals(decodeMinidump(buildMinidump({ architecture: "mips", kernelBase: 0xc0000000n })).wordSize, 4);
});

Deno.test("decodeMinidump() refuses short, foreign, unknown and future headers", () => {
  const dump = buildReferenceFixture();
  const changed = (at: number, text: string) => {
    const copy = dump.slice();
    new TextEncoder().encodeInto(text, copy.subarray(at));
    return copy;
  };
  assertThrows(() => decodeMinidump(dump.subarray(0, MINIDUMP_HEADER_SIZE - 1)), SyntaxError, "143 bytes");
  assertThrows(() => decodeMinidump(changed(0, "Minidump")), SyntaxError, "magic");
  assertThrows(() => decodeMinidump(changed(17, "vax\0")), SyntaxError, "architecture");
  assertThrows(() => decodeMinidump(changed(17, "__proto")), SyntaxError, "architecture");
  assertThrows(
    () => decodeMinidump(changed(24, "\x04")),
    SyntaxError,
    "version 4 for amd64, expected 1 to 3",
  );
  assertThrows(() => decodeMinidump(changed(24, "\0\0\0\0")), SyntaxError, "version 0");
  const arm64 = buildMinidump({ architecture: "arm64", version: 3 });
  arm64[76] = 3;
  assertThrows(() => decodeMinidump(arm64), SyntaxError, "flags 0x3");
});

Deno.test("hasMinidumpMagic() wants all of it", () => {
  const dump = buildReferenceFixture();
  assert(hasMinidumpMagic(dump));
  assert(!hasMinidumpMagic(dump.subarray(0, 16)));
  assert(!hasMinidumpMagic(new Uint8Array(0)));
});

Deno.test("decodeMinidump() and minidumpLayout() survive every header", () => {
  const magic = new TextEncoder().encode("minidump FreeBSD/");
  const header = fc.tuple(
    fc.constantFrom("amd64", "arm64", "riscv", "i386", "arm", "mips", "powerpc64", "alpha", ""),
    fc.integer({ min: 0, max: 5 }),
    fc.boolean(),
    fc.uint8Array({ minLength: MINIDUMP_HEADER_SIZE, maxLength: 200 }),
  );
  fc.assert(fc.property(header, ([name, version, little, rest]) => {
    const bytes = rest.slice();
    bytes.fill(0, 0, 32);
    bytes.set(magic);
    new TextEncoder().encodeInto(name, bytes.subarray(magic.length));
    new DataView(bytes.buffer).setUint32(name === "powerpc64" ? 64 : 24, version, little);
    try {
      const layout = minidumpLayout(decodeMinidump(bytes));
      assert(Number.isSafeInteger(layout.pagesOffset));
      assert(layout.pagesOffset >= layout.pageTables.offset);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }));
});
