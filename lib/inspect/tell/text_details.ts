/**
 * The findings about a file for people, second part: header, layout, memory, members.
 *
 * @module
 */

import { type ElfCore, hasPhysicalAddress } from "../../kerneldump/elf/elf_core.ts";
import { minidumpLayout } from "../../kerneldump/minidump/minidump.ts";
import type { Extent } from "../../bytes/source.ts";
import { told } from "./told.ts";
import type { Style } from "../../text/style.ts";
import { formatTable } from "../../text/table.ts";
import { formatBytes, formatSize } from "../../text/units.ts";
import type { CoreText } from "../../kerneldump/files/core_text.ts";
import { cutLine, expandTabs, labelled } from "../../text/lines.ts";
import { formatTime } from "../../text/time.ts";
import type { Findings, HeaderFacts, MinidumpFacts, TextdumpFacts } from "../findings.ts";
import { formatAddress } from "./address.ts";

/** The sections behind the summary, each a list of lines; those that do not apply are empty. */
export function detailSections(findings: Findings, style: Style): string[][] {
  const { header, info, minidump, elf, textdump, key, coreText } = findings;
  return [
    header === null ? [] : headerLines(header, style),
    info === null ? [] : infoLines(info, style),
    key === null ? [] : [style.bold("Key"), ...keyLines(findings)],
    ...(coreText === null ? [] : coreTextSections(coreText, style)),
    ...(minidump === null ? [] : minidumpSections(minidump, style)),
    elf === null ? [] : elfLines(elf, style),
    ...(textdump === null ? [] : textdumpSections(textdump, style)),
  ];
}

const WIDE = 20;

function headerLines(header: HeaderFacts, style: Style): string[] {
  const row = (label: string, value: string | number | null) =>
    value === null ? [] : labelled(label, `${value}`, WIDE);
  const { dumpLength, dumpExtent, dumpKeySize, compression, parityOk } = header;
  return [
    style.bold(`Kernel dump header, from ${told(header.source)}`),
    ...row("Magic", header.magic === null ? null : told(header.magic)),
    ...row("Architecture", header.architecture === null ? null : told(header.architecture)),
    ...row("Header version", header.version),
    ...row("Architecture version", header.architectureVersion),
    ...row("Dump length", dumpLength === null ? null : formatBytes(dumpLength)),
    ...row("Dump extent", dumpExtent === null || dumpExtent === dumpLength ? null : formatBytes(dumpExtent)),
    ...row("Block size", header.blockSize),
    ...row("Compression", compression === null ? null : `${compression}`),
    ...row(
      "Encrypted",
      dumpKeySize === null ? null : dumpKeySize > 0 ? `yes, key of ${dumpKeySize} bytes` : "no",
    ),
    ...row("Parity", parityOk === null ? null : parityOk ? "ok" : "BAD"),
  ];
}

function infoLines(info: NonNullable<Findings["info"]>, style: Style): string[] {
  const { client, device, ending, dumpStatus, others } = info;
  return [
    style.bold("Info file"),
    ...(client === null ? [] : labelled("Received from", told(`${client.host} [${client.address}]`), WIDE)),
    ...(device === null ? [] : labelled("Saved from", told(device), WIDE)),
    ...others.flatMap(([label, value]) => labelled(told(label), told(value), WIDE)),
    ...(dumpStatus === null ? [] : labelled("Dump status", told(dumpStatus), WIDE)),
    ...(ending === null ? [] : labelled("Verdict", told(ending), WIDE)),
  ];
}

function coreTextSections(report: CoreText, style: Style): string[][] {
  const { vmcore, written, machine, backtrace, sections, whole } = report;
  const row = (label: string, value: string | null) =>
    value === null ? [] : labelled(label, told(value), WIDE);
  const last = sections.at(-1);
  const end = whole
    ? "whole: its last section is there"
    : `cut, or not written to its end: ${
      last === undefined ? "it has no sections" : `the last section is "${last}"`
    }`;
  return [
    [
      style.bold("Report"),
      ...row("Of the dump", vmcore),
      ...row("Written", written),
      ...row("Machine", machine),
      ...row("Sections", `${sections.length}`),
      ...row("Ends", end),
    ],
    backtrace.length === 0
      ? []
      : [style.bold("Backtrace"), ...backtrace.map((line) => `  ${told(expandTabs(line))}`)],
  ];
}

const CIPHER_NAMES = { "aes-256-cbc": "AES-256-CBC", chacha20: "ChaCha20" } as const;

function keyLines({ key }: Findings): string[] {
  if (key === null) return [];
  return [
    ...labelled("Cipher", CIPHER_NAMES[key.cipher], WIDE),
    ...labelled("Made for", `an RSA key of ${key.encryptedKey.byteLength * 8} bits`, WIDE),
  ];
}

function minidumpSections(facts: MinidumpFacts, style: Style): string[][] {
  const { minidump, pageMap, size } = facts;
  const bits = minidump.wordSize === 8 ? 64 : 32;
  const address = (value: bigint) => formatAddress(value, bits);
  const layout = minidumpLayout(minidump);
  const sections: [string, Extent | null][] = [
    ["header", layout.header],
    ["message buffer", layout.messageBuffer],
    ["physical ranges", layout.dumpAvail],
    ["page bitmap", layout.bitmap],
    ["page tables", layout.pageTables],
    ["pages", pageMap.pages],
  ];
  const rows = sections.flatMap(([name, extent]) => extent === null ? [] : [[name, extent] as const]);
  const { directMapBase, directMapEnd, mmuName, paeMode } = minidump;
  return [
    [
      style.bold(`Layout, ${formatBytes(size)} in all`),
      ...formatTable(
        rows.map((
          [name, { offset, size }],
        ) => [`  ${name}`, `0x${offset.toString(16)}`, ...sizeCells(size)]),
        ["left", "right", "right", "right"],
      ),
    ],
    [
      style.bold("Kernel memory"),
      ...labelled("Kernel from", address(minidump.kernelBase), WIDE),
      ...(directMapBase === null
        ? []
        : labelled("Direct map", `${address(directMapBase)} to ${address(directMapEnd ?? 0n)}`, WIDE)),
      ...(paeMode === null ? [] : labelled("PAE", paeMode ? "yes" : "no", WIDE)),
      ...(mmuName === null ? [] : labelled("MMU", told(mmuName), WIDE)),
      ...labelled("Pages dumped", `${pageMap.dumpedPages}, ${minidump.pageSize} bytes each`, WIDE),
    ],
    rangeLines(facts, style),
  ];
}

/** From few to all of the pages dumped. */
const SHADES = " .:-=+*#";

function rangeLines({ minidump, coverage, spread }: MinidumpFacts, style: Style): string[] {
  if (coverage.length === 0) return [];
  const hex = (value: number) => `0x${value.toString(16).padStart(minidump.wordSize === 8 ? 12 : 9, "0")}`;
  const rows = coverage.map(({ start, end, pages, dumpedPages }) => [
    `  ${hex(start)}`,
    hex(end),
    formatSize(end - start),
    `${dumpedPages} of ${pages} pages`,
    `${(100 * dumpedPages / Math.max(1, pages)).toFixed(1)} %`,
  ]);
  const shade = (share: number) =>
    share === 0 ? " " : SHADES[Math.min(SHADES.length - 1, 1 + Math.floor(share * (SHADES.length - 1)))]!;
  return [
    style.bold("Physical memory, and how much of it was dumped"),
    ...formatTable(rows, ["left", "left", "right", "right", "right"]),
    `  [${spread.map(shade).join("")}]`,
  ];
}

function elfLines(core: ElfCore, style: Style): string[] {
  const address = (value: bigint) => formatAddress(value, core.class);
  const rows = core.segments.map((segment) => [
    `  0x${segment.offset.toString(16)}`,
    hasPhysicalAddress(core, segment)
      ? address(segment.physicalAddress)
      : `virtual ${address(segment.virtualAddress)}`,
    ...sizeCells(segment.fileSize),
  ]);
  return [
    style.bold(`Segments, ${core.class}-bit ${core.byteOrder}-endian`),
    ...formatTable([["  offset", "address", "size", "bytes"], ...rows], ["right", "left", "right", "right"]),
  ];
}

/** Lines of the debugger's output that are shown: the stack, or what was asked first. */
const DDB_LINES = 60;

function textdumpSections({ members, ddb, stack }: TextdumpFacts, style: Style): string[][] {
  const rows = members.map(({ name, size, mtime, complete }) => [
    `  ${told(name)}`,
    ...sizeCells(size),
    formatTime(mtime) ?? "",
    complete ? "" : "cut",
  ]);
  const all = ddb?.trimEnd().split("\n") ?? [];
  const lines = stack?.lines ?? all;
  const more = all.length > Math.min(lines.length, DDB_LINES)
    ? ["  ... more in ddb.txt: --member ddb.txt prints all of it"]
    : [];
  return [
    [style.bold("Members"), ...formatTable(rows, ["left", "right", "right", "left"])],
    lines.length === 0 ? [] : [
      style.bold("Debugger"),
      ...lines.slice(0, DDB_LINES).map((line) => `  ${told(expandTabs(cutLine(line)))}`),
      ...more,
    ],
  ];
}

/** A size for people where it is not the same as the exact one, and the exact one. */
function sizeCells(bytes: number): [string, string] {
  return [bytes < 1024 ? "" : formatSize(bytes), `${bytes}`];
}
