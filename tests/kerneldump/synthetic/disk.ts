/** Bytes, and where on a disk they stand. */
export interface Placed {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Builds a disk of parts, with whatever table is written. */
export function placed(
  size: number,
  parts: readonly Placed[],
  write: (view: DataView<ArrayBuffer>) => void,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  write(new DataView(bytes.buffer));
  for (const part of parts) bytes.set(part.bytes, part.at);
  return bytes;
}

/** Builds a disk with a GPT, whose first entry is unused (reference section 1.10). */
export function buildDisk(
  parts: readonly Placed[],
  { sectorSize = 512, size = 1 << 20 }: { sectorSize?: number; size?: number } = {},
): Uint8Array<ArrayBuffer> {
  return placed(size, parts, (view) => {
    new TextEncoder().encodeInto("EFI PART", new Uint8Array(view.buffer, sectorSize));
    view.setBigUint64(sectorSize + 72, 2n, true);
    view.setUint32(sectorSize + 80, 128, true);
    view.setUint32(sectorSize + 84, 128, true);
    parts.forEach(({ at, bytes }, i) => {
      const entry = 2 * sectorSize + 128 * (i + 1);
      view.setBigUint64(entry + 32, BigInt(at / sectorSize), true);
      view.setBigUint64(entry + 40, BigInt((at + bytes.byteLength) / sectorSize - 1), true);
    });
  });
}
