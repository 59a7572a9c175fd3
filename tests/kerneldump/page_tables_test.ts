import { assertEquals } from "@std/assert";
import {
  AMD64_TABLES,
  I386_PAE_TABLES,
  I386_TABLES,
  type PageTables,
  RISCV64_TABLES,
  walkPageTables,
} from "../../lib/kerneldump/page_tables.ts";

/** Rows: the entries that a walk comes by, each with where it is, the address, and where it leads. */
const WALKS: readonly {
  name: string;
  tables: PageTables;
  root: bigint;
  entries: readonly (readonly [at: bigint, entry: bigint])[];
  address: bigint;
  physical: bigint | null;
}[] = [
  {
    name: "amd64, a page; what stands above an address does not count",
    tables: AMD64_TABLES,
    root: 0x1000n,
    entries: [
      [0x1ff8n, 0x8000000000002063n],
      [0x2ff0n, 0x3063n],
      [0x3008n, 0x4063n],
      [0x4018n, 0x8000000012345063n],
    ],
    address: 0xffffffff80203abcn,
    physical: 0x12345abcn,
  },
  {
    name: "amd64, 2 MiB at once; its attribute bit is no address",
    tables: AMD64_TABLES,
    root: 0x1000n,
    entries: [[0x1ff8n, 0x2063n], [0x2ff0n, 0x3063n], [0x3008n, 0x406010e3n]],
    address: 0xffffffff80345678n,
    physical: 0x40745678n,
  },
  {
    name: "amd64, 1 GiB at once",
    tables: AMD64_TABLES,
    root: 0x1000n,
    entries: [[0x1ff8n, 0x2063n], [0x2ff0n, 0xc00000e3n]],
    address: 0xffffffff80345678n,
    physical: 0xc0345678n,
  },
  {
    name: "amd64, nothing there",
    tables: AMD64_TABLES,
    root: 0x1000n,
    entries: [[0x1ff8n, 0x2062n]],
    address: 0xffffffff80345678n,
    physical: null,
  },
  {
    name: "amd64, a table that the dump has not",
    tables: AMD64_TABLES,
    root: 0x1000n,
    entries: [[0x1ff8n, 0x2063n]],
    address: 0xffffffff80345678n,
    physical: null,
  },
  {
    name: "i386, a page",
    tables: I386_TABLES,
    root: 0x1000n,
    entries: [[0x1008n, 0x2063n], [0x200cn, 0x345063n]],
    address: 0x803123n,
    physical: 0x345123n,
  },
  {
    name: "i386, 4 MiB at once",
    tables: I386_TABLES,
    root: 0x1000n,
    entries: [[0x1008n, 0x12c000e3n]],
    address: 0x934567n,
    physical: 0x12d34567n,
  },
  {
    name: "i386 with PAE, a page beyond 4 GiB",
    tables: I386_PAE_TABLES,
    root: 0x1020n,
    entries: [[0x1020n, 0x2001n], [0x2020n, 0x3063n], [0x3018n, 0x123456063n]],
    address: 0x803123n,
    physical: 0x123456123n,
  },
  {
    name: "i386 with PAE, 2 MiB at once",
    tables: I386_PAE_TABLES,
    root: 0x1020n,
    entries: [[0x1038n, 0x2001n], [0x2020n, 0x1234000e3n]],
    address: 0xc0934567n,
    physical: 0x123534567n,
  },
  {
    name: "riscv64, a page",
    tables: RISCV64_TABLES,
    root: 0x80001000n,
    entries: [[0x80001800n, 0x20000801n], [0x80002008n, 0x20000c01n], [0x80003018n, 0x200060cfn]],
    address: 0xffffffc000203123n,
    physical: 0x80018123n,
  },
  {
    name: "riscv64, 2 MiB at once; software's bits above do not count",
    tables: RISCV64_TABLES,
    root: 0x80001000n,
    entries: [[0x80001800n, 0x20000801n], [0x80002008n, 0xffc00000200800cfn]],
    address: 0xffffffc000303123n,
    physical: 0x80303123n,
  },
];

for (const { name, tables, root, entries, address, physical } of WALKS) {
  Deno.test(`walkPageTables() leads where the machine would go: ${name}`, async () => {
    const memory = new Map(entries);
    const found = await walkPageTables(
      tables,
      root,
      address,
      (at) => Promise.resolve(memory.get(at) ?? null),
    );
    assertEquals(found, physical);
  });
}
