/**
 * The messages as people read them: without syslog's priorities, boot by boot, and what was said around the panic
 * (reference kernel-dump-formats.md, section 4.3).
 *
 * The kernel puts a line feed before a message only where the priority changes; printf(), panic() and the boot tag have the
 * same. So both may stand behind a line that was never ended: `mountroot> panic: ...`, `..11%---<<BOOT>>---`.
 *
 * @module
 */

import { cutLine } from "../../text/lines.ts";

const PRIORITY = /^<\d{1,3}>/;
/** `kern.msgbuf_show_timestamp` puts one before each line. */
const TIMESTAMP = /^\[\d{1,12}(?:\.\d{1,6})?\] /;

/** Removes the `<N>` that syslog's priority puts before a line, on every line. */
export function stripPriorities(text: string): string {
  return text.replace(/^<\d{1,3}>/gm, "");
}

/** The default of `kern.boot_tag`, and what a kernel without it prints first: each ends its line. */
const BOOT_TAG = /---<<BOOT>>---$/gm;
const FIRST_LINE = /Copyright \(c\) 1992-\d{4} The FreeBSD Project\.$/gm;

/**
 * The messages of the last boot: the buffer survives warm reboots, so it may hold earlier ones. All of them if no
 * boot begins in the text.
 */
export function lastBoot(text: string): string {
  const start = lastIndexOf(text, BOOT_TAG) ?? lastIndexOf(text, FIRST_LINE);
  return start === undefined ? text : text.slice(start);
}

function lastIndexOf(text: string, pattern: RegExp): number | undefined {
  let last: number | undefined;
  for (const match of text.matchAll(pattern)) last = match.index;
  return last;
}

/** What the messages tell about a panic. All strings are unfiltered, without priorities and time stamps. */
export interface PanicExcerpt {
  /** The lines before the panic: ten, or more if a report that belongs to it begins earlier. */
  readonly before: readonly string[];
  /** What was said from `panic: ` on: the panic's text (maybe several lines), cpuid, time, backtrace, uptime. */
  readonly lines: readonly string[];
  /** The panic's text, without `panic: `; lines joined by line feeds. */
  readonly panic: string;
  readonly cpu: number | null;
  /** When it was, Unix time in seconds by the client's clock: kernels write it right behind the panic. */
  readonly time: number | null;
  /** The frames of KDB's backtrace. */
  readonly backtrace: readonly string[];
  /** How long the machine was up: `1d2h3m4s`. */
  readonly uptime: string | null;
}

/** A panic stands near the end of the messages: no more of them is taken apart into lines. */
const TAIL_LENGTH = 4 * 1024 * 1024;
const LINES_BEFORE = 10;
/** A report with its registers or frames is not longer. */
const REPORT_LINES = 80;
const PANIC_LINES = 16;
const EXCERPT_LINES = 256;
const PANIC = "panic: ";
const CPU = /^cpuid = (\d{1,5})$/;
const TIME = /^time = (\d{1,12})$/;
const UPTIME = /^Uptime: ((?:\d{1,9}[dhm]){0,3}\d{1,9}s)$/;
const BACKTRACE = "KDB: stack backtrace:";
/** What reports begin with: x86 and others, powerpc, a thread that sleeps with a lock. */
const REPORT_START =
  /^(?:Fatal |fatal (?:kernel|user) trap:|Sleeping thread \(|Kernel page fault with the following)/;
/** A line of registers, as riscv and arm print them before the panic: `a[0]: 0x0000000000000001`. */
const REGISTER = /^ {0,8}[a-z]{1,8}\d{0,2}(?:\[\d{1,2}\])? *[:=]{1,2} *0x[0-9a-f]/;
const END = /^(?:Uptime: |Dumping \d)/;

/** Finds what the last boot's messages say around its panic; `undefined` if there is none in them. */
export function findPanic(text: string): PanicExcerpt | undefined {
  // Consoles that were logged, and archives that went through other systems, end lines with both.
  const raw = lastBoot(text.slice(-TAIL_LENGTH).replaceAll("\r\n", "\n")).split("\n");
  const candidate = findCandidate(raw);
  if (candidate === undefined) return undefined;
  const { at, from } = candidate;
  const lines = raw.map(plainLine);
  const end = findEnd(lines, at);
  const said = [cutLine(raw[at]!.slice(from)), ...lines.slice(at + 1, end)];
  const unfinished = plainLine(raw[at]!.slice(0, from));
  return {
    before: [...lines.slice(findStart(lines, at), at), ...(unfinished === "" ? [] : [unfinished])],
    lines: said,
    panic: panicText(said),
    cpu: firstMatch(said, CPU, Number),
    time: firstMatch(said, TIME, Number),
    backtrace: findBacktrace(said),
    uptime: firstMatch(said, UPTIME, (uptime) => uptime),
  };
}

/** A line without what syslog and the kernel put before it, and not longer than a line can be. */
function plainLine(line: string): string {
  return cutLine(line.replace(PRIORITY, "").replace(TIMESTAMP, ""));
}

/** Where a panic begins: in which line, and where in it. */
interface Candidate {
  readonly at: number;
  readonly from: number;
}

/**
 * The first panic is the cause, later ones its consequences. A program's message that begins with the same word
 * lacks what the kernel prints behind it; and where a line has a priority, what follows that is not the kernel's panic.
 */
function findCandidate(raw: readonly string[]): Candidate | undefined {
  const candidates = raw.flatMap((line, at) => candidateIn(line, at) ?? []);
  const genuine = candidates.find(({ at }, nth) => {
    const next = candidates[nth + 1]?.at ?? raw.length;
    return raw.slice(at + 1, Math.min(next, at + 1 + PANIC_LINES)).some((line) =>
      isBehindPanic(plainLine(line))
    );
  });
  // Without that it is one only where it stands alone: a kernel of one processor and no debugger.
  return genuine ?? candidates.findLast(({ at, from }) => plainLine(raw[at]!.slice(0, from)) === "");
}

function candidateIn(line: string, at: number): Candidate | undefined {
  const prefix = (PRIORITY.exec(line)?.[0] ?? "").length;
  const from = line.indexOf(PANIC, prefix);
  if (from < 0 || (prefix > 0 && from === prefix)) return undefined;
  return { at, from };
}

function findEnd(lines: readonly string[], at: number): number {
  const limit = Math.min(lines.length, at + EXCERPT_LINES);
  for (let i = at + 1; i < limit; i++) {
    if (END.test(lines[i]!)) return UPTIME.test(lines[i]!) ? i + 1 : i;
  }
  return lines[limit - 1] === "" ? limit - 1 : limit;
}

function findStart(lines: readonly string[], at: number): number {
  const start = Math.max(0, at - LINES_BEFORE);
  const earliest = Math.max(0, at - REPORT_LINES);
  for (let i = at - 1; i >= earliest; i--) {
    if (REPORT_START.test(lines[i]!)) return Math.min(i, start);
  }
  let first = at;
  while (first > earliest && (REGISTER.test(lines[first - 1]!) || lines[first - 1]!.trim() === "")) first--;
  return Math.min(first, start);
}

function panicText(said: readonly string[]): string {
  const end = said.slice(0, PANIC_LINES).findIndex((line, i) =>
    i > 0 && (isBehindPanic(line) || END.test(line))
  );
  return said.slice(0, Math.max(1, end)).join("\n").slice(PANIC.length);
}

/** What the kernel prints right behind the panic's text: the processor unless there is but one, the time, frames. */
function isBehindPanic(line: string): boolean {
  return CPU.test(line) || TIME.test(line) || line === BACKTRACE;
}

function findBacktrace(said: readonly string[]): string[] {
  const header = said.indexOf(BACKTRACE);
  if (header < 0) return [];
  const frames = said.slice(header + 1);
  const end = frames.findIndex((line) => !isFrame(line));
  return end < 0 ? frames : frames.slice(0, end);
}

/** Of the tracers of all architectures; arm's write the registers of a frame on lines of their own, indented. */
function isFrame(line: string): boolean {
  if (/^(?:#\d{1,4} |--- |0x[0-9a-f]{1,16}: |\s\s*\S)/.test(line) || line.includes("+0x")) return true;
  const call = line.indexOf("(");
  return call >= 0 && line.indexOf(") at ", call) >= 0;
}

function firstMatch<T>(lines: readonly string[], pattern: RegExp, convert: (found: string) => T): T | null {
  for (const line of lines) {
    const found = pattern.exec(line)?.[1];
    if (found !== undefined) return convert(found);
  }
  return null;
}
