/** Minidumps of a kernel that was made. */

import { ByteWriter } from "./elf_writer.ts";
import type { CrashedKernel } from "./made_kernel.ts";
import type { Target } from "./made_targets.ts";
import { buildMessageBuffer, buildMinidump } from "../kerneldump/synthetic.ts";

/** Bytes of a page of all machines that kernels are made for. */
export const PAGE = 4096;
const FIRST_PHYSICAL = 0x100000;

/** Memory by pages, with what the boot loader left behind the kernel: its symbols. */
export function pagesOf({ memory, made }: CrashedKernel): Map<bigint, Uint8Array> {
  const pages = new Map<bigint, Uint8Array>();
  const write = (address: bigint, bytes: Uint8Array) => {
    for (let done = 0; done < bytes.byteLength;) {
      const at = address + BigInt(done);
      const inside = Number(at % BigInt(PAGE));
      const page = pages.get(at - BigInt(inside)) ?? new Uint8Array(PAGE);
      pages.set(at - BigInt(inside), page);
      const part = bytes.subarray(done, done + PAGE - inside);
      page.set(part, inside);
      done += part.byteLength;
    }
  };
  for (const { address, bytes } of memory) write(address, bytes);
  const [{ address, bytes }] = memory as [{ address: bigint; bytes: Uint8Array }];
  const { wordSize } = made.target;
  const behind = new ByteWriter();
  for (const name of [".symtab", ".strtab"]) {
    const { offset, size } = made.elf.section(name)!;
    behind.integer(wordSize, size).bytes(made.full.subarray(offset, offset + size)).align(wordSize);
  }
  write(address + BigInt(Math.ceil(bytes.byteLength / wordSize) * wordSize), behind.done());
  return pages;
}

/** Physical addresses, in no order that the virtual ones have. */
function physicalOf(pages: ReadonlyMap<bigint, Uint8Array>): Map<bigint, number> {
  const count = pages.size;
  return new Map([...pages.keys()].map((address, i) => [
    address,
    FIRST_PHYSICAL + (i % 2 === 0 ? i : count - i - count % 2) * PAGE,
  ]));
}

/** The minidump of a kernel that crashed. */
export function madeMinidump(crashed: CrashedKernel): Uint8Array<ArrayBuffer> {
  const pages = pagesOf(crashed);
  const physical = physicalOf(pages);
  const { tables, more, ...fields } = PAGE_TABLES[crashed.made.target.name](physical);
  const dumped: Record<number, Uint8Array> = { ...more };
  for (const [address, bytes] of pages) dumped[physical.get(address)!] = bytes;
  const architecture = crashed.made.target.name === "riscv64" ? "riscv" : crashed.made.target.name;
  return buildMinidump({
    architecture,
    ranges: [[FIRST_PHYSICAL, FIRST_PHYSICAL + 2 * pages.size * PAGE + PAGE]],
    pages: dumped,
    pageTables: tables,
    messageBuffer: buildMessageBuffer({ text: "<6>made\n", architecture }),
    ...fields,
  });
}

interface WrittenTables {
  readonly tables: Uint8Array;
  readonly more: Readonly<Record<number, Uint8Array>>;
  readonly kernelBase: bigint;
}

/** Entries of one size, by page from a base on. */
function flatTables(
  kernelBase: bigint,
  entrySize: 4 | 8,
  entry: (physical: number) => bigint,
): (physical: ReadonlyMap<bigint, number>) => WrittenTables {
  return (physical) => {
    const entries = [...physical].map(([address, at]) =>
      [Number((address - kernelBase) / 4096n), at] as const
    );
    const tables = new Uint8Array((Math.max(...entries.map(([i]) => i)) + 1) * entrySize);
    const view = new DataView(tables.buffer);
    for (const [i, at] of entries) {
      if (entrySize === 8) view.setBigUint64(i * 8, entry(at), true);
      else view.setUint32(i * 4, Number(entry(at)), true);
    }
    return { tables, more: {}, kernelBase };
  };
}

const PAGE_TABLES: Readonly<
  Record<Target["name"], (physical: ReadonlyMap<bigint, number>) => WrittenTables>
> = {
  amd64(physical) {
    const kernelBase = 0xffffffff80000000n;
    const directory = new BigUint64Array(PAGE / 8);
    const more: Record<number, Uint8Array> = {};
    let free = FIRST_PHYSICAL + physical.size * PAGE;
    const tableOf = new Map<number, BigUint64Array>();
    for (const [address, at] of physical) {
      const index = Number((address - kernelBase) >> 21n);
      let table = tableOf.get(index);
      if (table === undefined) {
        table = new BigUint64Array(PAGE / 8);
        tableOf.set(index, table);
        directory[index] = BigInt(free) | 3n;
        more[free] = new Uint8Array(table.buffer);
        free += PAGE;
      }
      table[Number(address >> 12n & 511n)] = BigInt(at) | 3n;
    }
    return { tables: new Uint8Array(directory.buffer), more, kernelBase };
  },
  i386: flatTables(0x800000n, 4, (at) => BigInt(at) | 3n),
  arm64: flatTables(0xffff000000000000n, 8, (at) => BigInt(at) | 3n),
  riscv64: flatTables(0xffffffc000000000n, 8, (at) => BigInt(at) >> 2n | 0xfn),
};
