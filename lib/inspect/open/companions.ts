/**
 * The files that lie beside a dump and belong to it by their names: `kdh.*`, `info.*`, `key.*` (reference
 * kernel-dump-formats.md, section 2.1; netdump-protocol.md, section 5.3).
 *
 * @module
 */

import { basename, dirname, join } from "@std/path";
import { parseDumpName } from "../../kerneldump/files/dump_name.ts";
import {
  decodeKernelDumpHeader,
  decodeNewerHeader,
  type KernelDumpHeader,
  type NewerKernelDumpHeader,
} from "../../kerneldump/files/header.ts";
import { type InfoFile, MAX_INFO_BYTES, parseInfo } from "../../kerneldump/files/read_info.ts";
import { MAX_ENCRYPTED_KEY_SIZE } from "../../kerneldump/files/key.ts";
import { type Problem, problem } from "../../kerneldump/problem.ts";
import { quote } from "../../text/escape.ts";
import { readSmallFile } from "../../os/small_file.ts";
import { describeError } from "../../os/system_error.ts";
import { decodeUtf8 } from "../../text/utf8.ts";

/** What lies beside a dump. */
export interface Companions {
  readonly header: { readonly name: string; readonly header: KernelDumpHeader } | null;
  /** A header of a version that is not known: then `header` is `null`. */
  readonly newerHeader: { readonly name: string; readonly header: NewerKernelDumpHeader } | null;
  readonly info: { readonly name: string; readonly info: InfoFile } | null;
  /** The key block, undecoded. */
  readonly key: { readonly name: string; readonly bytes: Uint8Array } | null;
  readonly problems: readonly Problem[];
}

const KEY_LIMIT = 4 * MAX_ENCRYPTED_KEY_SIZE;

/** Names of the files that may lie beside a dump and are read with it. */
export function companionNames(dump: string): string[] {
  const name = parseDumpName(dump);
  return name === undefined ? [] : ["info", "kdh", "key"].map((prefix) => `${prefix}.${name.id}`);
}

/**
 * Reads what lies beside a dump: in its directory, or given by name. What is absent is `null`; what cannot be read is a
 * problem.
 *
 * @param given contents by name
 * @param names of the files in its directory, where they are known
 */
export function readCompanions(
  path: string,
  given?: ReadonlyMap<string, Uint8Array>,
  names?: readonly string[],
): Companions {
  const real = given === undefined && names === undefined ? resolveLink(path) : path;
  const name = parseDumpName(basename(real));
  if (name.id === null) return { header: null, newerHeader: null, info: null, key: null, problems: [] };
  const problems: Problem[] = [];
  const read = (prefix: string, limit: number) => {
    const beside = `${prefix}.${name.id}`;
    // A file is not its own companion.
    if (beside === basename(real)) return null;
    if (names?.includes(beside) === false) return null;
    const bytes = given === undefined
      ? readIfThere(join(dirname(real), beside), limit, problems)
      : given.get(beside)?.slice(0, limit) ?? null;
    return bytes === null ? null : { name: beside, bytes };
  };
  const info = read("info", MAX_INFO_BYTES);
  const infoFile = info === null ? undefined : parseInfo(decodeUtf8(info.bytes));
  const kdh = read("kdh", KEY_LIMIT);
  const newer = kdh === null ? undefined : decodeNewerHeader(kdh.bytes);
  if (kdh !== null && newer !== undefined) problems.push(newerHeaderProblem(kdh.name, newer));
  return {
    header: newer === undefined ? decodeHeader(kdh, problems) : null,
    newerHeader: kdh === null || newer === undefined ? null : { name: kdh.name, header: newer },
    info: info === null || infoFile === undefined ? null : { name: info.name, info: infoFile },
    key: read("key", KEY_LIMIT),
    problems,
  };
}

/** That a header's version is not known. */
export function newerHeaderProblem(name: string, { version }: NewerKernelDumpHeader): Problem {
  return problem(
    "header-version-newer",
    `${
      quote(name)
    } is a kernel dump header of version ${version}, newer than what is known: it tells the architecture \
and the length only`,
  );
}

/** Links such as `vmcore.<host>.last` lead to the name that companions go by. */
function resolveLink(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}

function readIfThere(path: string, limit: number, problems: Problem[]): Uint8Array | null {
  try {
    return readSmallFile(path, limit);
  } catch (error) {
    // What is no file is nobody's companion.
    if (error instanceof Deno.errors.NotFound || error instanceof TypeError) return null;
    problems.push(
      problem("companion-unreadable", `Cannot read ${quote(basename(path))}: ${describeError(error)}`),
    );
    return null;
  }
}

function decodeHeader(
  file: { name: string; bytes: Uint8Array } | null,
  problems: Problem[],
): Companions["header"] {
  if (file === null) return null;
  try {
    return { name: file.name, header: decodeKernelDumpHeader(file.bytes) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    problems.push(
      problem("header-damaged-beside", `${quote(file.name)} is no kernel dump header: ${error.message}`),
    );
    return null;
  }
}
