/**
 * What `netdump inspect` does instead of telling its findings: print memory, write the decrypted dump.
 *
 * @module
 */

import type { Examination } from "../../inspect/examine.ts";
import { type Kind, whyUnreadable } from "../../inspect/findings.ts";
import { readVirtualMemory } from "../../inspect/read_kernel.ts";
import { formatCoreTextReport } from "../../inspect/tell/core_text_report.ts";
import { formatHexDump } from "../../inspect/tell/hex_dump.ts";
import { describeError } from "../../os/system_error.ts";
import { endOfDump, SourceReadError, writeDump } from "../../inspect/write_dump.ts";
import type { MemoryPiece } from "../../kerneldump/memory.ts";
import { PROBLEMS } from "../../kerneldump/problem.ts";
import { quote } from "../../text/escape.ts";
import { formatBytes } from "../../text/units.ts";
import { ByteProgress } from "../byte_progress.ts";
import { OperationError } from "../exit_status.ts";
import { onInterrupt } from "../interrupt.ts";
import type { Options } from "./options.ts";
import { writeLines, writeStdout } from "../output.ts";

/** Bytes of memory that are printed if nobody says how many. */
const DEFAULT_LENGTH = 256;

/**
 * Prints a member of a textdump, escaped.
 *
 * @returns whether all of it was there
 * @throws {OperationError} if the file is no textdump, or has no such member
 */
export async function printMember({ findings, readMember }: Examination, name: string): Promise<boolean> {
  if (readMember === null) {
    throw new OperationError(`${quote(findings.file)} has no members: it is no textdump`);
  }
  const text = await readMember(name);
  if (text === null) {
    const names = findings.textdump?.members.map((member) => quote(member.name)).join(", ") ?? "";
    throw new OperationError(`${quote(findings.file)} has no member ${quote(name)}, only ${names || "none"}`);
  }
  await writeLines(text);
  return findings.textdump?.members.find((member) => member.name === name)?.complete ?? false;
}

/**
 * Prints a report of the dump as crashinfo writes it.
 *
 * @returns `true`: whether the dump is whole is not asked
 * @throws {OperationError} if there is no dump to report on
 */
export async function printCoreText({ findings, readMember }: Examination): Promise<true> {
  const { file, kind, messages, header } = findings;
  const isDump = REPORTED.includes(kind);
  if (!isDump || (messages === null && header === null)) {
    const why = isDump || kind === "unknown" ? whyUnreadable(findings) : "It is no dump";
    throw new OperationError(`${quote(file)} tells nothing to report${why === undefined ? "" : `. ${why}`}`);
  }
  const config = await readMember?.("config.txt", CONFIG_LIMIT) ?? null;
  await writeStdout(formatCoreTextReport(findings, { config }, new Date()));
  return true;
}

/** A kernel's configuration has some KiB. */
const CONFIG_LIMIT = 2 ** 20;
/** What a report can be about. */
const REPORTED: readonly Kind[] = ["minidump", "elf-core", "textdump"];

/**
 * Prints memory, as a hex dump or raw.
 *
 * @returns whether all of it was there
 */
export async function printMemory(
  { findings, memory: found }: Examination,
  options: Options,
): Promise<boolean> {
  if (found === null) {
    const why = whyUnreadable(findings);
    throw new OperationError(
      `${quote(findings.file)} holds no memory${
        why === undefined ? ": it is no minidump or full dump" : `. ${why}`
      }`,
    );
  }
  const memory = options.virtual === undefined
    ? found
    : await readVirtualMemory(found, findings.elf?.machine ?? null, options.kernel);
  const address = options.virtual ?? options.physical ?? 0n;
  const space = 2n ** BigInt(memory.addressBits);
  if (address >= space) {
    throw new OperationError(
      `0x${address.toString(16)} is no address of a ${memory.addressBits}-bit machine`,
    );
  }
  const length = Math.min(options.length ?? DEFAULT_LENGTH, Number(space - address));
  const pieces = options.virtual === undefined
    ? memory.readPhysical(address, length)
    : memory.readVirtual(address, length);
  return options.raw ? await printRaw(pieces) : await printHex(pieces, memory.addressBits);
}

async function printHex(pieces: AsyncIterable<MemoryPiece>, addressBits: 32 | 64): Promise<boolean> {
  let complete = true;
  const watched = async function* () {
    for await (const piece of pieces) {
      complete &&= piece.bytes !== null;
      yield piece;
    }
  };
  for await (const line of formatHexDump(watched(), addressBits)) await writeStdout(line);
  return complete;
}

/** Raw bytes stop at the first gap: zeros in its place would pass for memory. */
async function printRaw(pieces: AsyncIterable<MemoryPiece>): Promise<boolean> {
  if (Deno.stdout.isTerminal()) {
    throw new OperationError("--raw does not print to a terminal: redirect it to a file");
  }
  for await (const piece of pieces) {
    if (piece.bytes === null) {
      throw new OperationError(`Nothing to print from 0x${piece.address.toString(16)} on: ${piece.missing}`);
    }
    await writeStdout(piece.bytes);
  }
  return true;
}

/** Writes the dump without its encryption to a new file. */
export async function writePlainDump(examination: Examination, path: string): Promise<boolean> {
  const { findings, decrypted } = examination;
  const missing = findings.problems.find(({ code }) =>
    code === "encrypted" || code === "key-missing" || code === "key-damaged"
  );
  if (missing !== undefined) {
    throw new OperationError(`Cannot decrypt ${quote(findings.file)}: ${missing.message}`);
  }
  if (decrypted === null || findings.kind === "unknown") {
    throw new OperationError(`Cannot write ${quote(path)}: ${quote(findings.file)} holds no dump`);
  }
  const progress = new ByteProgress(path);
  let isCreated = false;
  using _interrupt = onInterrupt((status) => {
    progress.stop();
    if (isCreated) Deno.removeSync(path);
    console.error(`netdump: Interrupted${isCreated ? `: ${quote(path)} is removed` : ""}`);
    Deno.exit(status);
  });
  let written: number;
  try {
    written = await writeDump(decrypted, endOfDump(decrypted, findings.header), path, {
      onCreated: () => isCreated = true,
      onProgress: progress.update,
    });
  } catch (error) {
    if (error instanceof SourceReadError) {
      const where = `${quote(findings.file)} ${error.message}`;
      throw new OperationError(
        `Cannot read ${where}: ${describeError(error.cause)}; ${quote(path)} is removed`,
      );
    }
    throw new OperationError(`Cannot write ${quote(path)}: ${describeError(error)}`);
  } finally {
    progress.stop();
    isCreated = false;
  }
  const compression = findings.layers.at(-1);
  const still = compression === "gzip" || compression === "zstd"
    ? `, still compressed with ${compression}`
    : "";
  console.error(`netdump: Wrote ${quote(path)}: ${formatBytes(written)}${still}`);
  const bad = findings.problems.find(({ code }) => PROBLEMS[code].complete === false);
  if (bad !== undefined) console.error(`netdump: It is not whole: ${bad.message}`);
  return bad === undefined;
}
