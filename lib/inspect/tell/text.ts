/**
 * The findings about a file for people: what an operator woken at night wants to know first, then the rest. Nothing
 * from a dump is printed unescaped (P8).
 *
 * @module
 */

import { type Problem, PROBLEMS } from "../../kerneldump/problem.ts";
import { told } from "./told.ts";
import type { Style } from "../../text/style.ts";
import { formatBytes, formatDuration } from "../../text/units.ts";
import { expandTabs, labelled } from "../../text/lines.ts";
import { formatTime } from "../../text/time.ts";
import type { Findings, Summary } from "../findings.ts";
import { kernelSections } from "./kernel_text.ts";
import { detailSections } from "./text_details.ts";

/** Formats the findings about a file. */
export function formatFindings(findings: Findings, style: Style): string {
  const sections = [
    [style.bold(title(findings)), ...layerLine(findings)],
    summaryLines(findings, style),
    problemLines(findings, style),
    ...kernelSections(findings.kernel, style),
    panicLines(findings, style),
    ...detailSections(findings, style),
  ];
  return sections.filter((lines) => lines.length > 0).map((lines) => lines.join("\n")).join("\n\n") + "\n";
}

function title(findings: Findings): string {
  return `${told(findings.file)}: ${describe(findings)}, ${formatBytes(findings.size)}`;
}

/** What a file is, in a few words. */
export function describe(findings: Findings): string {
  const { minidump, newer, elf } = findings;
  switch (findings.kind) {
    case "minidump": {
      if (newer !== null) {
        return `minidump of ${newer.architecture}, version ${newer.version}, which is not known`;
      }
      if (minidump === null) return "damaged minidump";
      const { architecture, version } = minidump.minidump;
      return `minidump of ${architecture}, version ${version}`;
    }
    case "elf-core":
      return elf === null ? "damaged full dump (ELF core)" : `full dump of ${elf.machine} (ELF core)`;
    case "textdump":
      return "textdump";
    case "kernel-dump-header":
      return "kernel dump header";
    case "key":
      return "key of an encrypted dump";
    case "info":
      return "info file";
    case "core-txt":
      return "crashinfo's report of a dump";
    case "bounds":
      return "the number of the next dump";
    case "minfree":
      return "how many KiB savecore leaves free";
    case "unknown":
      return findings.layers.includes("encrypted") ? "encrypted dump" : "not recognized";
  }
}

const LAYER_NAMES = { encrypted: "encryption", gzip: "gzip", zstd: "zstd" } as const;

function layerLine(findings: Findings): string[] {
  const { layers, plainSize, onDevice } = findings;
  const parts = [
    ...(onDevice ? ["on a dump device, or with its header in the same file"] : []),
    ...(layers.length > 0 ? [`below ${layers.map((layer) => LAYER_NAMES[layer]).join(", then ")}`] : []),
    ...(layers.length > 0 && plainSize !== null ? [`plain ${formatBytes(plainSize)}`] : []),
  ];
  return parts.length === 0 ? [] : [`  ${parts.join("; ")}`];
}

function summaryLines(findings: Findings, style: Style): string[] {
  const { summary, kind, header, layers } = findings;
  const foreign = kind === "unknown" && header === null && !layers.includes("encrypted");
  if (kind === "key" || kind === "bounds" || kind === "minfree" || foreign) return [];
  return [
    ...labelled("Host", summary.host === null ? "not known" : told(summary.host)),
    ...(kind === "core-txt" ? [] : labelled("When", formatWhen(summary))),
    ...labelled("Panic", panicText(findings, style)),
    ...(summary.uptime === null ? [] : labelled("Uptime", formatUptime(summary.uptime))),
    ...labelled("Version", summary.version === null ? "not known" : textLines(summary.version)),
    ...(kind === "kernel-dump-header" || kind === "core-txt"
      ? []
      : labelled("Whole", verdict(findings, style))),
  ];
}

/** A time that may be hours off is marked. */
function formatWhen({ time, timeZoned }: Summary): string | string[] {
  const text = formatTime(time);
  if (text === null || time === null) return "not known";
  const age = Date.now() - time * 1000;
  const when = `${text}${timeZoned ? "" : " *"}${age < 0 ? "" : `, ${formatDuration(age)} ago`}`;
  return timeZoned ? when : [when, "* the info file tells no zone: it is taken to be this machine's"];
}

function panicText({ summary, header, messages, kind }: Findings, style: Style): string | string[] {
  if (summary.panic !== null) return textLines(summary.panic).map((line) => style.bold(line));
  if (kind === "core-txt") return "not known: the report has none";
  if (header?.panicString === "") return "none: the dump was asked for";
  if (kind === "info") return "not known: the info file has none";
  if (header !== null) return "not known: the header does not tell";
  if (messages === "") {
    return "not known: the message buffer is empty, and no kdh.* or info.* lies beside the dump";
  }
  return "not known: no kdh.* or info.* lies beside the dump";
}

/** More lines than a panic or a version has. */
const MOST_LINES = 40;

/** Escaped lines of a text that may have several, as a version has. */
function textLines(text: string): string[] {
  const lines = text.trimEnd().split("\n");
  const more = lines.length > MOST_LINES ? [`[${lines.length - MOST_LINES} more lines]`] : [];
  return [...lines.slice(0, MOST_LINES).map((line) => told(line.trim())), ...more];
}

/** `1d2h3m4s`, as the kernel prints it, for people. */
function formatUptime(uptime: string): string {
  return uptime.replace(/([dhm])/g, " $1 ").replace(/s$/, " s");
}

function verdict({ complete, verified, kind }: Findings, style: Style): string {
  const how = verified && kind !== "info" ? ", all of it was read" : "";
  if (complete === true) return style.green("yes") + how;
  return complete === false ? style.red("NO") + how : style.yellow("cannot be told") + how;
}

function problemLines({ problems }: Findings, style: Style): string[] {
  const weight = ({ code }: Problem) => [false, null, true].indexOf(PROBLEMS[code].complete);
  return problems.toSorted((a, b) => weight(a) - weight(b)).map((problem) => {
    const { complete } = PROBLEMS[problem.code];
    const mark = complete === false
      ? style.red("BAD  ")
      : complete === null
      ? style.yellow("?    ")
      : "note ";
    return `  ${mark} ${problem.message} ${style.dim(`[${problem.code}]`)}`;
  });
}

/** A line of the messages, with its tabs as white space. */
function messageLine(line: string): string {
  return told(expandTabs(line));
}

function panicLines({ panic, kernel }: Findings, style: Style): string[] {
  if (panic === null) return [];
  const placed = (line: string) => {
    const place = kernel?.places.get(line);
    return messageLine(line) + (place === undefined ? "" : style.dim(` (${told(place)})`));
  };
  return [
    style.bold("Last messages"),
    ...panic.before.map((line) => `  ${style.dim(messageLine(line))}`),
    ...panic.lines.map((line, i) => `  ${i === 0 ? style.bold(messageLine(line)) : placed(line)}`),
  ];
}
