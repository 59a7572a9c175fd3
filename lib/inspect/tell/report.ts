/**
 * The findings about a file as `--json` gives them: one value, the same keys in the same order for every file, and
 * `null` for what is absent. Programs rely on it: keys are only ever added, at the end.
 *
 * @module
 */

import { formatIsoTime } from "../../text/time.ts";
import type { ElfCore } from "../../kerneldump/elf/elf_core.ts";
import { problem } from "../../kerneldump/problem.ts";
import { stripPriorities } from "../../kerneldump/messages/message_text.ts";
import type { CoreText } from "../../kerneldump/files/core_text.ts";
import type { NewerMinidump } from "../../kerneldump/minidump/newer_minidump.ts";
import type { Findings, HeaderFacts, MinidumpFacts, Summary } from "../findings.ts";
import { type Address, formatAddress } from "./address.ts";
import { type KernelReport, reportKernel } from "./kernel_report.ts";

/** The kernel dump header. */
export interface HeaderReport {
  readonly source: string;
  readonly magic: string | null;
  readonly architecture: string | null;
  readonly version: number | null;
  readonly architectureVersion: number | null;
  readonly dumpLength: number | null;
  readonly dumpExtent: number | null;
  /** ISO 8601, UTC. */
  readonly dumpTime: string | null;
  readonly dumpKeySize: number | null;
  readonly blockSize: number | null;
  readonly compression: string | null;
  readonly hostname: string | null;
  readonly versionString: string | null;
  readonly panicString: string | null;
  readonly parity: "ok" | "bad" | null;
}

/** A minidump's header, and how many pages it holds. */
export interface MinidumpReport {
  readonly architecture: string;
  readonly version: number;
  readonly messageBufferSize: number;
  /** From here on `null` if the version is not known. */
  readonly bitmapSize: number | null;
  readonly pageTableSize: number | null;
  readonly kernelBase: Address | null;
  readonly directMapBase: Address | null;
  readonly directMapEnd: Address | null;
  readonly dumpAvailSize: number | null;
  readonly pageSize: number | null;
  readonly pages: number | null;
}

/** A full dump's segments. */
export interface ElfReport {
  readonly class: 32 | 64;
  readonly byteOrder: "little" | "big";
  readonly machine: string;
  readonly segments: readonly {
    readonly offset: number;
    readonly physicalAddress: Address;
    readonly fileSize: number;
    readonly memorySize: number;
  }[];
}

/** One line of `netdump inspect --json`. */
export interface Report {
  readonly file: string;
  /** `null` if the file cannot be read. */
  readonly size: number | null;
  readonly layers: readonly string[];
  readonly kind: string;
  readonly kernelDumpHeader: HeaderReport | null;
  readonly minidump: MinidumpReport | null;
  readonly elf: ElfReport | null;
  readonly messageBuffer: string | null;
  readonly kernel: KernelReport | null;
  readonly complete: boolean | null;
  readonly problems: readonly { readonly code: string; readonly message: string }[];
  /** What the text form shows on top. */
  readonly summary: SummaryReport;
  /** What crashinfo's report says, if the file is one. */
  readonly coreText: CoreText | null;
}

/** What happened, from whichever part of the dump tells it best. */
export interface SummaryReport {
  readonly host: string | null;
  /** ISO 8601, UTC. */
  readonly time: string | null;
  readonly panic: string | null;
  readonly uptimeSeconds: number | null;
  readonly version: string | null;
  /** Equal for panics that are likely the same bug. */
  readonly signature: string | null;
  /** `false` if the time came without a zone and is taken as this machine's local time; `null` if none is known. */
  readonly timeZoned: boolean | null;
}

/** Which parts of the findings a report carries. */
export interface ReportOptions {
  readonly messages: boolean;
  readonly priorities: boolean;
}

/** Makes the report. */
export function makeReport(findings: Findings, { messages, priorities }: ReportOptions): Report {
  const text = messages ? findings.messages : null;
  return {
    file: findings.file,
    size: findings.size,
    layers: findings.layers,
    kind: findings.kind,
    kernelDumpHeader: findings.header === null ? null : reportHeader(findings.header),
    minidump: findings.minidump !== null
      ? reportMinidump(findings.minidump)
      : findings.newer !== null
      ? reportNewerMinidump(findings.newer)
      : null,
    elf: findings.elf === null ? null : reportElf(findings.elf),
    messageBuffer: text === null || priorities ? text : stripPriorities(text),
    kernel: findings.kernel === null ? null : reportKernel(findings.kernel),
    complete: findings.complete,
    problems: findings.problems.map(({ code, message }) => ({ code, message })),
    summary: reportSummary(findings.summary),
    coreText: findings.coreText,
  };
}

/** Makes the report of a file that is not there or cannot be read: the keys of all reports, and why. */
export function makeUnreadableReport(file: string, message: string): Report {
  return {
    file,
    size: null,
    layers: [],
    kind: "unknown",
    kernelDumpHeader: null,
    minidump: null,
    elf: null,
    messageBuffer: null,
    kernel: null,
    complete: null,
    problems: [problem("unreadable", message)],
    summary: {
      host: null,
      time: null,
      panic: null,
      uptimeSeconds: null,
      version: null,
      signature: null,
      timeZoned: null,
    },
    coreText: null,
  };
}

function reportSummary({ host, time, panic, uptime, version, signature, timeZoned }: Summary): SummaryReport {
  return {
    host,
    time: formatIsoTime(time),
    panic,
    uptimeSeconds: uptime === null ? null : parseUptime(uptime),
    version,
    signature,
    timeZoned: time === null ? null : timeZoned,
  };
}

/** Seconds of each unit of the kernel's uptime. */
const UNITS: Readonly<Record<string, number>> = { d: 86400, h: 3600, m: 60, s: 1 };

/** `1d2h3m4s`, as the kernel prints it, in seconds. */
function parseUptime(uptime: string): number {
  let seconds = 0;
  for (const [, count, unit] of uptime.matchAll(/(\d{1,9})([dhms])/g)) {
    seconds += Number(count) * UNITS[unit!]!;
  }
  return seconds;
}

function reportHeader(header: HeaderFacts): HeaderReport {
  return {
    source: header.source,
    magic: header.magic,
    architecture: header.architecture,
    version: header.version,
    architectureVersion: header.architectureVersion,
    dumpLength: header.dumpLength,
    dumpExtent: header.dumpExtent,
    dumpTime: formatIsoTime(header.dumpTime),
    dumpKeySize: header.dumpKeySize,
    blockSize: header.blockSize,
    compression: header.compression === null ? null : `${header.compression}`,
    hostname: header.hostname,
    versionString: header.versionString,
    panicString: header.panicString,
    parity: header.parityOk === null ? null : header.parityOk ? "ok" : "bad",
  };
}

function reportMinidump({ minidump, pageMap }: MinidumpFacts): MinidumpReport {
  const bits = minidump.wordSize === 8 ? 64 : 32;
  const address = (value: bigint | null) => value === null ? null : formatAddress(value, bits);
  return {
    architecture: minidump.architecture,
    version: minidump.version,
    messageBufferSize: minidump.messageBufferSize,
    bitmapSize: minidump.bitmapSize,
    pageTableSize: minidump.pageTableSize,
    kernelBase: formatAddress(minidump.kernelBase, bits),
    directMapBase: address(minidump.directMapBase),
    directMapEnd: address(minidump.directMapEnd),
    dumpAvailSize: minidump.dumpAvailSize,
    pageSize: minidump.pageSize,
    pages: pageMap.dumpedPages,
  };
}

function reportNewerMinidump({ architecture, version, messageBufferSize }: NewerMinidump): MinidumpReport {
  return {
    architecture,
    version,
    messageBufferSize,
    bitmapSize: null,
    pageTableSize: null,
    kernelBase: null,
    directMapBase: null,
    directMapEnd: null,
    dumpAvailSize: null,
    pageSize: null,
    pages: null,
  };
}

function reportElf(core: ElfCore): ElfReport {
  return {
    class: core.class,
    byteOrder: core.byteOrder,
    machine: core.machine,
    segments: core.segments.map((segment) => ({
      offset: segment.offset,
      physicalAddress: formatAddress(segment.physicalAddress, core.class),
      fileSize: segment.fileSize,
      memorySize: segment.memorySize,
    })),
  };
}
