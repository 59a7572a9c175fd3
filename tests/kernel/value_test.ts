import { assert, assertEquals } from "@std/assert";
import type { BaseType, Member, StructType, Type } from "../../lib/kernel/types.ts";
import { decodeValue, MAX_VALUE_BYTES, type ValueContext } from "../../lib/kernel/value.ts";
import { formatValue, valueToJson } from "../../lib/kernel/value_text.ts";
import { ByteWriter } from "./elf_writer.ts";

const base = (name: string, size: number, encoding: BaseType["encoding"]): BaseType => ({
  kind: "base",
  name,
  size,
  encoding,
  bits: 8 * size,
});
const INT = base("int", 4, "signed");
const UINT = base("unsigned int", 4, "unsigned");
const LONG = base("long", 8, "signed");
const CHAR = base("char", 1, "character");
const UCHAR = base("unsigned char", 1, "unsigned-character");
const BOOL = base("_Bool", 1, "boolean");

function struct(size: number, members: [string | null, Type, number, number?][], name = "s"): StructType {
  return {
    kind: "struct",
    name,
    size,
    members: members.map(([name, type, byte, bits]): Member => ({
      name,
      type,
      bitOffset: 8 * byte,
      bitSize: bits ?? null,
    })),
  };
}
const array = (element: Type, count: number | null): Type => ({ kind: "array", element, count });
const pointer = (target: Type): Type => ({ kind: "pointer", size: 8, target });

const MEMORY = new Map([[0xffffffff80205000n, 'a "b"\n\x1b[31m']]);
const context = (littleEndian = true): ValueContext => ({
  littleEndian,
  symbolAt: (address) => address === 0xffffffff80204b7cn ? "doadump\x07" : null,
  readMemory(address, length) {
    const text = MEMORY.get(address);
    if (text === undefined) return Promise.resolve(null);
    return Promise.resolve(new TextEncoder().encode(`${text}\0${"x".repeat(length)}`).subarray(0, length));
  },
});

async function show(type: Type, bytes: Uint8Array, littleEndian = true): Promise<[string, unknown]> {
  const value = await decodeValue(type, bytes, context(littleEndian));
  return [formatValue(value), valueToJson(value)];
}

for (const littleEndian of [true, false]) {
  const writer = () => new ByteWriter(littleEndian);
  Deno.test(`values of plain types, ${littleEndian ? "little" : "big"} endian`, async () => {
    const rows: [Type, Uint8Array, string, unknown][] = [
      [INT, writer().integer(4, -5).done(), "-5", -5],
      [UINT, writer().u32(0xfffffffb).done(), "4294967291", 4294967291],
      [LONG, writer().integer(8, -(2n ** 62n)).done(), "-4611686018427387904", "-4611686018427387904"],
      [CHAR, writer().u8(65).done(), "65 'A'", 65],
      [CHAR, writer().u8(0x9b).done(), "-101 '\\x9b'", -101],
      [UCHAR, writer().u8(200).done(), "200", 200],
      [BOOL, writer().u8(1).done(), "true", true],
      [{ kind: "const", target: INT }, writer().u32(1000).done(), "1000", 1000],
      [INT, writer().u16(1).done(), "<not in the dump>", null],
      [{ kind: "void" }, writer().u8(1, 0xab).done(), "<01 ab>", "01ab"],
      [pointer(INT), writer().integer(8, 0n).done(), "0x0", "0x0"],
      [
        pointer({ kind: "function", returns: INT, parameters: [] }),
        writer().integer(8, 0xffffffff80204b7cn).done(),
        "0xffffffff80204b7c <doadump\\u{7}>",
        "0xffffffff80204b7c",
      ],
      [
        pointer({ kind: "const", target: CHAR }),
        writer().integer(8, 0xffffffff80205000n).done(),
        '0xffffffff80205000 "a \\"b\\"\\n\\x1b[31m"',
        "0xffffffff80205000",
      ],
      [
        array(CHAR, 20),
        writer().string("ev\x1bil").bytes(new Uint8Array(14)).done(),
        '"ev\\x1bil"',
        "ev\x1bil",
      ],
      [array(CHAR, 4), writer().bytes(new TextEncoder().encode("abcd")).done(), '"abcd"', "abcd"],
      [array(INT, 3), writer().u32(1).u32(2).u32(3).done(), "{1, 2, 3}", [1, 2, 3]],
      [array(INT, null), writer().u32(1).done(), "{}", []],
    ];
    for (const [type, bytes, text, json] of rows) {
      assertEquals(await show(type, bytes, littleEndian), [text, json]);
    }
    const states: Type = {
      kind: "enum",
      name: "td_states",
      size: 4,
      values: [{ name: "TDS_INACTIVE", value: 0n }, { name: "TDS_BAD", value: 0xffffffffn }],
    };
    assertEquals(await show(states, writer().integer(4, -1).done(), littleEndian), ["TDS_BAD", "TDS_BAD"]);
    assertEquals(await show(states, writer().u32(7).done(), littleEndian), ["7", 7]);
    const double = new Uint8Array(8);
    new DataView(double.buffer).setFloat64(0, 1.5, littleEndian);
    assertEquals(await show(base("double", 8, "float"), double, littleEndian), ["1.5", 1.5]);
  });
}

Deno.test("a struct is written a member a line, unnamed unions among the others in JSON", async () => {
  const inner = { ...struct(4, [["word", UINT, 0], ["bytes", array(UCHAR, 4), 0]]), kind: "union" as const };
  const type = struct(16, [["first", INT, 0], [null, inner, 4], ["__proto__", INT, 8], ["name\n", CHAR, 12]]);
  const bytes = new ByteWriter().u32(7).u32(0x01020304).u32(5).u8(0x27).done();
  const [text, json] = await show(type, bytes);
  assertEquals(
    text,
    `{
  first = 7,
  {
    word = 16909060,
    bytes = {4, 3, 2, 1}
  },
  __proto__ = 5,
  name\\u{a} = 39 '\\''
}`,
  );
  assertEquals(
    JSON.stringify(json),
    '{"first":7,"word":16909060,"bytes":[4,3,2,1],"__proto__":5,"name\\n":39}',
  );
});

Deno.test("bit fields count from the low end of little endian words, from the high end of big endian ones", async () => {
  const field = (name: string, type: Type, bitOffset: number, bitSize: number): Member => ({
    name,
    type,
    bitOffset,
    bitSize,
  });
  const type: StructType = {
    kind: "struct",
    name: null,
    size: 4,
    members: [
      field("a", UINT, 0, 3),
      field("b", INT, 3, 5),
      field("c", UINT, 8, 20),
      field("d", UINT, 28, 4),
    ],
  };
  const value = { a: 5, b: -3, c: 0x9abcd, d: 0xe };
  const little = 5 | (0x1d << 3) | (0x9abcd << 8) | (0xe << 28);
  assertEquals((await show(type, new ByteWriter(true).u32(little >>> 0).done()))[1], value);
  const big = (5 << 29) | (0x1d << 24) | (0x9abcd << 4) | 0xe;
  assertEquals((await show(type, new ByteWriter(false).u32(big >>> 0).done(), false))[1], value);
});

Deno.test("values are bounded: long arrays, deep structs, types that loop, variables cut by the dump's end", async () => {
  const long = array(INT, 1_000_000);
  const [text, json] = await show(long, new Uint8Array(MAX_VALUE_BYTES));
  assertEquals(text, "{0 <repeats 1024 times>, ... 998976 more}");
  assertEquals((json as unknown[]).length, 1024);
  const loop: StructType = {
    kind: "struct",
    name: "loop",
    size: 8,
    get members() {
      return Array.from(
        { length: 4 },
        (_, i) => ({ name: `m${i}`, type: loop, bitOffset: 0, bitSize: null }),
      );
    },
  };
  const [looped] = await show(loop, new Uint8Array(8));
  assert(looped.includes("..."));
  assert(looped.length < 1_000_000, `${looped.length} characters`);
  assertEquals(
    await show(struct(16, [["a", INT, 0], ["b", array(LONG, 4), 8]]), new ByteWriter().u32(1).done()),
    ["{\n  a = 1,\n  b = {<not in the dump>, ... 3 more}\n}", { a: 1, b: [null] }],
  );
});
