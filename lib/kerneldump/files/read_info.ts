/**
 * The info file beside a dump, `info.<host>.<n>` or `info.<n>`: every generation of netdumpd's (reference
 * netdump-protocol.md, section 5.4) and of savecore's (kernel-dump-formats.md, sections 2.2 and 2.3) is read.
 *
 * @module
 */

import { DEVICE_LABEL, looksLikeStyledInfo, parseStyledInfo } from "./info_styles.ts";
import { DUMPTIME_UTC, parseTime } from "./info_time.ts";
import type { Compression } from "./header.ts";

/** An info file as read: what a line did not say, or said in a way not understood, is `null`. */
export interface InfoFile {
  /** The network client in the first line of netdumpd's and our files. */
  readonly client: { readonly host: string; readonly address: string } | null;
  /** The dump device in the first line of savecore's files. */
  readonly device: string | null;
  readonly architecture: string | null;
  readonly architectureVersion: number | null;
  readonly dumpLength: number | null;
  readonly blockSize: number | null;
  /** `???` stands for a number that its writer did not know. */
  readonly compression: Compression | "???" | null;
  /** Unix time in seconds. */
  readonly dumpTime: number | null;
  /** Whether the time has its zone; one without is taken as this machine's local time. */
  readonly dumpTimeZoned: boolean;
  readonly hostname: string | null;
  readonly magic: string | null;
  /** With its own line feeds. */
  readonly versionString: string | null;
  readonly panicString: string | null;
  readonly parityOk: boolean | null;
  /** savecore's `Dump Status`: `good`, `bad`, `unknown`. */
  readonly dumpStatus: string | null;
  /** Every other line by its label, in order; a label that comes twice is there twice. */
  readonly others: readonly (readonly [label: string, value: string])[];
  /** netdumpd's or our verdict, the last line without indentation. */
  readonly ending: string | null;
}

/** An info file is a few lines; this bounds what is read of a file that only has its name. */
export const MAX_INFO_BYTES = 2 ** 20;
/** savecore's first line; that of FreeBSD 5 and 6 carries the verdict. */
const FROM_DEVICE = /^(?:Dump header from device:? |(Good|Bad) dump found on device:? )/;
const FROM_CLIENT = "Dump from ";
/** An info file has some twenty lines, with the most of a panic two hundred; more of one that only looks so is not read. */
const MOST_LINES = 4096;
const PANIC_LABEL = "  Panic String: ";
const KEY_LINE = /^ {2}([A-Za-z][A-Za-z0-9 ]*):(?: (.*))?$/;
const ENDING = /^(?:Dump (?:complete|incomplete|unsuccessful)|Bad KDH)\b/;

/** The labels that stand before the panic string, in every generation (section 2.2). */
const BEFORE_PANIC = [
  "Architecture",
  "Architecture Version",
  "Dump Length",
  "Blocksize",
  "Compression",
  "Dumptime",
  "Hostname",
  "Magic",
  "Version String",
];
/** The label that ends the panic string, of savecore and of netdumpd. */
const PARITY_LABELS = ["Dump Parity", "Header Parity Check"];

/** What stands behind that and has a field of its own. */
const BEHIND_PARITY = ["Dump Status", DUMPTIME_UTC];

/** The labels of FreeBSD 5 and 6, and what they are called since. */
const OLD_LABELS: Readonly<Record<string, string>> = {
  "Architecture version": "Architecture Version",
  "Dump length": "Dump Length",
  Versionstring: "Version String",
  Panicstring: "Panic String",
};
/** What ended an info file before there was a status. */
const OLD_ENDS = ["MD5", "Bounds"];
const BYTE_ORDER_MARK = /^\ufeff/;

/** Tells whether a file with this beginning is an info file. */
export function looksLikeInfo(beginning: string): boolean {
  const text = beginning.replace(BYTE_ORDER_MARK, "");
  return parseFirstLine(text.split("\n", 1)[0] ?? "") !== undefined || looksLikeStyledInfo(text);
}

/**
 * Reads an info file of savecore (5, 6, 10, 11, 12 and later, in any style of libxo), netdumpd or this program.
 *
 * @returns `undefined` if the first line is none of theirs
 */
export function parseInfo(content: string): InfoFile | undefined {
  const text = content.replace(BYTE_ORDER_MARK, "");
  const styled = parseStyledInfo(text);
  if (styled !== undefined) {
    const device = styled.get(DEVICE_LABEL) ?? "";
    styled.delete(DEVICE_LABEL);
    return assemble({ client: null, device }, { fields: styled, others: othersOf(styled), ending: null });
  }
  const lines = text.replaceAll("\r\n", "\n").split("\n", MOST_LINES);
  if (lines.at(-1) === "") lines.pop();
  const first = parseFirstLine(lines[0] ?? "");
  if (first === undefined) return undefined;
  const collected = collect(lines);
  const { fields, others } = collected;
  const [, verdict] = FROM_DEVICE.exec(lines[0] ?? "") ?? [];
  if (
    verdict !== undefined && !fields.has("Dump Status") && others.some(([label]) => OLD_ENDS.includes(label))
  ) {
    fields.set("Dump Status", verdict.toLowerCase());
  }
  return assemble(first, collected);
}

/** What the styles of libxo name that has no field of its own. */
function othersOf(fields: ReadonlyMap<string, string>): Collected["others"] {
  const bounds = fields.get("Bounds");
  return bounds === undefined ? [] : [["Bounds", bounds]];
}

function assemble(
  first: Pick<InfoFile, "client" | "device">,
  { fields, others, ending }: Collected,
): InfoFile {
  const fromServer = first.device === null;
  const string = (label: string) => {
    const value = fields.get(label);
    return value === undefined ? null : fromServer ? unescape(value) : value;
  };
  const number = (label: string) => parseNumber(fields.get(label) ?? "");
  const compression = fields.get("Compression");
  const time = parseTime(fields.get(DUMPTIME_UTC) ?? "") ?? parseTime(fields.get("Dumptime") ?? "");
  return {
    ...first,
    architecture: string("Architecture"),
    architectureVersion: number("Architecture Version"),
    dumpLength: number("Dump Length"),
    blockSize: number("Blocksize"),
    compression: compression === "none" || compression === "gzip" || compression === "zstd" ||
        compression === "???"
      ? compression
      : null,
    dumpTime: time?.seconds ?? null,
    dumpTimeZoned: time?.zoned ?? false,
    hostname: string("Hostname"),
    magic: string("Magic"),
    versionString: string("Version String"),
    panicString: string("Panic String"),
    parityOk: parityVerdict(fields),
    dumpStatus: fields.get("Dump Status") ?? null,
    others: others.map(([label, value]) => [label, fromServer ? unescape(value) : value]),
    ending: ending !== null && fromServer ? unescape(ending) : ending,
  };
}

/** What the first line tells: savecore's names the device, netdumpd's and ours the client. */
function parseFirstLine(line: string): Pick<InfoFile, "client" | "device"> | undefined {
  const [start] = FROM_DEVICE.exec(line) ?? [];
  if (start !== undefined) return { client: null, device: line.slice(start.length).trimEnd() };
  const text = line.trimEnd();
  const bracket = text.lastIndexOf(" [");
  if (!text.startsWith(FROM_CLIENT) || !text.endsWith("]") || bracket < FROM_CLIENT.length) return undefined;
  return {
    client: {
      host: unescape(text.slice(FROM_CLIENT.length, bracket)),
      address: unescape(text.slice(bracket + 2, -1)),
    },
    device: null,
  };
}

interface Collected {
  readonly fields: Map<string, string>;
  readonly others: [label: string, value: string][];
  readonly ending: string | null;
}

/** Sorts the lines into labels and values; a repeated block, as netdumpd writes it, wins over the first. */
function collect(lines: readonly string[]): Collected {
  const collected = new Map<string, string>();
  const others: [label: string, value: string][] = [];
  let ending: string | null = null;
  for (let at = 1; at < lines.length;) {
    const line = lines[at++] ?? "";
    const [, key, value = ""] = KEY_LINE.exec(line) ?? [];
    const label = key === undefined ? undefined : OLD_LABELS[key] ?? key;
    if (label === undefined) {
      if (ENDING.test(line)) ending = line;
    } else if (label === "Version String") {
      const end = versionEnd(lines, at);
      const text = [value, ...lines.slice(at, end)].join("\n");
      const version = text === "" ? "" : text + "\n";
      const cut = version.indexOf(PANIC_LABEL);
      collected.set(label, cut < 0 ? version : version.slice(0, cut));
      at = end;
      // The line feed of a version that filled its field is missing: the next label follows at once.
      if (cut >= 0) at = collectPanic(lines, at, version.slice(cut + PANIC_LABEL.length, -1), collected);
    } else if (label === "Panic String") {
      at = collectPanic(lines, at, value, collected);
    } else if (
      BEFORE_PANIC.includes(label) || PARITY_LABELS.includes(label) || BEHIND_PARITY.includes(label)
    ) {
      collected.set(label, value);
    } else {
      others.push([label, value]);
    }
  }
  return { fields: collected, others, ending };
}

function versionEnd(lines: readonly string[], from: number): number {
  let end = from;
  while (end < lines.length && !KEY_LINE.test(lines[end] ?? "") && !ENDING.test(lines[end] ?? "")) end++;
  return end;
}

/**
 * Takes the lines of a panic string up to the parity label. A line that repeats a label already read is part of the
 * panic, not a key: old writers did not escape it.
 *
 * @returns the index of the first line behind the panic string
 */
function collectPanic(
  lines: readonly string[],
  from: number,
  first: string,
  collected: Map<string, string>,
): number {
  const isParity = (line: string) => PARITY_LABELS.includes(KEY_LINE.exec(line)?.[1] ?? "");
  const parityAhead = lines.findIndex((line, index) => index >= from && isParity(line));
  let end = from;
  for (; end < lines.length && end !== parityAhead; end++) {
    const line = lines[end] ?? "";
    const label = KEY_LINE.exec(line)?.[1];
    if (parityAhead < 0 && (label !== undefined || ENDING.test(line))) break;
    if (label !== undefined && BEFORE_PANIC.includes(label) && !collected.has(label)) break;
  }
  collected.set("Panic String", [first, ...lines.slice(from, end)].join("\n"));
  return end;
}

function parseNumber(text: string): number | null {
  const value = Number(/^\d+(?=B?\b)/.exec(text)?.[0] ?? NaN);
  return Number.isSafeInteger(value) ? value : null;
}

function parityVerdict(fields: ReadonlyMap<string, string>): boolean | null {
  const check = fields.get("Header Parity Check");
  if (check === "Pass" || check === "Fail") return check === "Pass";
  // savecore prints the parity word itself; that it was right shows in the status alone (section 2.2).
  return fields.get("Dump Status") === "good" ? true : null;
}

const ESCAPE = /\\(?:([nrt\\])|x([0-9a-f]{2})|u\{([0-9a-f]{1,4})\})/g;

/**
 * Takes back the escapes of `escapeLine`. netdumpd does not escape: a value with a backslash that
 * begins no escape of ours is returned as it is.
 */
function unescape(value: string): string {
  if (value.replace(ESCAPE, "").includes("\\")) return value;
  return value.replace(ESCAPE, (_, short: string, hex: string, unicode: string) => {
    if (short !== undefined) return { n: "\n", r: "\r", t: "\t" }[short] ?? "\\";
    if (hex === undefined) return String.fromCharCode(parseInt(unicode, 16));
    const byte = parseInt(hex, 16);
    return String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
  });
}
