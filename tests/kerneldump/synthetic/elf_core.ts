import { concatenate } from "./concatenate.ts";

/** What a synthetic full dump holds. */
export interface SyntheticElfCore {
  bits?: 32 | 64;
  littleEndian?: boolean;
  machine?: number;
  osAbi?: number;
  version?: number;
  /** Physical ranges with their contents, zero-padded to `size`. */
  segments?: readonly {
    address: bigint;
    virtualAddress?: bigint;
    contents: Uint8Array;
    size?: number;
    type?: number;
  }[];
}

/** Builds a full dump: an ELF core as the kernel writes it (reference section 5). */
export function buildElfCore(fields: SyntheticElfCore = {}): Uint8Array<ArrayBuffer> {
  const wide = (fields.bits ?? 64) === 64;
  const little = fields.littleEndian ?? true;
  const segments = fields.segments ?? [{ address: 0n, contents: new Uint8Array(0x3000) }];
  const headerSize = wide ? 64 : 52;
  const entrySize = wide ? 56 : 32;
  const first = Math.ceil((headerSize + segments.length * entrySize) / 4096) * 4096;
  const head = new Uint8Array(first);
  const view = new DataView(head.buffer);
  head.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2, 1, fields.osAbi ?? 255]);
  const u16 = (at: number, value: number) => view.setUint16(at, value, little);
  const u32 = (at: number, value: number) => view.setUint32(at, value, little);
  const word = (at: number, value: bigint) =>
    wide ? view.setBigUint64(at, value, little) : u32(at, Number(value & 0xffffffffn));
  u16(16, 4);
  u16(18, fields.machine ?? (wide ? 62 : 3));
  u32(20, fields.version ?? 0);
  word(wide ? 32 : 28, BigInt(headerSize));
  u16(wide ? 52 : 40, headerSize);
  u16(wide ? 54 : 42, entrySize);
  u16(wide ? 56 : 44, segments.length);
  u16(wide ? 58 : 46, wide ? 64 : 40);
  const parts: Uint8Array[] = [head];
  let offset = first;
  segments.forEach((segment, i) => {
    const at = headerSize + i * entrySize;
    const size = segment.size ?? segment.contents.byteLength;
    const delta = segment.type === 0x6fb5d000;
    u32(at, segment.type ?? 1);
    u32(at + (wide ? 4 : 24), 4);
    word(at + (wide ? 8 : 4), delta ? 0n : BigInt(offset));
    word(at + (wide ? 16 : 8), segment.virtualAddress ?? segment.address);
    word(at + (wide ? 24 : 12), segment.address);
    word(at + (wide ? 32 : 16), BigInt(size));
    word(at + (wide ? 40 : 20), BigInt(size));
    word(at + (wide ? 48 : 28), 4096n);
    const contents = new Uint8Array(size);
    contents.set(segment.contents.subarray(0, size));
    parts.push(contents);
    offset += size;
  });
  return concatenate(parts);
}
