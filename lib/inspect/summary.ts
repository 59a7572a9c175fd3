/**
 * What happened, in a few facts, each from where it is told best.
 *
 * @module
 */

import type { CoreText } from "../kerneldump/files/core_text.ts";
import type { InfoFile } from "../kerneldump/files/read_info.ts";
import type { PanicExcerpt } from "../kerneldump/messages/message_text.ts";
import { panicSignature } from "../kerneldump/files/panic_signature.ts";
import type { HeaderFacts, Summary, TextdumpFacts } from "./findings.ts";
import type { KernelFindings } from "./kernel_findings.ts";

/** What the summary is drawn from. */
export interface Sources {
  readonly header: HeaderFacts | null;
  readonly info: InfoFile | null;
  readonly coreText: CoreText | null;
  readonly textdump: TextdumpFacts | null;
  readonly panic: PanicExcerpt | null;
  readonly messages: string | null;
  readonly kernel: KernelFindings | null;
}

/** The line that the kernel prints as it boots, the same as its version string. */
const VERSION_LINE = /^(?:<\d{1,3}>)?(?:\[\d{1,12}(?:\.\d{1,6})?\] )?(FreeBSD \d+\.\d+-[A-Z].*)$/gm;

/** Draws up the summary. */
export function summarize(sources: Sources): Summary {
  const facts = sources.coreText === null ? factsOfDump(sources) : factsOfReport(sources.coreText);
  const signature = facts.panic === null ? null : panicSignature(facts.panic, framesOf(sources));
  return { ...facts, signature };
}

function factsOfReport({ host, panic, version }: CoreText): Omit<Summary, "signature"> {
  return { host, time: null, timeZoned: false, panic, version, uptime: null };
}

function factsOfDump(
  { header, info, textdump, panic, messages, kernel }: Sources,
): Omit<Summary, "signature"> {
  return {
    host: nonEmpty(header?.hostname) ?? info?.client?.host ?? null,
    ...timeOf(header, panic?.time ?? textdump?.members[0]?.mtime ?? null),
    panic: longest(
      nonEmpty(header?.panicString),
      nonEmpty(textdump?.panic?.trimEnd()),
      panic?.panic ?? null,
      nonEmpty(kernel?.kernel.facts.panic),
    ),
    version: nonEmpty(header?.versionString) ?? nonEmpty(textdump?.version) ?? lastVersion(messages),
    uptime: panic?.uptime ?? null,
  };
}

/** What the kernel itself wrote goes before a time without a zone. */
function timeOf(header: HeaderFacts | null, ofKernel: number | null): Pick<Summary, "time" | "timeZoned"> {
  const { dumpTime, dumpTimeZoned } = header ?? { dumpTime: null, dumpTimeZoned: false };
  const time = dumpTimeZoned ? dumpTime : ofKernel ?? dumpTime;
  return { time, timeZoned: time !== null && (dumpTimeZoned || ofKernel !== null) };
}

/** The frames of the thread that panicked: as it was told then, else as its stack lies in memory. */
function framesOf({ coreText, textdump, panic, kernel }: Sources): readonly string[] {
  const told = coreText?.backtrace ?? textdump?.stack?.frames ?? panic?.backtrace ?? [];
  if (told.length > 0) return told;
  const crashed = kernel?.stacks.find((stack) => stack.crashed);
  // A function that was inlined is known only with debug info: with it and without, a bug has one signature.
  return crashed?.frames.filter(({ inline }) => !inline).map(({ symbol }) => symbol ?? "?") ?? [];
}

function nonEmpty(text: string | null | undefined): string | null {
  return text === undefined || text === "" ? null : text;
}

/** The first that is there; but the header cuts a panic off after 174 bytes, where the messages have all of it. */
function longest(...candidates: (string | null)[]): string | null {
  const present = candidates.filter((candidate) => candidate !== null);
  const first = present[0] ?? null;
  if (first === null) return null;
  return present.find((other) => other.length > first.length && other.startsWith(first)) ?? first;
}

function lastVersion(messages: string | null): string | null {
  let last: string | null = null;
  for (const match of messages?.slice(-LOOK_BACK).matchAll(VERSION_LINE) ?? []) last = match[1] ?? null;
  return last;
}

const LOOK_BACK = 4 * 2 ** 20;
