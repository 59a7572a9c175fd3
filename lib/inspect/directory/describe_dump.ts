/**
 * One dump of a directory: reads it at a glance, and says how it fares.
 *
 * @module
 */

import { basename, join } from "@std/path";
import { panicSignature } from "../../kerneldump/files/panic_signature.ts";
import { decodeKernelDumpHeader } from "../../kerneldump/files/header.ts";
import { type InfoFile, MAX_INFO_BYTES, parseInfo } from "../../kerneldump/files/read_info.ts";
import type { Problem } from "../../kerneldump/problem.ts";
import { readSmallFile } from "../../os/small_file.ts";
import { describeError } from "../../os/system_error.ts";
import { formatIsoTime } from "../../text/time.ts";
import { decodeUtf8 } from "../../text/utf8.ts";
import type { Thoroughness } from "../examination.ts";
import { examine } from "../examine.ts";
import type { Findings } from "../findings.ts";
import type { Facts, State } from "./entry.ts";
import type { DumpFiles } from "./find_dumps.ts";

/**
 * Reads a dump, or what is left of one.
 *
 * @param written when its file was written, ISO 8601 in UTC; `null` if the file is gone
 */
export async function describeDump(
  dump: DumpFiles,
  written: string | null,
  thoroughness: Thoroughness,
): Promise<Facts> {
  if (dump.orphaned) return describeOrphan(dump, written);
  const { directory, files } = dump;
  const path = join(directory, files[0]!);
  const named = hostAndNumber(dump.id);
  try {
    const examination = await examine(path, { thoroughness, privateKey: null, beside: files });
    examination.close();
    const { findings } = examination;
    const { panic, signature, time, timeZoned } = findings.summary;
    const ofCrash = formatIsoTime(time);
    return {
      ...named,
      host: named.host ?? findings.summary.host,
      time: ofCrash ?? written,
      timeOfCrash: ofCrash !== null,
      size: findings.size,
      layers: findings.layers,
      kind: findings.kind,
      panic,
      signature,
      state: stateOf(findings),
      complete: findings.complete,
      problems: findings.problems.map(({ code, message }) => ({ code, message })),
      timeZoned: ofCrash === null || timeZoned,
    };
  } catch (error) {
    const message = `Cannot read it: ${describeError(error)}`;
    return {
      ...named,
      ...NOTHING_KNOWN,
      time: written,
      state: "unreadable",
      problems: [{ code: "read-error", message }],
    };
  }
}

const NOTHING_KNOWN = {
  time: null,
  timeOfCrash: false,
  size: 0,
  layers: [],
  kind: "unknown",
  panic: null,
  signature: null,
  state: "unknown",
  complete: null,
  problems: [],
  timeZoned: true,
} as const;

function describeOrphan({ directory, files, id }: DumpFiles, written: string | null): Facts {
  const facts = readInfo(directory, files);
  const ofCrash = formatIsoTime(facts?.dumpTime ?? null);
  const panic = facts?.panicString || null;
  return {
    ...hostAndNumber(id),
    ...NOTHING_KNOWN,
    time: ofCrash ?? written,
    timeOfCrash: ofCrash !== null,
    timeZoned: ofCrash === null || facts?.dumpTimeZoned === true,
    panic,
    signature: panic === null ? null : panicSignature(panic),
    state: "orphaned",
    complete: false,
  };
}

/**
 * When a dump's machine crashed by what lies beside it, ISO 8601 in UTC: what {@linkcode describeDump} will say, at the cost
 * of a small file. `null` if nothing beside it tells.
 */
export function timeBeside({ directory, id, files }: DumpFiles): string | null {
  const name = `kdh.${id}`;
  if (files.includes(name)) {
    try {
      const header = decodeKernelDumpHeader(readSmallFile(join(directory, name), HEADER_LIMIT));
      return formatIsoTime(header.dumpTime);
    } catch {
      // The info file has it too.
    }
  }
  return formatIsoTime(readInfo(directory, files)?.dumpTime ?? null);
}

/** A header, and what follows one that has a newer version. */
const HEADER_LIMIT = 2 ** 16;

function readInfo(directory: string, files: readonly string[]): InfoFile | undefined {
  const name = files.find((file) => file.startsWith("info."));
  if (name === undefined) return undefined;
  try {
    return parseInfo(decodeUtf8(readSmallFile(join(directory, name), MAX_INFO_BYTES)));
  } catch {
    return undefined;
  }
}

/** All that is left of the name of a dump without a number: `vmcore.bz2`. */
const COMPRESSED = /^(?:gz|zst|bz2|xz|lz4)$/;

/** The host and the number in netdump's `<host>.<n>`, or savecore's `<n>`. */
export function hostAndNumber(id: string): { readonly host: string | null; readonly number: number | null } {
  const [, host, number] = /^(?:(.+)\.)?(\d{1,9})$/s.exec(id) ?? [];
  if (number === undefined) return { host: COMPRESSED.test(id) ? null : basename(id), number: null };
  return { host: host ?? null, number: Number(number) };
}

/** What only the server that received a dump can say. */
const PARTIAL: readonly string[] = ["received-incomplete", "received-holes", "received-no-verdict"];
/** Problems that mean that something was left out, rather than damaged. */
const TRUNCATED: readonly string[] = ["compressed-truncated", "textdump-truncated", "missing-tail"];

function isCut({ code, isCut }: Problem): boolean {
  return isCut === true || TRUNCATED.includes(code);
}

function stateOf({ complete, problems }: Findings): State {
  if (complete === true) return "whole";
  if (problems.some(({ code }) => PARTIAL.includes(code))) return "partial";
  if (problems.some(isCut)) return "truncated";
  return complete === false ? "bad" : "unknown";
}
