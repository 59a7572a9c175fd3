/**
 * The page tables of machines, walked from their root: full dumps hold them as the machine had them, where minidumps
 * have a section of their own (reference kernel-dump-formats.md, section 3.3).
 *
 * @module
 */

/** How a machine's page tables are laid out. */
export interface PageTables {
  readonly entrySize: 4 | 8;
  /** From the root on: the bits of an address below those that a level decides, and how many it decides. */
  readonly levels: readonly { readonly shift: bigint; readonly bits: bigint }[];
  /** What an entry says: a page, or larger ones where the level allows it, or the next table. */
  decode(
    entry: bigint,
    shift: bigint,
  ): { readonly kind: "frame" | "table"; readonly physical: bigint } | null;
}

const PRESENT = 1n;
const LARGE = 0x80n;
const FRAME = 0x000ffffffffff000n;

function nineBits(...shifts: readonly bigint[]): PageTables["levels"] {
  return shifts.map((shift) => ({ shift, bits: 9n }));
}

/** An entry of amd64 and i386; the highest table of either has no large pages. */
function decodeX86(entry: bigint, shift: bigint): ReturnType<PageTables["decode"]> {
  if ((entry & PRESENT) === 0n) return null;
  const isLast = shift === 12n || (entry & LARGE) !== 0n && shift < 39n;
  const physical = isLast ? entry & FRAME & ~((1n << shift) - 1n) : entry & FRAME;
  return { kind: isLast ? "frame" : "table", physical };
}

/** amd64, four levels. */
export const AMD64_TABLES: PageTables = {
  entrySize: 8,
  levels: nineBits(39n, 30n, 21n, 12n),
  decode: decodeX86,
};

/** i386 with physical addresses beyond 32 bits. */
export const I386_PAE_TABLES: PageTables = {
  entrySize: 8,
  levels: [{ shift: 30n, bits: 2n }, ...nineBits(21n, 12n)],
  decode: (entry, shift) => shift === 30n ? decodeX86(entry & ~LARGE, shift) : decodeX86(entry, shift),
};

/** i386. */
export const I386_TABLES: PageTables = {
  entrySize: 4,
  levels: [{ shift: 22n, bits: 10n }, { shift: 12n, bits: 10n }],
  decode: decodeX86,
};

const READ_WRITE_EXECUTE = 0xen;

/** riscv64, three levels (Sv39). */
export const RISCV64_TABLES: PageTables = {
  entrySize: 8,
  levels: nineBits(30n, 21n, 12n),
  decode(entry) {
    if ((entry & PRESENT) === 0n) return null;
    const physical = (entry & 0x003ffffffffffc00n) << 2n;
    return { kind: (entry & READ_WRITE_EXECUTE) === 0n ? "table" : "frame", physical };
  },
};

/**
 * Walks from a root to the physical address of a virtual one.
 *
 * @param readEntry reads an entry at a physical address; `null` if the dump has it not
 * @returns `null` if nothing is mapped there, or a table is missing
 */
export async function walkPageTables(
  { entrySize, levels, decode }: PageTables,
  root: bigint,
  address: bigint,
  readEntry: (physical: bigint) => Promise<bigint | null>,
): Promise<bigint | null> {
  let table = root;
  for (const { shift, bits } of levels) {
    const index = address >> shift & (1n << bits) - 1n;
    const entry = await readEntry(table + index * BigInt(entrySize));
    const found = entry === null ? null : decode(entry, shift);
    if (found === null) return null;
    if (found.kind === "frame") return found.physical + (address & (1n << shift) - 1n);
    table = found.physical;
  }
  return null;
}
