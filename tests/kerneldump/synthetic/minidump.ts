import { concatenate } from "./concatenate.ts";
import { buildMessageBuffer } from "./message_buffer.ts";

/** Architectures as minidumps name them. */
export type Architecture = "amd64" | "arm64" | "riscv" | "i386" | "arm" | "mips" | "powerpc64";

/** What a synthetic minidump holds; what is left out gets the architecture's usual value. */
export interface SyntheticMinidump {
  architecture?: Architecture;
  version?: number;
  littleEndian?: boolean;
  pageSize?: number;
  /** Bytes of the message buffer section before rounding (text and what lies behind it), and of its text. */
  messageBuffer?: { section: Uint8Array; size: number };
  /** Physical ranges, end exclusive; versions without dump_avail ignore them. */
  ranges?: readonly (readonly [start: number, end: number])[];
  /** Dumped pages by physical address; shorter contents are padded with zeros. */
  pages?: Readonly<Record<number, Uint8Array>>;
  pageTables?: Uint8Array;
  kernelBase?: bigint;
  directMap?: { physical?: bigint; base: bigint; end: bigint };
  paeMode?: number;
  mmuFormat?: number;
  mmuName?: string;
  startKernel?: bigint;
}

/** Every architecture with its versions and the byte orders it is built with. */
export const MINIDUMP_KINDS: readonly {
  architecture: Architecture;
  version: number;
  littleEndian: boolean;
  pageSize: number;
}[] = ([
  ["amd64", 3, [true]],
  ["arm64", 3, [true]],
  ["riscv", 2, [true]],
  ["i386", 2, [true]],
  ["arm", 2, [true, false]],
  ["mips", 2, [true, false]],
  ["powerpc64", 2, [true, false]],
] as const).flatMap(([architecture, newest, orders]) =>
  orders.flatMap((littleEndian) =>
    Array.from({ length: newest }, (_, i) => i + 1).flatMap((version) =>
      (architecture === "arm64" && version === 3 ? [4096, 16384] : [4096])
        .map((pageSize) => ({ architecture, version, littleEndian, pageSize }))
    )
  )
);

const DIRECT_MAPS: Readonly<Record<Architecture, { physical?: bigint; base: bigint; end: bigint } | null>> = {
  amd64: { base: 0xfffff80000000000n, end: 0xfffffc0000000000n },
  arm64: { physical: 0x40000000n, base: 0xffffa00000000000n, end: 0xffffff0000000000n },
  riscv: { physical: 0x80000000n, base: 0xffffffd000000000n, end: 0xfffffff000000000n },
  i386: null,
  arm: null,
  mips: { base: 0x9800000000000000n, end: 0n },
  powerpc64: { base: 0xc000000000000000n, end: 0xc0000000ffffffffn },
};
const KERNEL_BASES: Readonly<Record<Architecture, bigint>> = {
  amd64: 0xfffffe0000000000n,
  arm64: 0xffff000000000000n,
  riscv: 0xffffffc000000000n,
  i386: 0x800000n,
  arm: 0xc0000000n,
  mips: 0xc000000000000000n,
  powerpc64: 0xe000000000000000n,
};
const NEWEST: Readonly<Record<Architecture, number>> = {
  amd64: 3,
  arm64: 3,
  riscv: 2,
  i386: 2,
  arm: 2,
  mips: 2,
  powerpc64: 2,
};
const FIRST_WITH_DUMP_AVAIL: Readonly<Record<Architecture, number>> = { ...NEWEST, arm64: 2 };

/** Builds a minidump, section after section. */
export function buildMinidump(fields: SyntheticMinidump = {}): Uint8Array<ArrayBuffer> {
  const architecture = fields.architecture ?? "amd64";
  const version = fields.version ?? NEWEST[architecture];
  const little = fields.littleEndian ?? true;
  const pageSize = fields.pageSize ?? 4096;
  const hasDumpAvail = version >= FIRST_WITH_DUMP_AVAIL[architecture];
  const round = (n: number) => Math.ceil(n / pageSize) * pageSize;
  const padded = (bytes: Uint8Array) => {
    const page = new Uint8Array(round(bytes.byteLength));
    page.set(bytes);
    return page;
  };
  const messageBuffer = fields.messageBuffer ??
    buildMessageBuffer({ text: "Copyright (c) 1992-2023 The FreeBSD Project.\n", architecture, little });
  const ranges = fields.ranges ?? [[0, 0x9f000], [0x100000, 0x200000]];
  const addresses = Object.keys(fields.pages ?? {}).map(Number).sort((a, b) => a - b);

  const bitOf = (address: number): number => {
    if (!hasDumpAvail) return Math.floor(address / pageSize);
    let base = 0;
    for (const [start, end] of ranges) {
      if (address >= start && address < end) {
        return base + Math.floor(address / pageSize) - Math.floor(start / pageSize);
      }
      base += Math.ceil(end / pageSize) - Math.floor(start / pageSize);
    }
    throw new Error(`page 0x${address.toString(16)} is in no range`);
  };
  const bits = hasDumpAvail
    ? ranges.reduce((n, [start, end]) => n + Math.ceil(end / pageSize) - Math.floor(start / pageSize), 0)
    : Math.max(1, ...addresses.map((a) => bitOf(a) + 1));
  const bitmap = new Uint8Array(round(Math.max(1, Math.ceil(bits / 8))));
  const wordBytes = architecture === "i386" || architecture === "arm" ? 4 : 8;
  for (const address of addresses) {
    const bit = bitOf(address);
    const byte = bit >> 3;
    const at = little ? byte : byte - byte % wordBytes + (wordBytes - 1 - byte % wordBytes);
    bitmap[at]! |= 1 << (bit & 7);
  }
  const dumpAvail = new Uint8Array(pageSize);
  const dumpAvailView = new DataView(dumpAvail.buffer);
  ranges.forEach(([start, end], i) => {
    dumpAvailView.setBigUint64(16 * i, BigInt(start), little);
    dumpAvailView.setBigUint64(16 * i + 8, BigInt(end), little);
  });
  const pageTables = fields.pageTables ?? new Uint8Array(pageSize);

  const header = new Uint8Array(pageSize);
  writeHeader(header, fields, { architecture, version, little, hasDumpAvail }, {
    messageBuffer: messageBuffer.size,
    bitmap: bitmap.byteLength,
    pageTables: pageTables.byteLength,
    dumpAvail: pageSize,
  });
  return concatenate([
    header,
    padded(messageBuffer.section),
    ...(hasDumpAvail ? [dumpAvail] : []),
    bitmap,
    padded(pageTables),
    ...addresses.map((a) => {
      const page = new Uint8Array(pageSize);
      page.set(fields.pages![a]!.subarray(0, pageSize));
      return page;
    }),
  ]);
}

function writeHeader(
  header: Uint8Array<ArrayBuffer>,
  fields: SyntheticMinidump,
  kind: { architecture: Architecture; version: number; little: boolean; hasDumpAvail: boolean },
  sizes: { messageBuffer: number; bitmap: number; pageTables: number; dumpAvail: number },
): void {
  const { architecture, version, little, hasDumpAvail } = kind;
  const view = new DataView(header.buffer);
  const u32 = (at: number, value: number) => view.setUint32(at, value, little);
  const u64 = (at: number, value: bigint) => view.setBigUint64(at, value, little);
  const kernelBase = fields.kernelBase ?? KERNEL_BASES[architecture];
  const directMap = fields.directMap ?? DIRECT_MAPS[architecture];
  new TextEncoder().encodeInto(`minidump FreeBSD/${architecture}`, header);
  const at = architecture === "powerpc64" ? 64 : 24;
  [version, sizes.messageBuffer, sizes.bitmap, sizes.pageTables].forEach((value, i) =>
    u32(at + 4 * i, value)
  );
  switch (architecture) {
    case "amd64":
    case "mips":
      u64(40, kernelBase);
      u64(48, directMap!.base);
      u64(56, directMap!.end);
      if (hasDumpAvail) u32(64, sizes.dumpAvail);
      break;
    case "arm64":
    case "riscv":
      u64(40, kernelBase);
      u64(48, directMap!.physical ?? 0n);
      u64(56, directMap!.base);
      u64(64, directMap!.end);
      if (hasDumpAvail) u32(72, sizes.dumpAvail);
      if (architecture === "arm64" && version === 3) u32(76, fields.pageSize === 16384 ? 1 : 0);
      break;
    case "i386":
      u32(40, Number(kernelBase));
      u32(44, fields.paeMode ?? 0);
      if (hasDumpAvail) u32(48, sizes.dumpAvail);
      break;
    case "arm":
      u32(40, Number(kernelBase));
      u32(44, 7);
      u32(48, fields.mmuFormat ?? 2);
      if (hasDumpAvail) u32(52, sizes.dumpAvail);
      break;
    case "powerpc64":
      new TextEncoder().encodeInto(fields.mmuName ?? "mmu_phyp", header.subarray(32, 64));
      u64(80, kernelBase);
      u64(88, 0xefffffffffffffffn);
      u64(96, directMap!.base);
      u64(104, directMap!.end);
      u32(112, 1);
      u64(120, fields.startKernel ?? 0xc000000000100100n);
      u64(128, 0xc000000002000000n);
      if (hasDumpAvail) u32(136, sizes.dumpAvail);
  }
}

/** The amd64 minidump of reference section 10.3: 40 KiB, SHA-256 given there. */
export function buildReferenceFixture(): Uint8Array<ArrayBuffer> {
  const tables = new Uint8Array(4096);
  const tablesView = new DataView(tables.buffer);
  tablesView.setBigUint64(0, 0x100003n, true);
  tablesView.setBigUint64(8, 0x83n, true);
  const pageTable = new Uint8Array(8);
  new DataView(pageTable.buffer).setBigUint64(0, 0x101003n, true);
  const empty = new Uint8Array(0);
  return buildMinidump({
    messageBuffer: buildMessageBuffer({
      text: Array.from({ length: 2000 }, (_, i) => `<6>line ${String(i).padStart(5, "0")}\n`).join(""),
      unread: 28,
    }),
    pages: { 0x1000: empty, 0x100000: pageTable, 0x101000: empty, 0x1ff000: empty },
    pageTables: tables,
  });
}
