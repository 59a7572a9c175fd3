/**
 * The kernel dump header to send with a dump: as it was received, or built from an info file, from options and from
 * what the dump itself shows. Pure; `load_dump.ts` finds the files.
 *
 * @module
 */
import {
  decodeKernelDumpHeader,
  decodeNewerHeader,
  encodeKernelDumpHeader,
  KERNEL_DUMP_HEADER_SIZE,
  type KernelDumpHeader,
  type KernelDumpHeaderFields,
  Magic,
  type NewerKernelDumpHeader,
} from "../kerneldump/files/header.ts";
import type { InfoFile } from "../kerneldump/files/read_info.ts";
import { decodeMinidump, hasMinidumpMagic, MINIDUMP_HEADER_SIZE } from "../kerneldump/minidump/minidump.ts";
import { roundUp } from "../bytes/source.ts";
import { MAX_KEY_SIZE } from "../protocol/message.ts";
import type { DumpName } from "../kerneldump/files/dump_name.ts";
import type { Beginning } from "./recognize.ts";

/** The block size of every netdump (section 1.7): what is shorter on the wire is padded to it. */
export const NETDUMP_BLOCK_SIZE = 4096;

/** Fields given on the command line: they win over those of a file. */
export interface HeaderOverrides {
  readonly hostname: string | undefined;
  readonly panicString: string | undefined;
  readonly architecture: string | undefined;
  readonly versionString: string | undefined;
}

/** Where a header comes from. */
export type HeaderSource =
  /** 512 bytes as a kernel sent them. */
  | { readonly kind: "header"; readonly bytes: Uint8Array }
  | { readonly kind: "info"; readonly info: InfoFile }
  | { readonly kind: "none" };

/** What the dump file itself says. */
export interface DumpFacts {
  readonly name: DumpName;
  readonly fileSize: number;
  /** Unix time in seconds. */
  readonly modifiedAt: number;
  readonly keySize: number;
  readonly beginning: Beginning;
}

/** A header, and how much data belongs to it. */
export interface HeaderToSend {
  readonly bytes: Uint8Array;
  /** Decoded; what is not known of a version newer than 4 is as for a header that does not say it. */
  readonly header: KernelDumpHeader;
  /** Bytes of data to send: the file, padded with zeros where the kernel would. */
  readonly dataSize: number;
  /** What the user should know. */
  readonly warnings: readonly string[];
}

/**
 * Makes the header. One that was received goes out byte for byte unless fields of it are overridden.
 *
 * @throws {SyntaxError} if the received header is none
 */
export function makeHeader(source: HeaderSource, facts: DumpFacts, overrides: HeaderOverrides): HeaderToSend {
  if (source.kind === "header" && source.bytes.byteLength === KERNEL_DUMP_HEADER_SIZE) {
    const newer = decodeNewerHeader(source.bytes);
    if (newer !== undefined) return sendAsItIs(source.bytes, newer, facts, overrides);
  }
  const overridden = Object.values(overrides).some((value) => value !== undefined);
  let bytes: Uint8Array;
  if (source.kind === "header" && !overridden) {
    if (source.bytes.byteLength !== KERNEL_DUMP_HEADER_SIZE) {
      throw new SyntaxError(
        `Cannot read kernel dump header: ${source.bytes.byteLength} bytes, expected ${KERNEL_DUMP_HEADER_SIZE}`,
      );
    }
    bytes = source.bytes;
  } else {
    bytes = encodeKernelDumpHeader({ ...baseFields(source, facts), ...given(overrides) });
  }
  const header = decodeKernelDumpHeader(bytes);
  return { bytes, header, ...judge(header, facts) };
}

/** A header of a newer version goes out byte for byte: how to change it is not known. */
function sendAsItIs(
  bytes: Uint8Array,
  newer: NewerKernelDumpHeader,
  facts: DumpFacts,
  overrides: HeaderOverrides,
): HeaderToSend {
  if (Object.values(overrides).some((value) => value !== undefined)) {
    throw new SyntaxError(
      `Cannot change kernel dump header: version ${newer.version} is not known, so it can only be sent as it is`,
    );
  }
  const known: KernelDumpHeader = {
    ...newer,
    dumpExtent: null,
    dumpTime: facts.modifiedAt,
    dumpKeySize: facts.keySize,
    blockSize: NETDUMP_BLOCK_SIZE,
    compression: compressionOf(undefined, facts),
    hostname: "",
    versionString: "",
    panicString: "",
    parity: 0,
    parityOk: true,
  };
  const { dataSize, warnings } = judge(known, facts);
  const warning =
    `the kernel dump header is of version ${newer.version}, which is not known: it is sent as it is`;
  return { bytes, header: known, dataSize, warnings: [warning, ...warnings] };
}

/** The header's fields before the command line's are put over them. */
function baseFields(source: HeaderSource, facts: DumpFacts): KernelDumpHeaderFields {
  if (source.kind === "header") return decodeKernelDumpHeader(source.bytes);
  const info = source.kind === "info" ? source.info : undefined;
  const architecture = info?.architecture ?? architectureOf(facts.beginning.plain) ?? "";
  return {
    magic: info?.magic === Magic.TEXTDUMP || facts.name.prefix === "textdump.tar"
      ? Magic.TEXTDUMP
      : Magic.DUMP,
    architecture,
    version: 4,
    architectureVersion: info?.architectureVersion ?? architectureVersionOf(architecture),
    ...lengths(info, facts),
    dumpTime: info?.dumpTime ?? facts.modifiedAt,
    dumpKeySize: facts.keySize,
    blockSize: NETDUMP_BLOCK_SIZE,
    compression: compressionOf(info, facts),
    hostname: info?.hostname ?? "",
    versionString: info?.versionString ?? "",
    panicString: info?.panicString ?? "",
  };
}

function given(overrides: HeaderOverrides): Partial<KernelDumpHeaderFields> {
  const { hostname, panicString, architecture, versionString } = overrides;
  return {
    ...(hostname === undefined ? {} : { hostname }),
    ...(panicString === undefined ? {} : { panicString }),
    ...(architecture === undefined
      ? {}
      : { architecture, architectureVersion: architectureVersionOf(architecture) }),
    // The kernel's version ends in a line feed (section 1.3).
    ...(versionString === undefined ? {} : { versionString: versionString.replace(/\n?$/, "\n") }),
  };
}

/**
 * How the data is compressed. Not every name shows it: of decrypted dumps the data does, of encrypted ones savecore's
 * info files do.
 */
function compressionOf(info: InfoFile | undefined, { name, beginning }: DumpFacts): "none" | "gzip" | "zstd" {
  if (name.compression !== "none") return name.compression;
  if (!name.encrypted) return beginning.compression;
  const told = info?.compression;
  return told === "gzip" || told === "zstd" ? told : "none";
}

/** dumplength is exact if compressed; the size before compression is known from savecore -z's info alone. */
function lengths(info: InfoFile | undefined, facts: DumpFacts): { dumpLength: number; dumpExtent: number } {
  const { fileSize } = facts;
  const told = info?.dumpLength ?? fileSize;
  if (compressionOf(info, facts) !== "none") {
    return { dumpLength: fileSize, dumpExtent: info?.compression === "none" ? told : 0 };
  }
  const dumpLength = Math.max(told, fileSize);
  return { dumpLength, dumpExtent: dumpLength };
}

/** Compares header and file, and says how much to send. */
function judge(header: KernelDumpHeader, facts: DumpFacts): { dataSize: number; warnings: string[] } {
  const warnings: string[] = [];
  const { fileSize, name } = facts;
  const compressed = name.compression !== "none" || (header.compression ?? "none") !== "none";
  const encrypted = name.encrypted || (header.dumpKeySize ?? 0) > 0;
  let dataSize = compressed ? roundUp(fileSize, NETDUMP_BLOCK_SIZE) : fileSize;
  const missing = header.dumpLength - fileSize;
  if (name.incomplete) {
    warnings.push("the dump never arrived whole: the file is sent as it is, with zeros for its holes");
  } else if (missing > 0 && !compressed && !encrypted && missing % NETDUMP_BLOCK_SIZE === 0) {
    // savecore leaves zeros at the end out (kernel-dump-formats.md, section 2.1).
    dataSize = header.dumpLength;
    warnings.push(
      `the file ends ${missing} bytes before the dump does, as savecore may leave it: zeros are sent`,
    );
  } else if (missing !== 0) {
    warnings.push(
      `the kernel dump header speaks of ${header.dumpLength} bytes, the file has ${fileSize}: the server may take the dump for damaged`,
    );
  }
  if (!header.parityOk) warnings.push("the parity of the kernel dump header is wrong: it is sent as it is");
  if (header.architecture === "") warnings.push("the architecture is not known: --arch tells it");
  if (encrypted && facts.keySize === 0) {
    warnings.push(
      "the dump is encrypted and has no key.* beside it: without --key it arrives for nobody to read",
    );
  }
  return { dataSize, warnings };
}

/** Size of a key as it is sent: padded to the block size. */
export function paddedKeySize(sizeBytes: number): number {
  return sizeBytes === 0 ? 0 : Math.max(MAX_KEY_SIZE, roundUp(sizeBytes, NETDUMP_BLOCK_SIZE));
}

const MINIDUMP_ARCHITECTURES: Readonly<Record<string, string>> = {
  arm64: "aarch64",
  riscv: "riscv64",
  arm: "armv7",
};

function architectureOf(beginning: Uint8Array): string | undefined {
  if (!hasMinidumpMagic(beginning) || beginning.byteLength < MINIDUMP_HEADER_SIZE) return undefined;
  try {
    const { architecture } = decodeMinidump(beginning);
    return MINIDUMP_ARCHITECTURES[architecture] ?? architecture;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** kernel-dump-formats.md, section 1.5. */
function architectureVersionOf(architecture: string): number {
  return architecture === "amd64" || architecture === "i386" ? 2 : 1;
}
