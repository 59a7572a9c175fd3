/**
 * Everything that examining a file brings to light, in the types of the formats. The report for programs and the text
 * for people are both made from it.
 *
 * @module
 */

import type { DebuggerStack } from "../kerneldump/ddb_text.ts";
import type { ElfCore } from "../kerneldump/elf/elf_core.ts";
import type { Compression, KernelDumpHeader, NewerKernelDumpHeader } from "../kerneldump/files/header.ts";
import type { CoreText } from "../kerneldump/files/core_text.ts";
import type { InfoFile } from "../kerneldump/files/read_info.ts";
import type { KernelDumpKey } from "../kerneldump/files/key.ts";
import type { PanicExcerpt } from "../kerneldump/messages/message_text.ts";
import type { Minidump } from "../kerneldump/minidump/minidump.ts";
import type { NewerMinidump } from "../kerneldump/minidump/newer_minidump.ts";
import type { PageMap, RangeCoverage } from "../kerneldump/minidump/page_map.ts";
import { type Problem, PROBLEMS } from "../kerneldump/problem.ts";
import type { TextdumpMember } from "../kerneldump/textdump.ts";
import type { KernelFindings } from "./kernel_findings.ts";
import type { Layer } from "./open/layers.ts";

/** What a file is, below its layers. */
export type Kind =
  | "minidump"
  | "elf-core"
  | "textdump"
  | "kernel-dump-header"
  | "key"
  | "info"
  | "core-txt"
  | "bounds"
  | "minfree"
  | "unknown";

/** The kernel dump header's fields; from an info file some are absent. Strings are unfiltered. */
export interface HeaderFacts {
  /** The name of the file that they come from. */
  readonly source: string;
  readonly magic: string | null;
  readonly architecture: string | null;
  readonly version: number | null;
  readonly architectureVersion: number | null;
  readonly dumpLength: number | null;
  readonly dumpExtent: number | null;
  /** Unix time in seconds. */
  readonly dumpTime: number | null;
  /** Whether the time has its zone; one without is taken as this machine's local time. */
  readonly dumpTimeZoned: boolean;
  readonly dumpKeySize: number | null;
  readonly blockSize: number | null;
  readonly compression: Compression | "???" | number | null;
  readonly hostname: string | null;
  readonly versionString: string | null;
  readonly panicString: string | null;
  readonly parityOk: boolean | null;
}

/** What a minidump tells. */
export interface MinidumpFacts {
  readonly minidump: Minidump;
  readonly pageMap: PageMap;
  readonly coverage: readonly RangeCoverage[];
  /** The share of dumped pages in each part of physical memory, 0 to 1. */
  readonly spread: readonly number[];
  /** Bytes that its sections add up to. */
  readonly size: number;
}

/** What a textdump tells. Strings are unfiltered. */
export interface TextdumpFacts {
  readonly members: readonly TextdumpMember[];
  readonly panic: string | null;
  readonly version: string | null;
  /** What was typed and answered in the debugger. */
  readonly ddb: string | null;
  /** The first stack that the debugger was asked for. */
  readonly stack: DebuggerStack | null;
}

/** What happened, from whichever part of the dump tells it best. Strings are unfiltered. */
export interface Summary {
  readonly host: string | null;
  /** Unix time in seconds. */
  readonly time: number | null;
  /** Whether the time has its zone; one without is taken as this machine's local time. */
  readonly timeZoned: boolean;
  readonly panic: string | null;
  readonly version: string | null;
  readonly uptime: string | null;
  /** Equal for panics that are likely the same bug. */
  readonly signature: string | null;
}

/** Everything about one file. */
export interface Findings {
  /** As it was named by the user. */
  readonly file: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly layers: readonly Layer[];
  readonly kind: Kind;
  /** Where the dump lies, if not simply in a file of its own: `device` or `live`. */
  readonly onDevice: boolean;
  readonly header: HeaderFacts | null;
  /** The info file beside the dump, or the file itself. */
  readonly info: InfoFile | null;
  /** The header that a minidump has of its own is absent if it is damaged. */
  readonly minidump: MinidumpFacts | null;
  /** What a minidump of a version or architecture that is not known tells all the same. */
  readonly newer: NewerMinidump | null;
  readonly elf: ElfCore | null;
  readonly textdump: TextdumpFacts | null;
  readonly key: KernelDumpKey | null;
  /** crashinfo's report, if the file is one. */
  readonly coreText: CoreText | null;
  /** The message buffer's text, oldest first. */
  readonly messages: string | null;
  readonly panic: PanicExcerpt | null;
  /** The kernel and its threads; `null` without symbols. */
  readonly kernel: KernelFindings | null;
  readonly summary: Summary;
  /** Bytes of the plain dump, if they are known. */
  readonly plainSize: number | null;
  /** Whether all of it was read. */
  readonly verified: boolean;
  readonly complete: boolean | null;
  readonly problems: readonly Problem[];
}

/** The facts of a decoded header. */
export function factsOfHeader(source: string, header: KernelDumpHeader): HeaderFacts {
  return {
    source,
    magic: header.magic,
    architecture: header.architecture,
    version: header.version,
    architectureVersion: header.architectureVersion,
    dumpLength: header.dumpLength,
    dumpExtent: header.dumpExtent,
    dumpTime: header.dumpTime,
    dumpTimeZoned: true,
    dumpKeySize: header.dumpKeySize,
    blockSize: header.blockSize,
    compression: header.compression,
    hostname: header.hostname,
    versionString: header.versionString,
    panicString: header.panicString,
    parityOk: header.parityOk,
  };
}

/** The facts of a header of a version that is not known. */
export function factsOfNewerHeader(source: string, header: NewerKernelDumpHeader): HeaderFacts {
  return {
    source,
    ...header,
    dumpExtent: null,
    dumpTime: null,
    dumpTimeZoned: false,
    dumpKeySize: null,
    blockSize: null,
    compression: null,
    hostname: null,
    versionString: null,
    panicString: null,
    parityOk: null,
  };
}

/** The facts of an info file; `null` if it was written before a header arrived. */
export function factsOfInfo(source: string, info: InfoFile): HeaderFacts | null {
  if (info.architecture === null && info.dumpLength === null) return null;
  return {
    source,
    magic: info.magic,
    architecture: info.architecture,
    version: null,
    architectureVersion: info.architectureVersion,
    dumpLength: info.dumpLength,
    dumpExtent: null,
    dumpTime: info.dumpTime,
    dumpTimeZoned: info.dumpTimeZoned,
    dumpKeySize: null,
    blockSize: info.blockSize,
    compression: info.compression,
    hostname: info.hostname,
    versionString: info.versionString,
    panicString: info.panicString,
    parityOk: info.parityOk,
  };
}

/** Why what is inside a dump cannot be read: the first problem that may be the reason; `undefined` if there is none. */
export function whyUnreadable({ problems }: Findings): string | undefined {
  return problems.find(({ code }) => code === "encrypted" || PROBLEMS[code].complete !== true)?.message;
}
