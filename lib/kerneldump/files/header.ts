/**
 * The kernel dump header (`struct kerneldumpheader`, "KDH"), versions 1 to 4
 * (reference kernel-dump-formats.md, section 1; netdump-protocol.md, section 4.2).
 *
 * @module
 */

import { decodeUtf8, encodeUtf8 } from "../../text/utf8.ts";

/** Bytes of a kernel dump header of any version. */
export const KERNEL_DUMP_HEADER_SIZE = 512;

/** The magics of the 20-byte magic field (section 1.4). */
export const Magic = {
  DUMP: "FreeBSD Kernel Dump",
  TEXTDUMP: "FreeBSD Text Dump",
  CLEARED: "Cleared Kernel Dump",
} as const;

/** How the kernel compressed the dump (section 1.5). */
export type Compression = "none" | "gzip" | "zstd";

const COMPRESSIONS: readonly Compression[] = ["none", "gzip", "zstd"];

/** A decoded kernel dump header. Strings are as the kernel wrote them: unfiltered, version with its newlines. */
export interface KernelDumpHeader {
  readonly magic: string;
  /** MACHINE_ARCH: `amd64`, `aarch64`, `i386`... */
  readonly architecture: string;
  /** Layout version, 1 to 4. */
  readonly version: number;
  readonly architectureVersion: number;
  /** Bytes of dump data; exact compressed length if compressed. */
  readonly dumpLength: number;
  /** Bytes before compression, as a rule (section 1.7); `null` in versions 1 and 2. */
  readonly dumpExtent: number | null;
  /** Unix time in seconds, the client's clock. */
  readonly dumpTime: number;
  /** Bytes of the key block, 0 if the dump is not encrypted; `null` in version 1. */
  readonly dumpKeySize: number | null;
  readonly blockSize: number;
  /** `null` in versions 1 and 2; a number this program does not know is kept as it is. */
  readonly compression: Compression | number | null;
  readonly hostname: string;
  readonly versionString: string;
  readonly panicString: string;
  /** The parity field as a big-endian u32. */
  readonly parity: number;
  /** Whether all 128 words XOR to zero (section 1.6). */
  readonly parityOk: boolean;
}

interface Layout {
  readonly dumpExtent?: number;
  readonly dumpTime: number;
  readonly dumpKeySize?: number;
  readonly blockSize: number;
  readonly compression?: number;
  readonly hostname: number;
  readonly versionString: number;
  readonly panicString: readonly [offset: number, size: number];
}

/** Field offsets by version (section 1.2). */
const LAYOUTS: Readonly<Record<number, Layout>> = {
  1: { dumpTime: 48, blockSize: 56, hostname: 60, versionString: 124, panicString: [316, 192] },
  2: {
    dumpTime: 48,
    dumpKeySize: 56,
    blockSize: 60,
    hostname: 64,
    versionString: 128,
    panicString: [320, 188],
  },
  3: {
    dumpExtent: 48,
    dumpTime: 56,
    dumpKeySize: 64,
    blockSize: 68,
    compression: 72,
    hostname: 73,
    versionString: 137,
    panicString: [329, 179],
  },
  4: {
    dumpTime: 48,
    dumpKeySize: 56,
    blockSize: 60,
    hostname: 64,
    versionString: 128,
    panicString: [320, 175],
    compression: 495,
    dumpExtent: 496,
  },
};

const MAGIC = [0, 20] as const;
const ARCHITECTURE = [20, 12] as const;
const VERSION = 32;
const ARCHITECTURE_VERSION = 36;
const DUMP_LENGTH = 40;
const HOSTNAME_SIZE = 64;
const VERSION_STRING_SIZE = 192;
const PARITY = 508;

/** Tells whether the bytes begin with one of the three magics. */
export function hasKernelDumpMagic(bytes: Uint8Array): boolean {
  return bytes.byteLength >= 20 && (Object.values(Magic) as string[]).includes(readString(bytes, ...MAGIC));
}

/**
 * Decodes a kernel dump header. A wrong parity is reported in the value, not refused.
 *
 * @throws {SyntaxError} if it is shorter than 512 bytes, its magic or version is unknown, or a size exceeds 2^53
 */
export function decodeKernelDumpHeader(bytes: Uint8Array): KernelDumpHeader {
  if (bytes.byteLength < KERNEL_DUMP_HEADER_SIZE) {
    throw new SyntaxError(
      `Cannot read kernel dump header: ${bytes.byteLength} bytes, expected ${KERNEL_DUMP_HEADER_SIZE}`,
    );
  }
  if (!hasKernelDumpMagic(bytes)) {
    throw new SyntaxError("Cannot read kernel dump header: the magic is not a kernel dump's");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, KERNEL_DUMP_HEADER_SIZE);
  const version = view.getUint32(VERSION);
  const layout = LAYOUTS[version];
  if (layout === undefined) {
    throw new SyntaxError(`Cannot read kernel dump header: version ${version}, expected 1 to 4`);
  }
  const compression = layout.compression === undefined ? null : view.getUint8(layout.compression);
  return {
    ...readCommonFields(bytes, view),
    dumpExtent: layout.dumpExtent === undefined ? null : readSize(view, layout.dumpExtent),
    dumpTime: readSize(view, layout.dumpTime),
    dumpKeySize: layout.dumpKeySize === undefined ? null : view.getUint32(layout.dumpKeySize),
    blockSize: view.getUint32(layout.blockSize),
    compression: compression === null ? null : COMPRESSIONS[compression] ?? compression,
    hostname: readString(bytes, layout.hostname, HOSTNAME_SIZE),
    versionString: readString(bytes, layout.versionString, VERSION_STRING_SIZE),
    panicString: readString(bytes, ...layout.panicString),
    parity: view.getUint32(PARITY),
    parityOk: computeParity(view) === 0,
  };
}

/** What has never moved in any version, and is all that is known of a header of a newer one. */
export type NewerKernelDumpHeader = Pick<
  KernelDumpHeader,
  "magic" | "architecture" | "version" | "architectureVersion" | "dumpLength"
>;

/** The newest version whose layout is known. */
const NEWEST_VERSION = 4;

/**
 * Decodes what a header of a version newer than 4 has in common with all before it (reference netdump-protocol.md 4.2:
 * magic to dump length stand at the same offsets in all of them); `undefined` if it is not one.
 */
export function decodeNewerHeader(bytes: Uint8Array): NewerKernelDumpHeader | undefined {
  if (bytes.byteLength < KERNEL_DUMP_HEADER_SIZE || !hasKernelDumpMagic(bytes)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, KERNEL_DUMP_HEADER_SIZE);
  const version = view.getUint32(VERSION);
  // A version that no kernel will reach for long is damage.
  if (version <= NEWEST_VERSION || version > 255) return undefined;
  if (view.getBigUint64(DUMP_LENGTH) > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return readCommonFields(bytes, view);
}

function readCommonFields(bytes: Uint8Array, view: DataView): NewerKernelDumpHeader {
  return {
    magic: readString(bytes, ...MAGIC),
    architecture: readString(bytes, ...ARCHITECTURE),
    version: view.getUint32(VERSION),
    architectureVersion: view.getUint32(ARCHITECTURE_VERSION),
    dumpLength: readSize(view, DUMP_LENGTH),
  };
}

/** What {@linkcode encodeKernelDumpHeader} needs; parity is computed. */
export type KernelDumpHeaderFields = Omit<KernelDumpHeader, "parity" | "parityOk">;

/**
 * Encodes a kernel dump header in the layout of its version, with its parity. Strings are cut to their fields,
 * always leaving a NUL, as the kernel does (section 1.3).
 *
 * @throws {RangeError} if the version is not 1 to 4
 */
export function encodeKernelDumpHeader(header: KernelDumpHeaderFields): Uint8Array<ArrayBuffer> {
  const layout = LAYOUTS[header.version];
  if (layout === undefined) {
    throw new RangeError(`Cannot encode kernel dump header: version ${header.version}, expected 1 to 4`);
  }
  const bytes = new Uint8Array(KERNEL_DUMP_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  writeString(bytes, ...MAGIC, header.magic);
  writeString(bytes, ...ARCHITECTURE, header.architecture);
  view.setUint32(VERSION, header.version);
  view.setUint32(ARCHITECTURE_VERSION, header.architectureVersion);
  view.setBigUint64(DUMP_LENGTH, BigInt(header.dumpLength));
  if (layout.dumpExtent !== undefined) view.setBigUint64(layout.dumpExtent, BigInt(header.dumpExtent ?? 0));
  view.setBigUint64(layout.dumpTime, BigInt(header.dumpTime));
  if (layout.dumpKeySize !== undefined) view.setUint32(layout.dumpKeySize, header.dumpKeySize ?? 0);
  view.setUint32(layout.blockSize, header.blockSize);
  if (layout.compression !== undefined) {
    const compression = header.compression ?? "none";
    view.setUint8(
      layout.compression,
      typeof compression === "number" ? compression : COMPRESSIONS.indexOf(compression),
    );
  }
  writeString(bytes, layout.hostname, HOSTNAME_SIZE, header.hostname);
  writeString(bytes, layout.versionString, VERSION_STRING_SIZE, header.versionString);
  writeString(bytes, ...layout.panicString, header.panicString);
  view.setUint32(PARITY, computeParity(view));
  return bytes;
}

function computeParity(view: DataView): number {
  let parity = 0;
  for (let at = 0; at < KERNEL_DUMP_HEADER_SIZE; at += 4) parity ^= view.getUint32(at);
  return parity >>> 0;
}

function readSize(view: DataView, at: number): number {
  const value = view.getBigUint64(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new SyntaxError(`Cannot read kernel dump header: value ${value} at offset ${at} is absurd`);
  }
  return Number(value);
}

function readString(bytes: Uint8Array, at: number, size: number): string {
  const field = bytes.subarray(at, at + size);
  const nul = field.indexOf(0);
  return decodeUtf8(nul < 0 ? field : field.subarray(0, nul));
}

function writeString(bytes: Uint8Array, at: number, size: number, text: string): void {
  bytes.set(encodeUtf8(text, size - 1), at);
}
