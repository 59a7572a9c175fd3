import { encodeUtf8 } from "../../../lib/text/utf8.ts";
import type { Architecture } from "./minidump.ts";

/** What a synthetic message buffer holds. */
export interface SyntheticMessageBuffer {
  /** Everything that was ever written, oldest first; what does not fit was overwritten. */
  text: string;
  /** Bytes of text that the ring holds. */
  size?: number;
  /** How many of the last bytes nobody has read yet. */
  unread?: number;
  architecture?: Architecture;
  little?: boolean;
  /** The kernel virtual address of the text. */
  pointer?: bigint;
  checksum?: number;
  /** Whether the kernel's pointers are capabilities, of 16 bytes. */
  capabilities?: boolean;
  /** `false`: as in a live dump, where the control structure lies elsewhere. */
  control?: boolean;
}

/** Builds the message buffer section: the ring and, behind it, `struct msgbuf` (reference section 4). */
export function buildMessageBuffer(
  fields: SyntheticMessageBuffer,
): { section: Uint8Array<ArrayBuffer>; size: number } {
  const narrow = fields.architecture === "i386" || fields.architecture === "arm";
  const little = fields.little ?? true;
  const pointerSize = fields.capabilities ? 16 : narrow ? 4 : 8;
  const controlSize = narrow ? 56 : 64 + pointerSize;
  const size = fields.size ?? 8192 - controlSize;
  const section = new Uint8Array(size + controlSize);
  const stream = encodeUtf8(fields.text);
  for (let i = Math.max(0, stream.byteLength - size); i < stream.byteLength; i++) {
    section[i % size] = stream[i]!;
  }
  if (fields.control === false) return { section, size };
  let checksum = 0;
  for (let i = 0; i < size; i++) checksum = (checksum + section[i]!) >>> 0;
  const modulus = 16 * size;
  const written = stream.byteLength % modulus;
  const read = (written - (fields.unread ?? 0) + modulus) % modulus;
  const view = new DataView(section.buffer, size);
  const pointer = fields.pointer ?? 0xfffff80000101000n;
  if (narrow) view.setUint32(0, Number(pointer & 0xffffffffn), little);
  else view.setBigUint64(0, pointer, little);
  [0x063062, size, written, read, fields.checksum ?? checksum, modulus, 0xffffffff, 0]
    .forEach((value, i) => view.setUint32(pointerSize + 4 * i, value, little));
  return { section, size };
}
