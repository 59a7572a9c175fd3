import { assertEquals } from "@std/assert";
import {
  type BaseType,
  findMember,
  type NamedType,
  resolveType,
  sizeOfType,
  type StructType,
  type Type,
} from "../../lib/kernel/types.ts";

const INT: BaseType = { kind: "base", name: "int", size: 4, encoding: "signed", bits: 32 };
const member = (name: string | null, type: Type, bitOffset: number) => ({
  name,
  type,
  bitOffset,
  bitSize: null,
});

Deno.test("sizeOfType() multiplies the dimensions of arrays, through typedefs and qualifiers", () => {
  const row: Type = { kind: "array", element: { kind: "const", target: INT }, count: 3 };
  const matrix: Type = { kind: "array", element: { kind: "typedef", name: "row", target: row }, count: 5 };
  assertEquals(sizeOfType(matrix), 60);
  assertEquals(sizeOfType({ kind: "array", element: INT, count: null }), null);
  assertEquals(sizeOfType({ kind: "void" }), null);
  assertEquals(sizeOfType({ kind: "struct", name: "proc", size: null, members: [] }), null);
  assertEquals(sizeOfType({ kind: "array", element: matrix, count: 2 ** 52 }), null);
});

Deno.test("types that loop end", () => {
  const loop: NamedType = {
    kind: "typedef",
    name: "a",
    get target() {
      return loop;
    },
  };
  assertEquals(resolveType(loop), { kind: "void" });
  const nested: Type = {
    kind: "array",
    count: 1,
    get element() {
      return nested;
    },
  };
  assertEquals(sizeOfType(nested), null);
  const struct: StructType = {
    kind: "struct",
    name: "s",
    size: 8,
    get members() {
      return [member(null, struct, 0)];
    },
  };
  assertEquals(findMember(struct, "x"), null);
});

Deno.test("findMember() looks into unnamed structs and unions, and adds their place", () => {
  const inner: StructType = {
    kind: "union",
    name: null,
    size: 8,
    members: [member("td_a", INT, 0), member("td_b", INT, 32)],
  };
  const outer: StructType = {
    kind: "struct",
    name: "thread",
    size: 24,
    members: [member("td_tid", INT, 64), member(null, inner, 128)],
  };
  assertEquals(findMember(outer, "td_b"), { type: INT, bitOffset: 160, bitSize: null });
  assertEquals(findMember(outer, "td_tid")?.bitOffset, 64);
  assertEquals(findMember(outer, "td_c"), null);
});
