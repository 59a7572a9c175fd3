/**
 * Whether a dump is whole, as far as the things around it tell: its header, the verdict of whoever saved it, its name.
 *
 * @module
 */

import type { InfoFile } from "../../kerneldump/files/read_info.ts";
import { type Problem, problem } from "../../kerneldump/problem.ts";
import { quote } from "../../text/escape.ts";
import type { HeaderFacts } from "../findings.ts";
import type { OpenedLayers } from "../open/layers.ts";

/** netdump's block size: the most padding behind compressed or encrypted data. */
const MAX_BLOCK = 4096;

/** What is known about the sizes of a dump. */
export interface Sizes {
  /** Bytes of the plain dump; `null` if it was not decompressed to its end. */
  readonly plain: number | null;
  /** What the dump's own parts add up to; `null` if it does not tell. */
  readonly expected: number | null;
}

/** Compares a dump with the length in its kernel dump header. */
export function judgeLength(header: HeaderFacts, opened: OpenedLayers, sizes: Sizes): Problem[] {
  const { dumpLength } = header;
  if (dumpLength === null) return [];
  // Whether its length counts compressed bytes or plain ones is not known.
  if (header.compression === null && (header.version ?? 0) > 4 && opened.compressed.length > 0) return [];
  const layer = kernelLayer(header, opened);
  const { plain, expected } = sizes;
  if (layer === undefined && expected !== null) {
    // How the file compares with its own parts is judged where those are known.
    if (expected === dumpLength) return [];
    return [
      problem(
        "header-mismatch",
        `${quote(header.source)} tells of a dump of ${dumpLength} bytes, but this one's \
parts add up to ${expected}: it belongs to another dump, or is damaged`,
      ),
    ];
  }
  const stored = layer === undefined
    ? (opened.decrypted === null ? opened.source.size : plain)
    : layer.input.size;
  if (stored === null || stored === dumpLength) return judgeExtent(header, sizes);
  const padded = layer !== undefined || opened.layers.includes("encrypted");
  if (padded && stored > dumpLength && stored - dumpLength < MAX_BLOCK) return judgeExtent(header, sizes);
  const difference = stored > dumpLength ? `${stored - dumpLength} more` : `${dumpLength - stored} fewer`;
  const message = `The dump has ${stored} bytes, ${difference} than the ${dumpLength} in ${
    quote(header.source)
  }`;
  const found = problem("length-mismatch", message);
  return [stored < dumpLength ? { ...found, isCut: true } : found];
}

/** The compressed layer that the kernel made, whose compressed bytes the header counts; savecore's own it does not. */
function kernelLayer(
  header: HeaderFacts,
  { compressed }: OpenedLayers,
): OpenedLayers["compressed"][number] | undefined {
  return compressed.findLast(({ compression }) => compression === header.compression);
}

/** Whether the header's length vouches for a dump whose compression or encryption was not looked through to its end. */
export function headerVouches(header: HeaderFacts | null, opened: OpenedLayers): boolean {
  if (header === null || header.dumpLength === null) return false;
  const stored = opened.decrypted === null ? opened.source : kernelLayer(header, opened)?.input;
  const size = stored?.size ?? null;
  return size !== null && size >= header.dumpLength && size - header.dumpLength < MAX_BLOCK;
}

function judgeExtent({ source, dumpExtent, compression }: HeaderFacts, { plain }: Sizes): Problem[] {
  if (plain === null || !dumpExtent || compression === "none" || compression === null) return [];
  if (plain === dumpExtent) return [];
  const message = `Decompressed, the dump has ${plain} bytes; the dump extent in ${
    quote(source)
  } is ${dumpExtent}`;
  return [problem("extent-mismatch", message)];
}

/** The kernel's names of the architectures, by those of minidumps and ELF cores. */
const MACHINE_ARCHITECTURES: Readonly<Record<string, RegExp>> = {
  arm64: /^aarch64/,
  arm: /^arm/,
  riscv: /^riscv/,
  riscv64: /^riscv/,
  mips: /^mips/,
  powerpc: /^powerpc/,
  powerpc64: /^powerpc/,
};

/** Compares the architecture of a dump with that in its kernel dump header. */
export function judgeArchitecture(header: HeaderFacts, architecture: string): Problem[] {
  if (header.architecture === null || header.architecture === architecture) return [];
  if (MACHINE_ARCHITECTURES[architecture]?.test(header.architecture)) return [];
  const message = `${quote(header.source)} tells of a dump of ${
    quote(header.architecture)
  }, but this one is of \
${architecture}: it belongs to another dump`;
  return [problem("header-mismatch", message)];
}

/** Labels under which our server lists what never arrived. */
const HOLES = /^missing\b/i;

/** What the info file says about the dump: the verdict of netdumpd, of our server or of savecore. */
export function judgeInfo(info: InfoFile): Problem[] {
  const problems: Problem[] = [];
  const holes = info.others.filter(([label]) => HOLES.test(label)).map(([, value]) => value).join(", ");
  if (holes !== "") {
    problems.push(problem("received-holes", `Ranges that never arrived: ${quote(holes, 500)}`));
  }
  if (info.client !== null && info.ending === null) {
    problems.push(problem(
      "received-no-verdict",
      "The info file has no verdict: the dump is still arriving, or the server was stopped",
    ));
  } else if (info.ending !== null && info.ending !== "Dump complete") {
    problems.push(
      problem("received-incomplete", `The server that received it says: ${quote(info.ending, 500)}`),
    );
  }
  if (info.dumpStatus === "bad") {
    problems.push(
      problem("savecore-bad", "savecore says that it is bad: its headers differ, or their parity is wrong"),
    );
  } else if (info.dumpStatus === "unknown") {
    problems.push(problem("savecore-unknown", "savecore could not tell whether it is good"));
  }
  return problems;
}
