import { assert, assertEquals } from "@std/assert";
import { readAtOf } from "../../lib/bytes/source.ts";
import { type Ctf, type CtfContext, decodeCtf, readCtf } from "../../lib/kernel/ctf.ts";
import type { ElfSymbol } from "../../lib/kernel/elf_symbols.ts";
import { findMember, resolveType, sizeOfType, type StructType } from "../../lib/kernel/types.ts";
import { seededRandom, unhex } from "../helpers.ts";
import { writeCtf, type WrittenCtf } from "./ctf_writer.ts";
import { toyFile, toyTest } from "./toy.ts";

// The vectors of reference section 19, complete.
const VECTOR_2 =
  "f1cf0200000000000000000000000000080000000a000000100000005c000000330000002e00000005000000050001280100030001000000000c04002000000105000000000c01000800000300000000001c02000a000000000804000300000017000000033418001c000000010000002200000003004000290000000400800000696e74006368617200756e7369676e656420696e740070616972006669727374007365636f6e640062697473007465737400";
const VECTOR_3 =
  "f1cf0300000000000000000000000000080000000c0000001800000084000000330000002e00000005000000050000000100001401000000030000000100000000000006040000002000000105000000000000060100000008000003000000000000000e020000000a000000000000040400000003000000170000000300001a180000001c000000010000000000000022000000030000004000000029000000040000008000000000696e74006368617200756e7369676e656420696e740070616972006669727374007365636f6e640062697473007465737400";

function symbol(name: string, type: number, fields: Partial<ElfSymbol> = {}): ElfSymbol {
  return { name, type, value: 1n, size: 4n, binding: 1, sectionIndex: 1, ...fields };
}

const OBJECT = 1;
const FUNCTION = 2;
/** What counts and what does not (section 12.3). */
const SYMBOLS: ElfSymbol[] = [
  symbol("", 0, { sectionIndex: 0 }),
  symbol("kern.c", 4),
  symbol("undefined", OBJECT, { sectionIndex: 0 }),
  symbol("_START_", OBJECT),
  symbol("zero", OBJECT, { sectionIndex: 0xfff1, value: 0n }),
  symbol("test_pair", OBJECT),
  symbol("test_function", FUNCTION),
];

function open(bytes: Uint8Array, context: Partial<CtfContext> = {}): Promise<Ctf | null> {
  return decodeCtf(readAtOf(bytes), { byteOrder: "little", pointerSize: 8, symbols: SYMBOLS, ...context });
}

/** A struct's members as [name, kind, bit offset, bit size]. */
function membersOf(struct: StructType | null): unknown[] {
  return (struct?.members ?? []).map((m) => [m.name, m.type.kind, m.bitOffset, m.bitSize]);
}

for (const [version, vector] of [[2, VECTOR_2], [3, VECTOR_3]] as const) {
  Deno.test(`decodeCtf() reads the vector of version ${version}`, async () => {
    const ctf = (await open(unhex(vector)))!;
    assertEquals([ctf.version, ctf.typeCount, ctf.parentName], [version, 5, null]);
    assertEquals(ctf.labels, [{ name: "test", lastType: 5 }]);
    const pair = (await ctf.struct("pair"))!;
    assertEquals(pair.size, 24);
    assertEquals(membersOf(pair), [
      ["first", "base", 0, null],
      ["second", "pointer", 64, null],
      ["bits", "base", 128, 3],
    ]);
    assertEquals(pair.members[0]!.type, { kind: "base", name: "int", size: 4, bits: 32, encoding: "signed" });
    const { type: second } = pair.members[1]!;
    assert(second.kind === "pointer");
    assertEquals(second.target, { kind: "base", name: "char", size: 1, bits: 8, encoding: "character" });
    assertEquals(await ctf.variable("test_pair"), pair);
    assertEquals(await ctf.variable("zero"), null);
    const call = ctf.function("test_function")!;
    assertEquals([call.returns.kind, call.parameters.map((p) => p.kind)], ["base", ["pointer"]]);
    assertEquals(ctf.function("test_pair"), null);
  });
}

/** Every kind, with a struct that needs long members and one that needs a long size. */
function everyKind(version: 2 | 3, fields: Partial<WrittenCtf> = {}): WrittenCtf {
  const size = version === 2 ? 70_000 : 2 ** 32 + 16;
  return {
    version,
    labels: [["FreeBSD 14.3-RELEASE amd64 1403000", 16]],
    objects: [13],
    functions: [{ returns: 0, parameters: [1, 3, 0] }],
    types: [
      { kind: "integer", name: "int", size: 4 },
      { kind: "integer", name: "char", size: 1, encoding: 3 },
      { kind: "pointer", target: 2 },
      { kind: "integer", name: "_Bool", size: 1, encoding: 4 },
      { kind: "float", name: "double", size: 8 },
      { kind: "array", element: 1, index: 1, count: 5 },
      { kind: "function", returns: 1, parameters: [3] },
      { kind: "unknown" },
      { kind: "forward", name: "opaque" },
      { kind: "typedef", name: "td_t", target: 11 },
      { kind: "const", target: 12 },
      { kind: "volatile", target: 1 },
      {
        kind: "struct",
        name: "big",
        size,
        members: [
          { name: "a", type: 10, bitOffset: 0 },
          { name: "", type: 14, bitOffset: 8 * (size - 16) },
        ],
      },
      { kind: "union", name: "", size: 8, members: [{ name: "inner", type: 5, bitOffset: 0 }] },
      { kind: "enum", name: "state", size: 4, values: [["OFF", 0], ["ON", 1], ["BAD", -1]] },
      { kind: "restrict", target: 3 },
    ],
    ...fields,
  };
}

for (const version of [2, 3] as const) {
  for (const littleEndian of [true, false]) {
    for (const compressed of [true, false]) {
      const how = `${littleEndian ? "little" : "big"} endian${compressed ? ", compressed" : ""}`;
      Deno.test(`decodeCtf() reads every kind of type: version ${version}, ${how}`, async () => {
        const written = everyKind(version, { littleEndian, compressed });
        const ctf = (await open(writeCtf(written), { byteOrder: littleEndian ? "little" : "big" }))!;
        assertEquals(ctf.typeCount, 16);
        assertEquals(ctf.labels, [{ name: "FreeBSD 14.3-RELEASE amd64 1403000", lastType: 16 }]);
        const big = (await ctf.struct("big"))!;
        const size = version === 2 ? 70_000 : 2 ** 32 + 16;
        assertEquals(big.size, size);
        assertEquals(findMember(big, "inner")?.bitOffset, 8 * (size - 16));
        assertEquals(resolveType(big.members[0]!.type), ctf.type(1));
        assertEquals((await ctf.typedef("td_t"))?.target.kind, "const");
        assertEquals(sizeOfType(ctf.type(6)), 20);
        assertEquals(ctf.type(8), { kind: "void" });
        assertEquals(ctf.type(9), { kind: "struct", name: "opaque", size: null, members: [] });
        assertEquals(await ctf.struct("opaque"), null);
        assertEquals(ctf.type(15), {
          kind: "enum",
          name: "state",
          size: 4,
          values: [{ name: "OFF", value: 0n }, { name: "ON", value: 1n }, { name: "BAD", value: -1n }],
        });
        assertEquals(ctf.type(99), { kind: "void" });
        assertEquals(await ctf.variable("test_pair"), big);
        assertEquals(ctf.function("test_function")?.parameters.length, 3);
      });
    }
  }

  Deno.test(`decodeCtf() reads a container decompressed in memory, its flag still set: version ${version}`, async () => {
    const bytes = writeCtf(everyKind(version));
    bytes[3] = 1;
    assertEquals((await open(bytes))?.typeCount, 16);
  });

  Deno.test(`decodeCtf() takes low numbers of types from the parent: version ${version}`, async () => {
    const parent = (await open(writeCtf(everyKind(version))))!;
    const first = version === 2 ? 0x8000 : 0x80000000;
    const child = writeCtf({
      version,
      parentName: "kernel",
      types: [
        {
          kind: "struct",
          name: "softc",
          size: 8,
          members: [{ name: "n", type: 1, bitOffset: 0 }, { name: "p", type: first + 2, bitOffset: 32 }],
        },
        { kind: "typedef", name: "own_t", target: 1 },
      ],
    });
    const ctf = (await open(child, { parent }))!;
    assertEquals(ctf.parentName, "kernel");
    const softc = (await ctf.struct("softc"))!;
    assertEquals(softc.members[0]!.type, parent.type(1));
    assertEquals(resolveType(softc.members[1]!.type), parent.type(1));
    assertEquals(await ctf.struct("big"), await parent.struct("big"));
    const orphan = (await open(child))!;
    assertEquals((await orphan.struct("softc"))!.members[0]!.type, { kind: "void" });
  });
}

Deno.test("decodeCtf() refuses what is no CTF of a known version", async () => {
  assertEquals(await open(new Uint8Array(0)), null);
  assertEquals(await open(unhex("f2df0300").slice(0, 4)), null);
  const newer = unhex(VECTOR_2);
  newer[2] = 4;
  assertEquals(await open(newer), null);
});

/** Asks for everything a container can tell. */
async function exhaust(ctf: Ctf): Promise<void> {
  for (let id = 0; id <= ctf.typeCount; id++) {
    const type = resolveType(ctf.type(id));
    sizeOfType(type);
    if (type.kind === "struct" || type.kind === "union") findMember(type, "no such member");
    if (type.kind === "function") assert(type.parameters.length < 70_000);
  }
  await ctf.variable("test_pair");
  ctf.function("test_function");
}

Deno.test("decodeCtf() reads containers that were cut or changed up to the damage, types that loop too", async () => {
  const random = seededRandom(12);
  for (const version of [2, 3] as const) {
    for (const compressed of [true, false]) {
      const good = writeCtf(everyKind(version, { compressed }));
      for (let round = 0; round < 1500; round++) {
        const bytes = good.slice(0, round % 3 === 0 ? Math.floor(random() * good.byteLength) : undefined);
        for (let flips = 0; flips < 3; flips++) {
          bytes[Math.floor(random() * bytes.byteLength)] = Math.floor(random() * 256);
        }
        const ctf = await open(bytes);
        if (ctf !== null) await exhaust(ctf);
      }
    }
  }
});

toyTest("readCtf() reads the types of the kernel of amd64-1", async () => {
  const ctf = (await readCtf(await toyFile("amd64-1/kernel")))!;
  assertEquals(ctf.version, 3);
  const pair = resolveType((await ctf.variable("test_pair"))!);
  assert(pair.kind === "struct");
  // As gdb tells by the debug file: ptype /o.
  assertEquals(membersOf(pair), [
    ["first", "base", 0, null],
    ["second", "pointer", 64, null],
    ["next", "pointer", 128, null],
  ]);
  const thread = (await ctf.struct("thread"))!;
  assertEquals(thread.size, 560);
  const places = {
    td_tid: 136,
    td_wmesg: 160,
    td_name: 168,
    td_state: 200,
    td_oncpu: 232,
    td_pcb_store: 240,
  };
  for (const [name, offset] of Object.entries(places)) {
    assertEquals([name, findMember(thread, name)?.bitOffset], [name, 8 * offset]);
  }
  assertEquals(sizeOfType(findMember(thread, "td_pcb_store")!.type), 320);
});
