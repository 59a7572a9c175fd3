import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import {
  checkElfCore,
  type ElfCore,
  elfCoreSize,
  isKernelDump,
  isProcessCore,
  readElfCore,
} from "../../../lib/kerneldump/elf/elf_core.ts";
import { elfMemory } from "../../../lib/kerneldump/elf/elf_memory.ts";
import type { MemoryPiece } from "../../../lib/kerneldump/memory.ts";
import { readAtOf } from "../../../lib/bytes/source.ts";
import { hex } from "../../helpers.ts";
import { buildElfCore, type SyntheticElfCore } from "../synthetic.ts";
import { testWithTool } from "../tools.ts";

/** The segments of a real amd64 dump (reference section 5), shrunk. */
const SEGMENTS = [
  { address: 0n, contents: new Uint8Array(0x9000).fill(1) },
  { address: 0x104000n, contents: new Uint8Array(0x3000).fill(2) },
];

function read(fields: SyntheticElfCore): Promise<ElfCore> {
  return readElfCore(readAtOf(buildElfCore(fields)));
}

for (const bits of [32, 64] as const) {
  for (const littleEndian of [true, false]) {
    const order = littleEndian ? "little" : "big";
    Deno.test(`readElfCore() reads a full dump of ${bits} bits, ${order} endian`, async () => {
      const core = await read({ bits, littleEndian, segments: SEGMENTS });
      assertEquals(core, {
        class: bits,
        byteOrder: order,
        machine: bits === 64 ? "amd64" : "i386",
        type: 4,
        osAbi: 255,
        version: 0,
        segments: [
          { offset: 0x1000, virtualAddress: 0n, physicalAddress: 0n, fileSize: 0x9000, memorySize: 0x9000 },
          {
            offset: 0xa000,
            virtualAddress: 0x104000n,
            physicalAddress: 0x104000n,
            fileSize: 0x3000,
            memorySize: 0x3000,
          },
        ],
        hasNotes: false,
        dumpDelta: null,
      });
      assert(isKernelDump(core));
      assert(!isProcessCore(core));
      assertEquals(checkElfCore(core, { size: 0xd000, maybeSparse: true }), []);
    });
  }
}

Deno.test("readElfCore() names the machines of the reference", async () => {
  const name = async (machine: number, bits: 32 | 64, littleEndian = true) =>
    (await read({ machine, bits, littleEndian })).machine;
  assertEquals(await name(3, 32), "i386");
  assertEquals(await name(8, 32, false), "mips");
  assertEquals(await name(8, 64), "mips64el");
  assertEquals(await name(20, 32, false), "powerpc");
  assertEquals(await name(21, 64, false), "powerpc64");
  assertEquals(await name(21, 64), "powerpc64le");
  assertEquals(await name(40, 32), "arm");
  assertEquals(await name(183, 64), "aarch64");
  assertEquals(await name(243, 64), "riscv64");
  assertEquals(await name(0x9026, 64), "alpha");
  assertEquals(await name(4242, 64), "machine 4242");
});

Deno.test("the core of a process is told from a kernel's", async () => {
  const freebsd = await read({ osAbi: 9 });
  assert(isProcessCore(freebsd) && !isKernelDump(freebsd));
  const linux = await read({
    osAbi: 0,
    segments: [{ address: 0n, contents: new Uint8Array(16), type: 4 }, ...SEGMENTS],
  });
  assert(isProcessCore(linux) && !isKernelDump(linux));
});

Deno.test("checkElfCore() tells cut, long and lying files", async () => {
  const core = await read({ segments: SEGMENTS });
  assertEquals(elfCoreSize(core), 0xd000);
  const codes = (size: number, maybeSparse = true) =>
    checkElfCore(core, { size, maybeSparse }).map((p) => p.code);
  assertEquals(codes(0xd001), ["size-mismatch"]);
  assertEquals(codes(0xcfff), ["size-mismatch"]);
  assertEquals(codes(0xb000), ["missing-tail"]);
  assertEquals(codes(0xb000, false), ["size-mismatch"]);
  const [cut] = checkElfCore(core, { size: 0xa001, maybeSparse: true });
  assertStringIncludes(cut!.message, "it ends in segment 2 of 2");

  const lying = async (segments: SyntheticElfCore["segments"]) =>
    checkElfCore(await read({ segments: segments! }), { size: null, maybeSparse: true }).map((p) =>
      p.message
    );
  assertStringIncludes((await lying([SEGMENTS[1]!, SEGMENTS[0]!]))[0]!, "Segment 2 of the ELF core overlaps");
  assertStringIncludes((await lying([]))[0]!, "no segments");
  const sizes = buildElfCore({ segments: SEGMENTS });
  new DataView(sizes.buffer).setBigUint64(64 + 40, 0x9001n, true);
  const differing = checkElfCore(await readElfCore(readAtOf(sizes)), { size: null, maybeSparse: true });
  assertStringIncludes(differing[0]!.message, "36864 bytes of file for 36865 of memory");
});

async function bytesOf(pieces: AsyncGenerator<MemoryPiece>): Promise<string[]> {
  const shown: string[] = [];
  for await (const piece of pieces) {
    const at = `${piece.address.toString(16)}+${piece.length}`;
    shown.push(piece.bytes === null ? `${at} ${piece.missing}` : `${at} ${hex(piece.bytes)}`);
  }
  return shown;
}

Deno.test("elfMemory() reads physical memory and says what no segment or file holds", async () => {
  const dump = buildElfCore({ segments: SEGMENTS });
  const memory = elfMemory(readAtOf(dump), await readElfCore(readAtOf(dump)));
  assertEquals(memory.addressBits, 64);
  assertEquals(await bytesOf(memory.readPhysical(0x8ffen, 4)), ["8ffe+2 0101", "9000+2 no segment holds it"]);
  assertEquals(await bytesOf(memory.readPhysical(0x104000n, 2)), ["104000+2 0202"]);
  assertEquals(await bytesOf(memory.readVirtual(0xffffffff80000000n, 2)), [
    "ffffffff80000000+2 a full dump tells virtual addresses only with the kernel's symbols",
  ]);
  const cut = dump.subarray(0, 0xa001);
  const short = elfMemory(readAtOf(cut), await readElfCore(readAtOf(cut)));
  assertEquals(await bytesOf(short.readPhysical(0x104000n, 3)), [
    "104000+1 02",
    "104001+2 the file ends before it",
  ]);
});

Deno.test("elfMemory() knows arm's dump delta and powerpc's virtual segments", async () => {
  const arm = buildElfCore({
    bits: 32,
    machine: 40,
    segments: [
      { address: 0x10000000n, contents: new Uint8Array(0x2000).fill(3) },
      { address: 0x10000000n, virtualAddress: 0xc0000000n, contents: new Uint8Array(0), type: 0x6fb5d000 },
    ],
  });
  const core = await readElfCore(readAtOf(arm));
  assertEquals(core.dumpDelta, { virtualAddress: 0xc0000000n, physicalAddress: 0x10000000n });
  assertEquals(core.segments.length, 1);
  assertEquals(await bytesOf(elfMemory(readAtOf(arm), core).readVirtual(0xc0001ffen, 3)), [
    "c0001ffe+2 0303",
    "c0002000+1 no segment holds it",
  ]);
  const none = 0xffffffffffffffffn;
  const powerpc = buildElfCore({
    machine: 21,
    littleEndian: false,
    segments: [
      { address: none, virtualAddress: 0x100000n, contents: new Uint8Array(0x1000).fill(4) },
      { address: none, virtualAddress: 0xc000000000000000n, contents: new Uint8Array(0x1000).fill(5) },
    ],
  });
  const old = await readElfCore(readAtOf(powerpc));
  assertEquals(checkElfCore(old, { size: powerpc.byteLength, maybeSparse: true }), []);
  const memory = elfMemory(readAtOf(powerpc), old);
  assertEquals(await bytesOf(memory.readVirtual(0xc000000000000010n, 1)), ["c000000000000010+1 05"]);
  assertEquals(await bytesOf(memory.readPhysical(none, 1)), ["ffffffffffffffff+1 no segment holds it"]);
});

Deno.test("readElfCore() refuses what is no core, and lies that would make it read without bound", async () => {
  const refuse = async (why: string, change: (view: DataView) => void, cut?: number) => {
    const dump = buildElfCore({ segments: SEGMENTS });
    change(new DataView(dump.buffer));
    await assertRejects(() => readElfCore(readAtOf(dump.subarray(0, cut))), SyntaxError, why);
  };
  await refuse("magic", (v) => v.setUint8(0, 0));
  await refuse("class 3", (v) => v.setUint8(4, 3));
  await refuse("byte order 0", (v) => v.setUint8(5, 0));
  await refuse("ends inside its header", () => {}, 40);
  await refuse("ends inside its segment table", () => {}, 100);
  await refuse("65535 segments", (v) => v.setUint16(56, 65535, true));
  await refuse("entries of 1 bytes", (v) => v.setUint16(54, 1, true));
  await refuse("absurd", (v) => v.setBigUint64(32, 1n << 60n, true));
  await refuse("absurd", (v) => v.setBigUint64(64 + 32, 1n << 63n, true));
});

Deno.test("ELF cores with any byte changed are read or refused, never worse", async () => {
  const dump = buildElfCore({ segments: SEGMENTS });
  const change = fc.tuple(fc.nat(64 + 2 * 56 - 1), fc.nat(255), fc.nat(0xd000));
  await fc.assert(fc.asyncProperty(change, async ([at, value, cut]) => {
    const changed = dump.slice(0, cut);
    if (at < cut) changed[at] = value;
    try {
      const core = await readElfCore(readAtOf(changed));
      checkElfCore(core, { size: cut, maybeSparse: true });
      for await (const piece of elfMemory(readAtOf(changed), core).readPhysical(0x103ff0n, 64)) {
        assert(piece.length > 0);
      }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }));
});

testWithTool("readelf", "readelf and readElfCore() see the same segments", async (run) => {
  for (const bits of [32, 64] as const) {
    const dump = buildElfCore({ bits, segments: SEGMENTS });
    const text = await run(["-lW"], dump);
    const seen = [
      ...text.matchAll(/LOAD +(0x[0-9a-f]+) 0x[0-9a-f]+ (0x[0-9a-f]+) (0x[0-9a-f]+) (0x[0-9a-f]+)/g),
    ]
      .map((row) => row.slice(1).map(Number));
    const core = await readElfCore(readAtOf(dump));
    assertEquals(
      seen,
      core.segments.map((s) => [s.offset, Number(s.physicalAddress), s.fileSize, s.memorySize]),
    );
    assertStringIncludes(text, "Elf file type is CORE (Core file)");
  }
});
