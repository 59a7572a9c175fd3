/**
 * The messages as people read them: without syslog's priorities, boot by boot, and what was said around the panic
 * (reference kernel-dump-formats.md, section 4.3).
 *
 * @module
 */

const PRIORITY = /^<\d{1,3}>/;
/** `kern.msgbuf_show_timestamp` puts one before each line. */
const TIMESTAMP = /^\[\d{1,12}(?:\.\d{1,6})?\] /;

/** Removes the `<N>` that syslog's priority puts before a line, on every line. */
export function stripPriorities(text: string): string {
  return text.replace(/^<\d{1,3}>/gm, "");
}

/** The default of `kern.boot_tag`, and what a kernel without it prints first. */
const BOOT_TAG = /^(?:<\d{1,3}>)?(?:\[\d{1,12}(?:\.\d{1,6})?\] )?---<<BOOT>>---$/gm;
const FIRST_LINE =
  /^(?:<\d{1,3}>)?(?:\[\d{1,12}(?:\.\d{1,6})?\] )?Copyright \(c\) 1992-\d{4} The FreeBSD Project\.$/gm;

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
  /** The lines before the panic: ten, or more if the report of a fatal trap begins earlier. */
  readonly before: readonly string[];
  /** What was said from `panic: ` on: the panic's text (maybe several lines), cpuid, time, backtrace, uptime. */
  readonly lines: readonly string[];
  /** The panic's text, without `panic: `; lines joined by line feeds. */
  readonly panic: string;
  readonly cpu: number | null;
  /** The frames of KDB's backtrace. */
  readonly backtrace: readonly string[];
  /** How long the machine was up: `1d2h3m4s`. */
  readonly uptime: string | null;
}

/** A panic stands near the end of the messages: no more of them is taken apart into lines. */
const TAIL_LENGTH = 4 * 1024 * 1024;
const LINES_BEFORE = 10;
/** A trap's report, with its registers, is not longer. */
const TRAP_LINES = 60;
const PANIC_LINES = 16;
const EXCERPT_LINES = 256;
const PANIC = /^panic: /;
const CPU = /^cpuid = (\d+)$/;
const TIME = /^time = \d+$/;
const UPTIME = /^Uptime: ((?:\d{1,9}[dhm]){0,3}\d{1,9}s)$/;
const BACKTRACE = /^KDB: stack backtrace:$/;
/** Of the tracers of all architectures; arm's write the registers of a frame on lines of their own, indented. */
const FRAME = /^#\d+ |^--- |\(.*\) at |\+0x[0-9a-f]+|^\s+\S/;
const FATAL = /^Fatal /;
const END = /^(?:Uptime: |Dumping \d)/;

/** Finds what the last boot's messages say around its panic; `undefined` if there is none in them. */
export function findPanic(text: string): PanicExcerpt | undefined {
  const lines = lastBoot(text.slice(-TAIL_LENGTH)).split("\n").map((line) =>
    line.replace(PRIORITY, "").replace(TIMESTAMP, "")
  );
  const at = findPanicLine(lines);
  if (at === undefined) return undefined;
  const end = findEnd(lines, at);
  const said = lines.slice(at, end);
  return {
    before: lines.slice(findStart(lines, at), at),
    lines: said,
    panic: panicText(said),
    cpu: firstMatch(said, CPU, Number),
    backtrace: findBacktrace(said),
    uptime: firstMatch(said, UPTIME, (uptime) => uptime),
  };
}

/**
 * The first panic is the cause, later ones its consequences. A program's message that begins with the same word
 * lacks what the kernel prints behind it.
 */
function findPanicLine(lines: readonly string[]): number | undefined {
  const candidates = lines.flatMap((line, i) => PANIC.test(line) ? [i] : []);
  const genuine = candidates.find((i, nth) => {
    const next = candidates[nth + 1] ?? lines.length;
    return lines.slice(i + 1, Math.min(next, i + 1 + PANIC_LINES)).some(isBehindPanic);
  });
  return genuine ?? candidates.at(-1);
}

function findEnd(lines: readonly string[], at: number): number {
  const limit = Math.min(lines.length, at + EXCERPT_LINES);
  for (let i = at; i < limit; i++) {
    if (END.test(lines[i]!)) return UPTIME.test(lines[i]!) ? i + 1 : i;
  }
  return lines[limit - 1] === "" ? limit - 1 : limit;
}

function findStart(lines: readonly string[], at: number): number {
  const start = Math.max(0, at - LINES_BEFORE);
  for (let i = at - 1; i >= Math.max(0, at - TRAP_LINES); i--) {
    if (FATAL.test(lines[i]!)) return Math.min(i, start);
  }
  return start;
}

function panicText(said: readonly string[]): string {
  const end = said.slice(0, PANIC_LINES).findIndex((line) => isBehindPanic(line) || END.test(line));
  return said.slice(0, Math.max(1, end)).join("\n").replace(PANIC, "");
}

/** What the kernel prints right behind the panic's text: the processor unless there is but one, the time, frames. */
function isBehindPanic(line: string): boolean {
  return CPU.test(line) || TIME.test(line) || BACKTRACE.test(line);
}

function findBacktrace(said: readonly string[]): string[] {
  const header = said.findIndex((line) => BACKTRACE.test(line));
  if (header < 0) return [];
  const frames = said.slice(header + 1);
  const end = frames.findIndex((line) => !FRAME.test(line));
  return end < 0 ? frames : frames.slice(0, end);
}

function firstMatch<T>(lines: readonly string[], pattern: RegExp, convert: (found: string) => T): T | null {
  for (const line of lines) {
    const found = pattern.exec(line)?.[1];
    if (found !== undefined) return convert(found);
  }
  return null;
}
