import { assert, assertEquals } from "@std/assert";
import { readAtOf } from "../../lib/bytes/source.ts";
import { type DebugInfo, openDebugInfo } from "../../lib/kernel/debug_info.ts";
import { Attribute, Form, Tag } from "../../lib/kernel/dwarf/constants.ts";
import { readElfFile } from "../../lib/kernel/elf_file.ts";
import { findMember, resolveType } from "../../lib/kernel/types.ts";
import { writeUnit, type WrittenEntry, type WrittenUnit } from "./dwarf_writer.ts";
import { ByteWriter, StringTable, writeElf, type WrittenSection } from "./elf_writer.ts";

const BASE = 0xffffffff80204000n;

async function open(sections: readonly WrittenSection[], littleEndian = true): Promise<DebugInfo> {
  return openDebugInfo(await readElfFile(readAtOf(writeElf({ littleEndian, sections }))));
}

async function functionsAt(info: DebugInfo, pc: bigint): Promise<(string | null)[]> {
  return (await info.sourceFrames(pc)).map(({ function: name, inline }) => inline ? `${name} inline` : name);
}

/** A unit with one function of 0x100 bytes, and in it an inlined one in two pieces. */
function functionUnit(fields: Partial<WrittenUnit>, forms: {
  readonly unit?: WrittenEntry["attributes"];
  readonly name: WrittenEntry["attributes"][number];
  readonly function: WrittenEntry["attributes"];
  readonly inlined: WrittenEntry["attributes"];
}): WrittenSection[] {
  return writeUnit({
    version: 4,
    ...fields,
    root: {
      tag: Tag.COMPILE_UNIT,
      attributes: [
        [Attribute.NAME, Form.STRING, "kern.c"],
        [Attribute.LOW_PC, Form.ADDR, BASE],
        [Attribute.HIGH_PC, Form.ADDR, BASE + 0x100n],
        ...forms.unit ?? [],
      ],
      children: [
        {
          label: "abstract",
          tag: Tag.SUBPROGRAM,
          attributes: [forms.name],
          children: [{ tag: Tag.VARIABLE, attributes: [[Attribute.NAME, Form.STRING, "x"]] }],
        },
        {
          tag: Tag.SUBPROGRAM,
          attributes: [[Attribute.NAME, Form.STRING, "panic"], ...forms.function],
          children: [
            {
              tag: Tag.LEXICAL_BLOCK,
              attributes: [],
              children: [{
                tag: Tag.INLINED_SUBROUTINE,
                attributes: [
                  [Attribute.ABSTRACT_ORIGIN, Form.REF4, "abstract"],
                  [Attribute.CALL_LINE, Form.DATA1, 9],
                  ...forms.inlined,
                ],
              }],
            },
          ],
        },
      ],
    },
  });
}

async function checkFunctions(info: DebugInfo): Promise<void> {
  assertEquals(await functionsAt(info, BASE), ["panic"]);
  assertEquals(await functionsAt(info, BASE + 0x10n), ["inner inline", "panic"]);
  assertEquals(await functionsAt(info, BASE + 0x17n), ["inner inline", "panic"]);
  assertEquals(await functionsAt(info, BASE + 0x18n), ["panic"]);
  assertEquals(await functionsAt(info, BASE + 0x40n), ["inner inline", "panic"]);
  assertEquals(await functionsAt(info, BASE + 0x48n), ["panic"]);
  assertEquals(await functionsAt(info, BASE + 0x100n), []);
  assertEquals((await info.sourceFrames(BASE + 0x10n))[1]?.line, 9);
}

for (const littleEndian of [true, false]) {
  const order = littleEndian ? "little" : "big";
  const writer = () => new ByteWriter(littleEndian);
  for (const is64 of [false, true]) {
    const format = `${is64 ? 64 : 32}-bit format, ${order} endian`;
    Deno.test(`functions by .debug_ranges, relative to the unit and to a base of their own: ${format}`, async () => {
      const ranges = writer();
      for (
        const [start, end] of [[0x10n, 0x18n], [0xffffffffffffffffn, BASE + 0x30n], [0x10n, 0x18n], [0n, 0n]]
      ) {
        ranges.integer(8, start!).integer(8, end!);
      }
      const sections = functionUnit({ version: 4, is64, littleEndian }, {
        name: [Attribute.NAME, Form.STRP, 1],
        function: [[Attribute.LOW_PC, Form.ADDR, BASE], [Attribute.HIGH_PC, Form.DATA4, 0x100]],
        inlined: [[Attribute.RANGES, Form.SEC_OFFSET, 0]],
      });
      const strings = new StringTable();
      strings.offsetOf("inner");
      await checkFunctions(
        await open([
          ...sections,
          { name: ".debug_ranges", bytes: ranges.done() },
          { name: ".debug_str", bytes: strings.done() },
        ], littleEndian),
      );
    });

    Deno.test(`functions by the tables of strings, addresses and ranges of DWARF 5: ${format}`, async () => {
      const strings = new StringTable();
      const offsets = writer();
      offsets.bytes(new Uint8Array(is64 ? 16 : 8));
      for (const text of ["other", "inner"]) offsets.integer(is64 ? 8 : 4, strings.offsetOf(text));
      const addresses = writer().bytes(new Uint8Array(is64 ? 16 : 8));
      for (const address of [0n, BASE, BASE + 0x40n]) addresses.integer(8, address);
      const lists = writer().bytes(new Uint8Array(is64 ? 20 : 12));
      // A table of one list, which lies behind it.
      lists.integer(is64 ? 8 : 4, is64 ? 8 : 4);
      lists.u8(4).uleb(0x10).uleb(0x14).u8(5).integer(8, BASE + 0x10n).u8(4).uleb(4).uleb(8);
      lists.u8(3).uleb(2).uleb(8).u8(0);
      const sections = functionUnit({ version: 5, is64, littleEndian }, {
        unit: [
          [Attribute.STR_OFFSETS_BASE, Form.SEC_OFFSET, is64 ? 16 : 8],
          [Attribute.ADDR_BASE, Form.SEC_OFFSET, is64 ? 16 : 8],
          [Attribute.RNGLISTS_BASE, Form.SEC_OFFSET, is64 ? 20 : 12],
        ],
        name: [Attribute.NAME, Form.STRX1, 1],
        function: [[Attribute.LOW_PC, Form.ADDRX, 1], [Attribute.HIGH_PC, Form.DATA2, 0x100]],
        inlined: [[Attribute.RANGES, Form.RNGLISTX, 0]],
      });
      await checkFunctions(
        await open([
          ...sections,
          { name: ".debug_str", bytes: strings.done() },
          { name: ".debug_str_offsets", bytes: offsets.done() },
          { name: ".debug_addr", bytes: addresses.done() },
          { name: ".debug_rnglists", bytes: lists.done() },
        ], littleEndian),
      );
    });
  }

  Deno.test(`units are found by .debug_aranges: ${order} endian`, async () => {
    const sections = functionUnit({ littleEndian }, {
      name: [Attribute.NAME, Form.STRING, "inner"],
      function: [[Attribute.LOW_PC, Form.ADDR, BASE], [Attribute.HIGH_PC, Form.DATA8, 0x100]],
      inlined: [[Attribute.LOW_PC, Form.ADDR, BASE + 0x10n], [Attribute.HIGH_PC, Form.UDATA, 8]],
    });
    const table = writer().u16(2).u32(0).u8(8, 0).u32(0).integer(8, BASE + 0x1000n).integer(8, 0x100n)
      .integer(8, 0n).integer(8, 0n).done();
    const aranges = writer().u32(table.byteLength).bytes(table).done();
    const info = await open([...sections, { name: ".debug_aranges", bytes: aranges }], littleEndian);
    // What the table leaves out is found all the same.
    assertEquals(await functionsAt(info, BASE + 0x10n), ["inner inline", "panic"]);
    assertEquals(await functionsAt(info, BASE + 0x1000n), []);
  });
}

/** One attribute in each form that a name's entry may have beside it: all must be read over. */
const FORMS: readonly (readonly [number, number | string | bigint | Uint8Array, number])[] = [
  [Form.ADDR, BASE, 2],
  [Form.BLOCK1, Uint8Array.of(1, 2, 3), 2],
  [Form.BLOCK2, Uint8Array.of(1, 2, 3), 2],
  [Form.BLOCK4, Uint8Array.of(1, 2, 3), 2],
  [Form.BLOCK, Uint8Array.of(1, 2, 3), 2],
  [Form.DATA1, 0xff, 2],
  [Form.DATA2, 0xffff, 2],
  [Form.DATA4, 0xffffffff, 2],
  [Form.DATA8, 0xffffffffffffffffn, 2],
  [Form.SDATA, -300, 2],
  [Form.UDATA, 300, 2],
  [Form.FLAG, 1, 2],
  [Form.STRING, "text", 2],
  [Form.STRP, 1, 2],
  [Form.REF1, 1, 2],
  [Form.REF2, 1, 2],
  [Form.REF4, 1, 2],
  [Form.REF8, 1, 2],
  [Form.REF_UDATA, 300, 2],
  [Form.REF_ADDR, 1, 2],
  [Form.INDIRECT, 7, 2],
  [Form.SEC_OFFSET, 1, 4],
  [Form.EXPRLOC, Uint8Array.of(0x30), 4],
  [Form.FLAG_PRESENT, 1, 4],
  [Form.REF_SIG8, 1n, 4],
  [Form.GNU_REF_ALT, 1, 4],
  [Form.GNU_STRP_ALT, 1, 4],
  [Form.STRX, 300, 5],
  [Form.ADDRX, 300, 5],
  [Form.STRX1, 1, 5],
  [Form.STRX2, 1, 5],
  [Form.STRX3, 1, 5],
  [Form.STRX4, 1, 5],
  [Form.ADDRX1, 1, 5],
  [Form.ADDRX2, 1, 5],
  [Form.ADDRX3, 1, 5],
  [Form.ADDRX4, 1, 5],
  [Form.REF_SUP4, 1, 5],
  [Form.REF_SUP8, 1n, 5],
  [Form.STRP_SUP, 1, 5],
  [Form.LINE_STRP, 1, 5],
  [Form.DATA16, new Uint8Array(16), 5],
  [Form.IMPLICIT_CONST, -5, 5],
  [Form.LOCLISTX, 300, 5],
  [Form.RNGLISTX, 300, 5],
];

/** An attribute that no compiler writes. */
const UNKNOWN_ATTRIBUTE = 0x3fff;

Deno.test("every form of every version is read over, where it is asked for and where it is not", async () => {
  for (const version of [2, 3, 4, 5] as const) {
    for (const is64 of version === 2 ? [false] : [false, true]) {
      const forms = FORMS.filter(([, , since]) => since <= version);
      const attributes = forms.map(([form, value]) => [UNKNOWN_ATTRIBUTE, form, value] as const);
      const info = await open(writeUnit({
        version,
        is64,
        root: {
          tag: Tag.COMPILE_UNIT,
          attributes: [[Attribute.NAME, Form.STRING, "a.c"]],
          children: [
            { tag: 0x4109, attributes, children: [{ tag: 0x410a, attributes }] },
            {
              tag: Tag.VARIABLE,
              attributes: [...attributes, [Attribute.NAME, Form.STRING, "hz"], [
                Attribute.TYPE,
                Form.REF4,
                "int",
              ]],
            },
            {
              label: "int",
              tag: Tag.BASE_TYPE,
              attributes: [
                [Attribute.NAME, Form.STRING, "int"],
                [Attribute.BYTE_SIZE, Form.DATA1, 4],
                [Attribute.ENCODING, Form.DATA1, 5],
              ],
            },
          ],
        },
      }));
      assertEquals(await info.types.variable("hz"), {
        kind: "base",
        name: "int",
        size: 4,
        encoding: "signed",
        bits: 32,
      });
    }
  }
});

const INT: WrittenEntry = {
  label: "int",
  tag: Tag.BASE_TYPE,
  attributes: [
    [Attribute.NAME, Form.STRING, "int"],
    [Attribute.BYTE_SIZE, Form.DATA1, 4],
    [Attribute.ENCODING, Form.DATA1, 5],
  ],
};

function unitOf(children: WrittenEntry[], fields: Partial<WrittenUnit> = {}): WrittenSection[] {
  return writeUnit({ version: 4, ...fields, root: { tag: Tag.COMPILE_UNIT, attributes: [], children } });
}

Deno.test("bit fields and offsets of DWARF 2: from the high end of their integer, offsets computed", async () => {
  const field = (name: string, bits: [size: number, fromHigh: number], at: number): WrittenEntry => ({
    tag: Tag.MEMBER,
    attributes: [
      [Attribute.NAME, Form.STRING, name],
      [Attribute.TYPE, Form.REF4, "int"],
      [Attribute.BYTE_SIZE, Form.DATA1, 4],
      [Attribute.BIT_SIZE, Form.DATA1, bits[0]],
      [Attribute.BIT_OFFSET, Form.DATA1, bits[1]],
      [Attribute.DATA_MEMBER_LOCATION, Form.BLOCK1, new ByteWriter().u8(0x23).uleb(at).done()],
    ],
  });
  const struct: WrittenEntry = {
    tag: Tag.STRUCTURE_TYPE,
    attributes: [[Attribute.NAME, Form.STRING, "flags"], [Attribute.BYTE_SIZE, Form.DATA2, 300]],
    children: [field("low", [3, 29], 8), field("high", [5, 0], 200)],
  };
  for (const [littleEndian, low, high] of [[true, 64, 1627], [false, 93, 1600]] as const) {
    const info = await open(unitOf([INT, struct], { version: 2, littleEndian }), littleEndian);
    const flags = (await info.types.struct("flags"))!;
    assertEquals([findMember(flags, "low")?.bitOffset, findMember(flags, "low")?.bitSize], [low, 3]);
    assertEquals([findMember(flags, "high")?.bitOffset, findMember(flags, "high")?.bitSize], [high, 5]);
  }
});

Deno.test("a variable's type is found by what it specifies; declarations alone give no variable, no struct", async () => {
  const info = await open(unitOf([
    INT,
    {
      label: "declared",
      tag: Tag.VARIABLE,
      attributes: [
        [Attribute.NAME, Form.STRING, "hz"],
        [Attribute.TYPE, Form.REF4, "int"],
        [Attribute.DECLARATION, Form.FLAG_PRESENT],
      ],
    },
    {
      tag: Tag.VARIABLE,
      attributes: [
        [Attribute.NAME, Form.STRING, "elsewhere"],
        [Attribute.TYPE, Form.REF4, "int"],
        [Attribute.DECLARATION, Form.FLAG_PRESENT],
      ],
    },
    { tag: Tag.VARIABLE, attributes: [[Attribute.SPECIFICATION, Form.REF4, "declared"]] },
    {
      tag: Tag.STRUCTURE_TYPE,
      attributes: [[Attribute.NAME, Form.STRING, "opaque"], [Attribute.DECLARATION, Form.FLAG_PRESENT]],
    },
  ]));
  assertEquals((await info.types.variable("hz"))?.kind, "base");
  assertEquals(await info.types.variable("elsewhere"), null);
  assertEquals(await info.types.struct("opaque"), null);
});

Deno.test("types and names that refer to themselves end", async () => {
  const info = await open(unitOf([
    {
      label: "loop",
      tag: Tag.TYPEDEF,
      attributes: [[Attribute.NAME, Form.STRING, "loop_t"], [Attribute.TYPE, Form.REF4, "loop"]],
    },
    {
      label: "a",
      tag: Tag.SUBPROGRAM,
      attributes: [
        [Attribute.ABSTRACT_ORIGIN, Form.REF4, "a"],
        [Attribute.LOW_PC, Form.ADDR, BASE],
        [Attribute.HIGH_PC, Form.DATA1, 8],
      ],
    },
    {
      label: "row",
      tag: Tag.ARRAY_TYPE,
      attributes: [[Attribute.TYPE, Form.REF4, "row"]],
      children: [{ tag: Tag.SUBRANGE_TYPE, attributes: [[Attribute.COUNT, Form.DATA1, 2]] }],
    },
    {
      tag: Tag.VARIABLE,
      attributes: [[Attribute.NAME, Form.STRING, "rows"], [Attribute.TYPE, Form.REF4, "row"]],
    },
  ]));
  assertEquals(resolveType((await info.types.typedef("loop_t"))!), { kind: "void" });
  assertEquals((await info.types.variable("rows"))?.kind, "array");
  assertEquals(await info.sourceFrames(BASE), []);
});

Deno.test("a file without debug sections tells nothing", async () => {
  const info = await open([{ name: ".text", flags: 6, address: BASE, bytes: new Uint8Array(16) }]);
  assertEquals(await info.sourceFrames(BASE), []);
  assertEquals(await info.frameRow(BASE), null);
  assertEquals(await info.types.struct("thread"), null);
  assert(await info.types.variable("hz") === null);
});
