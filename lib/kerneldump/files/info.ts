/**
 * Writes the info file beside a dump, by netdumpd's template (reference netdump-protocol.md, section 5.4).
 *
 * @module
 */

import { escapeLine } from "../../text/escape.ts";
import { formatIsoTime } from "../../text/time.ts";
import type { KernelDumpHeader } from "./header.ts";
import { DUMPTIME_UTC, formatCtime } from "./info_time.ts";

/** What an info file says, ready to be written. */
export interface InfoLines {
  /** The client: its name in the dump directory, and its address. */
  readonly client: { readonly host: string; readonly address: string };
  /** The kernel dump header, if it arrived. */
  readonly header: KernelDumpHeader | null;
  /** Lines of ours behind netdumpd's, before the verdict. */
  readonly extra: readonly (readonly [label: string, value: string])[];
  /** The verdict: `Dump complete` or `Dump incomplete: <reason>`; `null` while there is none. */
  readonly ending: string | null;
}

/**
 * Writes an info file in netdumpd's words. Strings from the network are escaped so that none of them can pass for
 * another line (P8, weakness 25): a panic stays on one line; a version keeps its genuine continuation lines, which
 * begin with four spaces, and every other line break in it becomes `\n`.
 */
export function formatInfo(lines: InfoLines): string {
  const { client, header } = lines;
  const block: [label: string, value: string][] = header === null ? [] : [
    ["Architecture", escapeLine(header.architecture)],
    ["Architecture Version", `${header.architectureVersion}`],
    ["Dump Length", `${header.dumpLength}B (${Math.floor(header.dumpLength / 2 ** 20)} MB)`],
    ["Blocksize", `${header.blockSize}`],
    ["Compression", typeof header.compression === "number" ? "???" : header.compression ?? "none"],
    ["Dumptime", formatCtime(header.dumpTime)],
    ["Hostname", escapeLine(header.hostname)],
    ["Version String", escapeVersion(header.versionString)],
    ["Panic String", escapeLine(header.panicString)],
    ["Header Parity Check", header.parityOk ? "Pass" : "Fail"],
    ...isoTime(header.dumpTime),
  ];
  for (const [label, value] of lines.extra) block.push([label, escapeLine(value)]);
  return `Dump from ${escapeLine(client.host)} [${escapeLine(client.address)}]\n` +
    block.map(([label, value]) => `  ${label}: ${value}\n`).join("") +
    (lines.ending === null ? "" : `${escapeLine(lines.ending)}\n`);
}

/** Continuation line of a version that no reader can take for a key: crashinfo looks for ` +[A-Za-z ]*: `. */
const GENUINE_CONTINUATION = /^ {4}(?![A-Za-z ]*: )\S/;

/** The version as one value: the line feed at its end is the line's own, none is doubled and none is missing. */
function escapeVersion(version: string): string {
  const [first = "", ...rest] = version.replace(/\n$/, "").split("\n");
  let text = escapeLine(first);
  for (const line of rest) text += (GENUINE_CONTINUATION.test(line) ? "\n" : "\\n") + escapeLine(line);
  // A reader must look for this label inside a version whose line feed was cut off (section 2.2).
  return text.replace(/ {2}(?=Panic String: )/g, " \\x20");
}

function isoTime(unixSeconds: number): [label: string, value: string][] {
  const text = formatIsoTime(unixSeconds);
  return text === null ? [] : [[DUMPTIME_UTC, text]];
}
