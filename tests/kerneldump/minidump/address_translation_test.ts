import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { translate } from "../../../lib/kerneldump/minidump/address_translation.ts";
import { type MemoryPiece, minidumpMemory } from "../../../lib/kerneldump/memory.ts";
import { decodeMinidump } from "../../../lib/kerneldump/minidump/minidump.ts";
import { PageMap } from "../../../lib/kerneldump/minidump/page_map.ts";
import { readAtOf } from "../../../lib/bytes/source.ts";
import { hex } from "../../helpers.ts";
import { realVmcore, testWithVmcores } from "../real_vmcores.ts";
import {
  buildMinidump,
  buildReferenceFixture,
  MINIDUMP_KINDS,
  type SyntheticMinidump,
} from "../synthetic.ts";

async function open(dump: Uint8Array) {
  const readAt = readAtOf(dump);
  const minidump = decodeMinidump(dump);
  return { readAt, minidump, pageMap: await PageMap.read(readAt, minidump) };
}

/** Where an address leads, as hex, or why nowhere. */
async function lead(dump: Uint8Array, address: bigint): Promise<string> {
  const translation = await translate(await open(dump), address);
  return translation.kind === "mapped" ? translation.physicalAddress.toString(16) : translation.reason;
}

async function offsets(pieces: AsyncGenerator<MemoryPiece>): Promise<string[]> {
  const shown: string[] = [];
  for await (const piece of pieces) {
    const at = piece.bytes === null ? piece.missing : piece.fileOffset.toString(16);
    shown.push(`${piece.length}@${at}`);
  }
  return shown;
}

Deno.test("addresses of the reference's fixture lead where the reference says", async () => {
  const fixture = buildReferenceFixture();
  const memory = minidumpMemory(await open(fixture));
  assertEquals(memory.addressBits, 64);
  assertEquals(await offsets(memory.readVirtual(0xfffffe0000000010n, 4)), ["4@8010"]);
  assertEquals(await offsets(memory.readVirtual(0xfffffe0000201234n, 4)), ["4@6234"]);
  assertEquals(await offsets(memory.readVirtual(0xfffff800001ff010n, 4)), ["4@9010"]);
  assertEquals(await offsets(memory.readPhysical(0x9f000n, 1)), ["1@the machine has no such memory"]);
  assertEquals(await offsets(memory.readPhysical(0x102000n, 1)), ["1@the kernel did not dump this page"]);
  assertEquals(await lead(fixture, 0xfffffe0000001000n), "its page table entry is not valid");
  assertEquals(await lead(fixture, 0xfffffe0000400000n), "its page table entry is not valid");
  assertEquals(await lead(fixture, 0xffffffff80000000n), "it is beyond the dump's page tables");
  assertEquals(await lead(fixture, 0x1000n), "it is below the kernel's address space");
  assertEquals(await lead(fixture, 1n << 64n), "it is above the machine's address space");
  assertEquals(await lead(fixture, 0xfffff80000000000n), "0", "the direct map may lead beyond all memory");
});

Deno.test("reading crosses pages, and says of each what is missing", async () => {
  const memory = minidumpMemory(await open(buildReferenceFixture()));
  assertEquals(await offsets(memory.readPhysical(0x100ff0n, 0x1020)), [
    "16@7ff0",
    "4096@8000",
    "16@the kernel did not dump this page",
  ]);
  assertEquals(await offsets(memory.readPhysical(0xffffffffffffffffn, 2)), [
    "1@the machine has no such memory",
    "1@the machine has no such memory",
  ]);
  assertEquals(await offsets(memory.readVirtual(0xfffff80000001000n, 0)), []);
  const cut = minidumpMemory(await open(buildReferenceFixture().subarray(0, 0x9800)));
  assertEquals(await offsets(cut.readPhysical(0x1ff7f0n, 32)), ["16@97f0", "16@the file ends before it"]);
});

/** Page tables of entries at given indexes. */
function tables(
  entrySize: 4 | 8,
  entries: Readonly<Record<number, bigint>>,
  little = true,
  size = 4096,
): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (const [index, entry] of Object.entries(entries)) {
    if (entrySize === 8) view.setBigUint64(8 * Number(index), entry, little);
    else view.setUint32(4 * Number(index), Number(entry), little);
  }
  return bytes;
}

const CASES: readonly {
  name: string;
  dump: SyntheticMinidump;
  leads: readonly (readonly [address: bigint, to: string])[];
}[] = [
  {
    name: "amd64 version 1 has page table entries",
    dump: {
      architecture: "amd64",
      version: 1,
      pageTables: tables(8, { 1: 0x8000000000123003n, 2: 0x123002n }),
    },
    leads: [
      [0xfffffe0000001abcn, "123abc"],
      [0xfffffe0000002000n, "its page table entry is not valid"],
    ],
  },
  {
    name: "amd64 large pages keep 21 bits of the address, and NX is no part of a frame",
    dump: { architecture: "amd64", pageTables: tables(8, { 1: 0x80000000002000e3n }) },
    leads: [[0xfffffe00003abcden, "3abcde"]],
  },
  {
    name: "amd64 says when the page table itself was not dumped",
    dump: { architecture: "amd64", pageTables: tables(8, { 0: 0x5003n }) },
    leads: [[0xfffffe0000001000n, "its page table at physical address 0x5008 is not in the dump"]],
  },
  {
    name: "arm64 asks the direct map first, and masks the upper attributes",
    dump: {
      architecture: "arm64",
      version: 2,
      pageTables: tables(8, { 0: 0x0060000040123703n, 1: 0x40123701n }),
    },
    leads: [
      [0xffff000000000123n, "40123123"],
      [0xffff000000001000n, "its page table entry is not valid"],
      [0xffffa00000001234n, "40001234"],
      [0xffff000000200000n, "it is beyond the dump's page tables"],
    ],
  },
  {
    name: "arm64 with 16 KiB pages keeps 14 bits of the address",
    dump: { architecture: "arm64", version: 3, pageSize: 16384, pageTables: tables(8, { 1: 0x40124703n }) },
    leads: [[0xffff000000007123n, "40127123"]],
  },
  {
    name: "riscv shifts the frame number, and entries without R, W and X lead nowhere",
    dump: {
      architecture: "riscv",
      pageTables: tables(8, { 0: (0x80200n << 10n) | 0xcfn, 1: (0x80200n << 10n) | 1n }),
    },
    leads: [
      [0xffffffc000000abcn, "80200abc"],
      [0xffffffc000001000n, "its page table entry is not valid"],
      [0xffffffd000000010n, "80000010"],
    ],
  },
  {
    name: "i386 without PAE has entries of 4 bytes",
    dump: { architecture: "i386", pageTables: tables(4, { 0: 0x123003n, 1: 0xfffff001n, 2: 0x83n }) },
    leads: [
      [0x800abcn, "123abc"],
      [0x801000n, "fffff000"],
      [0x802000n, "its page table entry is marked as a large page"],
      [0x803000n, "its page table entry is not valid"],
      [0x100000000n, "it is above the machine's address space"],
      [0x7fffffn, "it is below the kernel's address space"],
    ],
  },
  {
    name: "i386 with PAE has entries of 8 bytes, with frames above 4 GiB and NX",
    dump: { architecture: "i386", paeMode: 1, pageTables: tables(8, { 1: 0x8000000123456003n }) },
    leads: [[0x801abcn, "123456abc"]],
  },
  {
    name: "arm has pages of 64 KiB and of 4 KiB",
    dump: { architecture: "arm", pageTables: tables(4, { 1: 0x12340001n, 2: 0x5678002en, 3: 0x56780003n }) },
    leads: [
      [0xc0001abcn, "12341abc"],
      [0xc0002abcn, "56780abc"],
      [0xc0003abcn, "56780abc"],
      [0xc0000000n, "its page table entry is not valid"],
    ],
  },
  {
    name: "arm, big endian",
    dump: { architecture: "arm", littleEndian: false, pageTables: tables(4, { 1: 0x5678002en }, false) },
    leads: [[0xc0001abcn, "56780abc"]],
  },
  {
    name: "arm with LPAE is refused politely",
    dump: { architecture: "arm", mmuFormat: 3 },
    leads: [[0xc0001000n, "LPAE page tables are not searched"]],
  },
  {
    name: "64-bit mips has kseg0, kseg1, xkphys and entries of 8 bytes",
    dump: {
      architecture: "mips",
      littleEndian: false,
      pageTables: tables(8, { 1: (0x123n << 6n) | 2n }, false),
    },
    leads: [
      [0xffffffff80100010n, "100010"],
      [0xffffffffa0100010n, "100010"],
      [0x9800000012345678n, "12345678"],
      [0xc000000000001abcn, "123abc"],
      [0xc000000000002000n, "its page table entry is not valid"],
      [0x1000n, "it is below the kernel's address space"],
    ],
  },
  {
    name: "32-bit mips has kseg0, kseg1 and entries of 4 bytes",
    dump: {
      architecture: "mips",
      kernelBase: 0xc0000000n,
      pageTables: tables(4, { 1: (0x123n << 6n) | 2n }),
    },
    leads: [
      [0x80100010n, "100010"],
      [0xbfffffffn, "1fffffff"],
      [0xc0001abcn, "123abc"],
    ],
  },
  {
    name: "powerpc64 has a direct map, and a kernel moved into it",
    dump: { architecture: "powerpc64", littleEndian: false, startKernel: 0xc000000000200100n },
    leads: [
      [0xc000000000123456n, "123456"],
      [0x100200n, "200200"],
      [0xe000000000000000n, "hashed page tables are not searched"],
    ],
  },
  ...[true, false].map((littleEndian) => ({
    name: `powerpc64 with radix tables has four levels, big endian also on a machine that is ${
      littleEndian ? "little" : "big"
    } endian`,
    dump: radixDump(littleEndian),
    leads: [
      [0xc008000000000123n, "40123"],
      [0xc008000000001123n, "its page table entry is not valid"],
      [0xc008000000201234n, "3201234"],
      [0xc008000040345678n, "80345678"],
      [0xc008000080000000n, "its page table at physical address 0x99000 is not in the dump"],
      [0xc008010000000000n, "its page table entry is not valid"],
      [0xc008008012345678n, "8012345678"],
      [0xc000000000123456n, "123456"],
      [0x100200n, "200200"],
      [0xc010000000000000n, "it is beyond the dump's page tables"],
    ] as const,
  })),
  {
    name: "powerpc64 with radix tables, of a kernel that saved no root",
    dump: { ...radixDump(true), pageTables: new Uint8Array(0) },
    leads: [[0xc008000000000123n, "it is beyond the dump's page tables"]],
  },
];

/** A page, pages of 2 MiB, 1 GiB and 512 GiB, and an entry of the last level that is no leaf. */
function radixDump(littleEndian: boolean): SyntheticMinidump {
  const table = (address: bigint) => 1n << 63n | address | 9n;
  const leaf = (address: bigint) => 3n << 62n | address | 6n;
  const level = (entries: Readonly<Record<number, bigint>>) => tables(8, entries, false);
  return {
    architecture: "powerpc64",
    littleEndian,
    mmuName: "mmu_radix",
    kernelBase: 0xc008000000000000n,
    startKernel: 0xc000000000200100n,
    directMap: { base: 0xc000000000000000n, end: 0xc0000000ffffffffn },
    ranges: [[0, 0x100000]],
    pageTables: tables(8, { 4096: table(0x1000n), 4097: leaf(0x8000000000n) }, false, 65536),
    pages: {
      0x1000: level({ 0: table(0x2000n), 1: leaf(0x80000000n), 2: table(0x99000n) }),
      0x2000: level({ 0: table(0x3000n), 1: leaf(0x3200000n) }),
      0x3000: level({ 0: leaf(0x40000n), 1: table(0x1000n) }),
    },
  };
}

for (const { name, dump, leads } of CASES) {
  Deno.test(`translate(): ${name}`, async () => {
    const bytes = buildMinidump(dump);
    for (const [address, to] of leads) assertEquals(await lead(bytes, address), to, address.toString(16));
  });
}

Deno.test("translate() takes an entry that the file does not hold for missing, not for zero", async () => {
  const dump = buildReferenceFixture();
  assertEquals(
    await lead(dump.subarray(0, 0x5004), 0xfffffe0000000000n),
    "its page table entry is beyond the end of the file",
  );
  assertStringIncludes(
    await lead(dump.subarray(0, 0x7004), 0xfffffe0000000000n),
    "is beyond the end of the file",
  );
});

Deno.test("translate() and reading survive any page tables and addresses", async () => {
  const cases = fc.record({
    kind: fc.constantFrom(...MINIDUMP_KINDS),
    table: fc.uint8Array({ minLength: 4096, maxLength: 4096 }),
    address: fc.oneof(fc.bigUintN(64), fc.nat(0x7fffff).map(BigInt)),
    fromBase: fc.boolean(),
  });
  await fc.assert(fc.asyncProperty(cases, async ({ kind, table, address, fromBase }) => {
    const dump = await open(
      buildMinidump({ ...kind, pageTables: table, pages: { 0: table, 0x1000: table } }),
    );
    const start = fromBase ? dump.minidump.kernelBase + (address & 0x7fffffn) : address;
    const memory = minidumpMemory(dump);
    let length = 0;
    for await (const piece of memory.readVirtual(start, 5000)) length += piece.length;
    for await (const piece of memory.readPhysical(start, 5000)) length += piece.length;
    assertEquals(length, 10000);
  }));
});

testWithVmcores("virtual addresses of the real vmcores hold the values of the reference", async () => {
  const u32 = async (architecture: "amd64" | "arm64", address: bigint) => {
    const memory = minidumpMemory(await open(await realVmcore(architecture)));
    const [piece] = await Array.fromAsync(memory.readVirtual(address, 4));
    assert(piece !== undefined && piece.bytes !== null);
    return parseInt(hex(piece.bytes.slice().reverse()), 16);
  };
  assertEquals(await u32("amd64", 0xffffffff81cd4c0cn), 100, "hz");
  assertEquals(await u32("amd64", 0xffffffff81ca69a8n), 100670, "dumptid");
  assertEquals(await u32("amd64", 0xffffffff815ca590n), 320, "pcb_size");
  assertEquals(await u32("arm64", 0xffff000000e2651cn), 1000, "hz");
  assertEquals(await u32("arm64", 0xffff000000df3cf0n), 100137, "dumptid");
  assertEquals(await u32("arm64", 0xffff00000096bc0cn), 1376, "pcb_size");
});
