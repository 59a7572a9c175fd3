/**
 * Reads the memory of the machine that crashed, by physical or virtual address, a page at a time.
 *
 * @module
 */

import { type TranslatableMinidump, translate } from "./minidump/address_translation.ts";
import type { ReadAt } from "../bytes/source.ts";

/** A stretch of memory inside one page: its bytes, or why there are none. */
export type MemoryPiece =
  & {
    /** The address as asked for: virtual or physical. */
    readonly address: bigint;
    readonly length: number;
    /** `null` if a virtual address leads nowhere. */
    readonly physicalAddress: bigint | null;
  }
  & (
    | { readonly bytes: Uint8Array; readonly fileOffset: number }
    | { readonly bytes: null; readonly missing: string }
  );

/** The memory that a dump holds. Reading never throws for what is missing: pieces say so. */
export interface Memory {
  /** Bits of an address, for printing: 32 or 64. */
  readonly addressBits: 32 | 64;
  /** Physical ranges of a dump whose virtual addresses only the kernel's own page tables tell; else absent. */
  readonly untranslated?: readonly { readonly start: bigint; readonly end: bigint }[];
  readPhysical(address: bigint, length: number): AsyncGenerator<MemoryPiece>;
  readVirtual(address: bigint, length: number): AsyncGenerator<MemoryPiece>;
}

/** The memory in a minidump. */
export function minidumpMemory(dump: TranslatableMinidump): Memory {
  const { pageSize, wordSize } = dump.minidump;
  return {
    addressBits: wordSize === 8 ? 64 : 32,
    async *readPhysical(address, length) {
      for (const [at, size] of pagewise(address, length, pageSize)) {
        yield* readPage(dump, at, at, size);
      }
    },
    async *readVirtual(address, length) {
      for (const [at, size] of pagewise(address, length, pageSize)) {
        const translation = await translate(dump, at);
        if (translation.kind === "mapped") {
          yield* readPage(dump, at, BigInt(translation.physicalAddress), size);
        } else {
          yield missingPiece(at, null, size, translation.reason);
        }
      }
    },
  };
}

/** Splits a stretch of addresses at page boundaries. */
export function* pagewise(
  address: bigint,
  length: number,
  pageSize: number,
): Generator<readonly [address: bigint, length: number]> {
  let done = 0;
  while (done < length) {
    const at = address + BigInt(done);
    const size = Math.min(length - done, pageSize - Number(at % BigInt(pageSize)));
    yield [at, size];
    done += size;
  }
}

/** Reads from the file what should stand there for one piece of memory: two pieces where the file ends inside it. */
export async function* readFilePieces(
  readAt: ReadAt,
  place: { address: bigint; physicalAddress: bigint | null; length: number; fileOffset: number },
): AsyncGenerator<MemoryPiece> {
  const { address, physicalAddress, length, fileOffset } = place;
  const bytes = await readAt(fileOffset, length);
  const found = bytes.byteLength;
  if (found > 0) yield { address, length: found, physicalAddress, fileOffset, bytes };
  if (found === length) return;
  const rest = BigInt(found);
  yield missingPiece(
    address + rest,
    physicalAddress === null ? null : physicalAddress + rest,
    length - found,
    "the file ends before it",
  );
}

/** A piece of memory that the dump does not hold. */
export function missingPiece(
  address: bigint,
  physicalAddress: bigint | null,
  length: number,
  missing: string,
): MemoryPiece {
  return { address, length, physicalAddress, bytes: null, missing };
}

async function* readPage(
  { readAt, minidump, pageMap }: TranslatableMinidump,
  address: bigint,
  physicalAddress: bigint,
  length: number,
): AsyncGenerator<MemoryPiece> {
  const physical = Number(physicalAddress);
  const location = Number.isSafeInteger(physical)
    ? await pageMap.find(physical)
    : { kind: "no-such-memory" } as const;
  if (location.kind === "page") {
    const fileOffset = location.fileOffset + physical % minidump.pageSize;
    yield* readFilePieces(readAt, { address, physicalAddress, length, fileOffset });
  } else {
    const reason = location.kind === "not-in-dump"
      ? "the kernel did not dump this page"
      : "the machine has no such memory";
    yield missingPiece(address, physicalAddress, length, reason);
  }
}
