/**
 * What the server says: one line of its log, and how reports of receivers become such lines.
 *
 * @module
 */
import { escapeLine, quote } from "../text/escape.ts";
import { formatDuration, formatSize } from "../text/units.ts";
import { formatRanges } from "./session/completeness.ts";
import type { DumpRecord, Report } from "./orders.ts";

/** Importance, least first. */
export const levels = ["debug", "info", "warning", "error"] as const;
/** One of {@linkcode levels}. */
export type Level = typeof levels[number];

/** One line of the log. */
export interface LogEntry {
  readonly level: Level;
  /** What happened, in one word, for programs. */
  readonly event: string;
  /** The same for people, escaped where it comes from the network (P8). */
  readonly text: string;
  /** Facts for programs; unfiltered. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Anyone on the network can provoke this line: its rate is bounded (P7). */
  readonly provoked?: boolean;
}

/** Where lines go. */
export type LogSink = (entry: LogEntry) => void;

/** The log line of a report about a dump; `undefined` for reports that are not worth one. */
export function reportEntry(report: Report): LogEntry | undefined {
  switch (report.report) {
    case "started":
      return startedEntry(report.dump, report.resumed);
    case "header":
      return headerEntry(report.dump, report.problem);
    case "key":
      return {
        level: "info",
        event: "key",
        text: `EKCD key from ${who(report.dump)}: the dump is encrypted`,
        fields: facts(report.dump),
      };
    case "progress":
      return {
        level: "info",
        event: "progress",
        text: `${formatSize(report.dump.receivedBytes)} from ${who(report.dump)} so far, ${
          rate(report.dump)
        }`,
        fields: facts(report.dump),
      };
    case "finished":
      return finishedEntry(report);
    case "removed":
      return {
        level: "info",
        event: "removed",
        text: `Removed old dumps: ${report.files.join(", ")}`,
        fields: { files: report.files },
      };
    case "notice":
      return {
        level: report.level,
        event: "notice",
        text: report.text,
        fields: { id: report.id },
        provoked: true,
      };
    default:
      return undefined;
  }
}

function startedEntry(dump: DumpRecord, resumed: boolean): LogEntry {
  const what = resumed ? "Resumed dump" : "New dump";
  return {
    level: "info",
    event: resumed ? "resumed" : "started",
    text: `${what} from client ${who(dump)} (to ${path(dump)})`,
    fields: facts(dump),
  };
}

function headerEntry(dump: DumpRecord, problem: string | null): LogEntry {
  const header = dump.kernelDumpHeader;
  const panic = header?.panicString ?? "";
  const what = header === null
    ? ""
    : `: ${escapeLine(header.architecture)}, ${formatSize(header.dumpLength)}, ` +
      (panic === "" ? "no panic string" : `panic ${quote(panic)}`);
  return {
    level: problem === null ? "info" : "warning",
    event: "header",
    text: `KDH from ${who(dump)}${what}` + (problem === null ? "" : `; it is bad: ${escapeLine(problem)}`),
    fields: { ...facts(dump), problem },
  };
}

function finishedEntry(report: Extract<Report, { report: "finished" }>): LogEntry {
  const { dump, complete, outcome, missing } = report;
  const fields = {
    ...facts(dump),
    outcome,
    complete,
    reason: report.reason,
    missing,
    resumable: report.resumable,
  };
  const saved = dump.savedPackets === 0
    ? ""
    : `; ${dump.savedPackets} packets were saved that early acks would have lost`;
  const extent = `${formatSize(dump.receivedBytes)} in ${formatDuration(dump.durationMs)}, ${rate(dump)}, ` +
    `${dump.resends} resends${saved}`;
  if (complete) {
    return {
      level: "info",
      event: "completed",
      text: `Completed dump from client ${who(dump)} (${path(dump)}): ${extent}`,
      fields,
    };
  }
  const what = outcome === "timeout"
    ? `Client ${dump.client} timed out`
    : `Incomplete dump from client ${who(dump)}`;
  const ranges = missing.length === 0 ? "" : `; missing: ${formatRanges(missing.slice(0, 8))}`;
  return {
    level: "warning",
    event: "incomplete",
    text: `${what} (${path(dump)}): ${escapeLine(report.reason ?? "")}${ranges}; ${extent}` +
      (report.resumable ? "; it goes on if the server is started again in time" : ""),
    fields,
  };
}

/** Facts of a dump for programs. */
function facts(dump: DumpRecord): Record<string, unknown> {
  const { kernelDumpHeader: header, ...rest } = dump;
  return {
    ...rest,
    architecture: header?.architecture ?? null,
    dumpLength: header?.dumpLength ?? null,
    panicString: header?.panicString ?? null,
    versionString: header?.versionString ?? null,
  };
}

function who(dump: DumpRecord): string {
  return `${dump.host} [${dump.client}]`;
}

function path(dump: DumpRecord): string {
  return escapeLine(`${dump.directory}/${dump.core}`);
}

function rate(dump: DumpRecord): string {
  return `${formatSize(Math.round(dump.receivedBytes / Math.max(dump.durationMs, 1) * 1000))}/s`;
}
