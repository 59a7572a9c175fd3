/**
 * What a file is, by its first and last bytes (reference kernel-dump-formats.md, section 10.1).
 *
 * @module
 */

import { findTrailingHeader } from "./device/device_image.ts";
import { hasNewerTrailingHeader } from "./device/newer_device.ts";
import { decodeElfCore, isKernelDump, isProcessCore, segmentTable } from "./elf/elf_core.ts";
import { hasElfMagic } from "./elf/elf_header.ts";
import { looksLikeCoreText } from "./files/core_text.ts";
import { hasKernelDumpMagic, KERNEL_DUMP_HEADER_SIZE } from "./files/header.ts";
import { looksLikeInfo } from "./files/read_info.ts";
import { looksLikeKey } from "./files/key.ts";
import { describeForeign, describeForeignCore } from "./foreign.ts";
import { hasMinidumpMagic } from "./minidump/minidump.ts";
import { hasUstarMagic, holdsTextdumpMember } from "./textdump.ts";

/** Bytes of a file's start that {@linkcode identify} wants: enough for the largest key file. */
export const SAMPLE_START_SIZE = 8192;
/** Bytes of a file's end that {@linkcode identify} wants: a large sector. */
export const SAMPLE_END_SIZE = 4096;

/** What is known of a file. */
export interface Sample {
  /** The file's name without its folder: a hint where the bytes have no magic. */
  readonly name: string;
  /** The first {@linkcode SAMPLE_START_SIZE} bytes, or all. */
  readonly start: Uint8Array;
  /** The last {@linkcode SAMPLE_END_SIZE} bytes, or all; `null` where the end cannot be read without the rest. */
  readonly end: Uint8Array | null;
  /** Bytes of the file; `null` if not known. */
  readonly size: number | null;
}

/** What a file is. */
export type Identity =
  | { readonly kind: "minidump"; readonly trailingHeader: boolean }
  /** `dataOffset`: where the ELF header is; 512 behind the header that old powerpc kernels sent first. */
  | { readonly kind: "elf-core"; readonly dataOffset: 0 | 512 }
  | { readonly kind: "compressed"; readonly compression: "gzip" | "zstd"; readonly trailingHeader: boolean }
  | { readonly kind: "textdump" }
  | { readonly kind: "info" }
  /** crashinfo's report. */
  | { readonly kind: "core-txt" }
  /** savecore's or netdumpd's next number, and how many KiB savecore leaves free. */
  | { readonly kind: "bounds" | "minfree" }
  | { readonly kind: "kernel-dump-header" }
  | { readonly kind: "key" }
  | { readonly kind: "device-image" }
  | { readonly kind: "encrypted" }
  /** `hint` says what it seems to be instead, in words that continue "it is". */
  | { readonly kind: "unknown"; readonly hint: string | null };

/** Tells what a file is. Never throws: what cannot be told is `unknown`. */
export function identify(sample: Sample): Identity {
  const { name, start, end, size } = sample;
  const trailingHeader = end !== null &&
    (findTrailingHeader(end) !== undefined || hasNewerTrailingHeader(end));
  if (hasMinidumpMagic(start)) return { kind: "minidump", trailingHeader };
  if (hasElfMagic(start)) return identifyElf(start, 0);
  if (start[0] === 0x1f && start[1] === 0x8b) {
    return { kind: "compressed", compression: "gzip", trailingHeader };
  }
  if (hasZstdMagic(start)) return { kind: "compressed", compression: "zstd", trailingHeader };
  if (isTextdump(start, name)) return { kind: "textdump" };
  const text = identifyText(start, name);
  if (text !== undefined) return text;
  if (hasKernelDumpMagic(start)) return identifyHeader(start);
  if (isKey(start, name, size)) return { kind: "key" };
  if (trailingHeader) return { kind: "device-image" };
  if (name.startsWith("vmcore_encrypted")) return { kind: "encrypted" };
  return { kind: "unknown", hint: size === 0 ? "empty" : describeForeign(start) };
}

function identifyElf(start: Uint8Array, dataOffset: 0 | 512): Identity {
  const elf = start.subarray(dataOffset);
  try {
    const { tableOffset, tableSize } = segmentTable(elf);
    const core = decodeElfCore(elf, elf.subarray(tableOffset, tableOffset + tableSize));
    if (isKernelDump(core)) return { kind: "elf-core", dataOffset };
    if (isProcessCore(core)) return { kind: "unknown", hint: describeForeignCore(core, elf) };
    return { kind: "unknown", hint: "an ELF file, but no kernel dump" };
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: "unknown", hint: "an ELF file, cut or damaged" };
    throw error;
  }
}

/** The header of a dump that follows it: only what old powerpc kernels sent by TFTP is like that. */
function identifyHeader(start: Uint8Array): Identity {
  if (!hasElfMagic(start.subarray(KERNEL_DUMP_HEADER_SIZE))) return { kind: "kernel-dump-header" };
  const elf = identifyElf(start, KERNEL_DUMP_HEADER_SIZE);
  return elf.kind === "elf-core" ? elf : { kind: "kernel-dump-header" };
}

/** A frame, or one to be skipped before it: parallel compressors write those. */
function hasZstdMagic(start: Uint8Array): boolean {
  const isSkippable = (start[0]! & 0xf0) === 0x50 && start[1] === 0x2a && start[2] === 0x4d &&
    start[3] === 0x18;
  return isSkippable || start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd;
}

function isTextdump(start: Uint8Array, name: string): boolean {
  if (!hasUstarMagic(start)) return false;
  return holdsTextdumpMember(start) || name.startsWith("textdump.tar");
}

/** Texts beside dumps (sections 2.1 to 2.5): by their first lines, or by their name where they hold a number only. */
function identifyText(start: Uint8Array, name: string): Identity | undefined {
  const text = new TextDecoder().decode(start.subarray(0, TEXT_SAMPLE));
  if (looksLikeInfo(text)) return { kind: "info" };
  if (looksLikeCoreText(text)) return { kind: "core-txt" };
  const cut = identifyCutText(text, name);
  if (cut !== undefined) return cut;
  if (!/^\d{1,10}\s{0,4}$/.test(text)) return undefined;
  if (/^bounds(?:\.[A-Za-z0-9_.-]{1,80})?$/.test(name)) return { kind: "bounds" };
  return name === "minfree" ? { kind: "minfree" } : undefined;
}

/** A text that was cut in its first line, or has none yet, is what its name says. */
function identifyCutText(text: string, name: string): Identity | undefined {
  if (text.includes("\n") || text.length > MOST_CUT) return undefined;
  if (/^info\.[^/]/.test(name) && INFO_BEGINNINGS.some((line) => line.startsWith(text))) {
    return { kind: "info" };
  }
  return /^core\.txt\.[^/]/.test(name) && /^[\x20-\x7e]*$/.test(text) ? { kind: "core-txt" } : undefined;
}

const MOST_CUT = 300;
const INFO_BEGINNINGS = [
  "Dump header from device",
  "Dump from ",
  "Good dump found on device",
  '{"crashdump"',
  "<crashdump>",
];

/** The first line, however long its names are. */
const TEXT_SAMPLE = 2048;

/** Keys have no magic, so the whole file must look like one; a name that says so allows for a damaged one. */
function isKey(start: Uint8Array, name: string, size: number | null): boolean {
  if (size !== null && size === start.byteLength && looksLikeKey(start)) return true;
  return name.startsWith("key.") && (start[0] === 1 || start[0] === 2);
}
