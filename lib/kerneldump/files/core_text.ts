/**
 * crashinfo's report of a dump, `core.txt.N` (reference kernel-dump-formats.md, section 2.5).
 *
 * @module
 */

/** What a report says. Strings are unfiltered; what it does not say is `null`. */
export interface CoreText {
  readonly host: string | null;
  /** The dump that it was made from, as its first line names it. */
  readonly vmcore: string | null;
  /** When the report was written, in date(1)'s words. */
  readonly written: string | null;
  readonly version: string | null;
  readonly machine: string | null;
  readonly panic: string | null;
  /** The debugger's frames, a line that it broke put together again. */
  readonly backtrace: readonly string[];
  /** The commands whose output follows, in order. */
  readonly sections: readonly string[];
  /** Whether it reaches the last section that crashinfo writes. */
  readonly whole: boolean;
}

const FIRST_LINE = /^(\S{1,255}) dumped core - see (\S.*)$/;
const UNAME = /^FreeBSD (\S{1,255}) (\S{1,100}) (FreeBSD .*\S) +(\S{1,32})$/;
const RULE = "-".repeat(72);
const FRAME = /^(?:\(kgdb\) )?(#\d{1,4} .*)$/;
/** The section that crashinfo has always written last. */
export const LAST_SECTION = "ddb capture buffer";
/** Everything that is read of the head stands in the first lines. */
const HEAD_LINES = 12;
const MOST_FRAMES = 256;
const MOST_SECTIONS = 64;

/** A report to be written. Nothing of it is escaped here: it is text for people, who may print it. */
export interface CoreTextParts {
  readonly host: string;
  readonly vmcore: string;
  readonly writtenAt: Date;
  /** What uname(1) tells; `null` if the version is not known. */
  readonly uname:
    | { readonly osrelease: string; readonly version: string; readonly machine: string }
    | null;
  readonly panic: string;
  /** What a debugger says of the dump: the kernel's last messages, and the backtrace. */
  readonly debugger: readonly string[];
  /** Commands and their output, in crashinfo's order. */
  readonly sections: readonly (readonly [command: string, output: string])[];
}

/** Writes a report as crashinfo does. */
export function formatCoreText(parts: CoreTextParts): string {
  const { host, vmcore, writtenAt, uname, panic, sections } = parts;
  // The line feed at the version's end is a blank too.
  const system = uname === null
    ? "FreeBSD"
    : `FreeBSD ${host} ${uname.osrelease} ${uname.version.replace(/[\t\n]/g, " ")} ${uname.machine}`;
  return [
    `${host} dumped core - see ${vmcore}`,
    "",
    formatDate(writtenAt),
    "",
    system,
    "",
    `panic: ${withoutRules(panic)}`,
    "",
    ...parts.debugger.map(withoutRules),
    "",
    "",
    ...sections.flatMap((
      [command, output],
    ) => [RULE, command, "", withoutRules(output.replace(/\n$/, "")), ""]),
  ].join("\n");
}

/** What a dump says begins no section. */
function withoutRules(text: string): string {
  return text.split("\n").map((line) => line === RULE ? ` ${line}` : line).join("\n");
}

/** As date(1) prints a time, in UTC: `Fri Nov 21 10:08:00 UTC 2025`. */
function formatDate(time: Date): string {
  const [day, date, month, year, clock] = time.toUTCString().split(/,? /);
  return `${day} ${month} ${date!.replace(/^0/, " ")} ${clock} UTC ${year}`;
}

/** Tells whether a text with this beginning is crashinfo's report. */
export function looksLikeCoreText(text: string): boolean {
  return FIRST_LINE.test(firstLine(text));
}

/** Reads a report; `undefined` if its first line is none of crashinfo's. */
export function parseCoreText(text: string): CoreText | undefined {
  const lines = text.replace(/^\ufeff/, "").replaceAll("\r\n", "\n").split("\n");
  const [, host, vmcore] = FIRST_LINE.exec(lines[0] ?? "") ?? [];
  if (host === undefined || vmcore === undefined) return undefined;
  const uname = lines.slice(0, HEAD_LINES).map((line) => UNAME.exec(line)).find((match) => match !== null);
  const sections = lines.flatMap((line, i) => line === RULE && lines[i + 1] ? [lines[i + 1]!.trim()] : []);
  return {
    host,
    vmcore,
    written: /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d .*$/.test(lines[2] ?? "")
      ? lines[2]!
      : null,
    version: uname?.[3] ?? null,
    machine: uname?.[4] ?? null,
    panic: findPanic(lines),
    backtrace: findBacktrace(lines),
    sections: sections.slice(0, MOST_SECTIONS),
    whole: sections.includes(LAST_SECTION),
  };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]?.replace(/\r$/, "") ?? "";
}

/** The panic, which may have several lines: up to the blank one. */
function findPanic(lines: readonly string[]): string | null {
  const at = lines.findIndex((line) => line.startsWith("panic: "));
  if (at < 0) return null;
  const end = lines.indexOf("", at);
  return lines.slice(at, end < 0 ? at + 1 : Math.min(end, at + HEAD_LINES)).join("\n").slice(
    "panic: ".length,
  ) || null;
}

function findBacktrace(lines: readonly string[]): string[] {
  const head = lines.indexOf(RULE);
  const debuggerLines = lines.slice(0, head < 0 ? lines.length : head);
  // The kernel's own frames, in the messages before, have other words: `#0 0xffffffff80b9002d at`.
  const start = debuggerLines.findLastIndex((line) => /^(?:\(kgdb\) )?#0 /.test(line));
  const frames: string[] = [];
  if (start < 0) return frames;
  for (const line of debuggerLines.slice(start)) {
    const frame = FRAME.exec(line)?.[1];
    if (frame !== undefined) frames.push(frame);
    else if (/^ +\S/.test(line) && frames.length > 0) frames.push(`${frames.pop()} ${line.trim()}`);
    else break;
    if (frames.length === MOST_FRAMES) break;
  }
  return frames;
}
