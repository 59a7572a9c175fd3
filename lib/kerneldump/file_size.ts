/**
 * Whether a file is as long as the dump in it (reference kernel-dump-formats.md, sections 2.1 and 3.1).
 *
 * @module
 */

import { type Problem, problem } from "./problem.ts";

/** What is known about the file that holds a dump. */
export interface DumpFile {
  /** Bytes of the plain dump, or `null` if that is not known without reading all of it. */
  readonly size: number | null;
  /** Whether zeros at the end may have been left out, as savecore does; a dump received from the network has all. */
  readonly maybeSparse: boolean;
}

/** What a dump says about its own size. */
export interface ExpectedSize {
  readonly size: number;
  /** What the size is the sum of: "sections", "segments". */
  readonly parts: string;
  /** The offset from which on a missing tail may be zeros. */
  readonly zerosFrom: number;
  /** Names the part in which an offset lies. */
  partAt(offset: number): string;
}

/** savecore leaves out zeros in blocks of this size. */
const SPARSE_BLOCK_SIZE = 4096;

/** Compares a file with what the dump in it says. */
export function checkFileSize({ size, maybeSparse }: DumpFile, expected: ExpectedSize): Problem[] {
  if (size === null || size === expected.size) return [];
  const sum = `the ${expected.size} of the dump's ${expected.parts}`;
  if (size > expected.size) {
    return [problem("size-mismatch", `The file has ${size} bytes, ${size - expected.size} more than ${sum}`)];
  }
  const missing = expected.size - size;
  const fewer = `The file has ${size} bytes, ${missing} fewer than ${sum}`;
  if (maybeSparse && missing % SPARSE_BLOCK_SIZE === 0 && size >= expected.zerosFrom) {
    return [
      problem("missing-tail", `${fewer}: either savecore left out zeros at the end, or the copy was cut`),
    ];
  }
  return [{ ...problem("size-mismatch", `${fewer}: it ends in ${expected.partAt(size)}`), isCut: true }];
}
