/**
 * The memory in a full dump. Without the kernel's symbols its page tables cannot be found, so virtual addresses lead
 * somewhere only where the segments themselves say so (reference kernel-dump-formats.md, sections 3.6 and 5).
 *
 * @module
 */

import { type ElfCore, hasPhysicalAddress } from "./elf_core.ts";
import type { ElfSegment } from "./elf_header.ts";
import { type Memory, type MemoryPiece, missingPiece, pagewise, readFilePieces } from "../memory.ts";
import type { ReadAt } from "../../bytes/source.ts";

const PAGE_SIZE = 4096;

/** The memory in a full dump. */
export function elfMemory(readAt: ReadAt, core: ElfCore): Memory {
  const ranges = core.segments.filter((segment) => hasPhysicalAddress(core, segment)).map((segment) => ({
    start: segment.physicalAddress,
    end: segment.physicalAddress + BigInt(segment.fileSize),
  }));
  return {
    addressBits: core.class,
    untranslated: ranges,
    async *readPhysical(address, length) {
      for (const [at, size] of pagewise(address, length, PAGE_SIZE)) {
        yield* readPhysicalPage(readAt, core, at, at, size);
      }
    },
    async *readVirtual(address, length) {
      for (const [at, size] of pagewise(address, length, PAGE_SIZE)) {
        yield* readVirtualPage(readAt, core, at, size);
      }
    },
  };
}

async function* readPhysicalPage(
  readAt: ReadAt,
  core: ElfCore,
  address: bigint,
  physicalAddress: bigint,
  length: number,
): AsyncGenerator<MemoryPiece> {
  const segment = core.segments.find((s) =>
    hasPhysicalAddress(core, s) && physicalAddress >= s.physicalAddress &&
    physicalAddress < s.physicalAddress + BigInt(s.fileSize)
  );
  if (segment === undefined) {
    yield missingPiece(address, physicalAddress, length, "no segment holds it");
    return;
  }
  const inside = Number(physicalAddress - segment.physicalAddress);
  yield* readSegment(readAt, segment, inside, { address, physicalAddress, length });
}

async function* readVirtualPage(
  readAt: ReadAt,
  core: ElfCore,
  address: bigint,
  length: number,
): AsyncGenerator<MemoryPiece> {
  const { dumpDelta } = core;
  const segment = core.segments.find((s) =>
    !hasPhysicalAddress(core, s) && address >= s.virtualAddress &&
    address < s.virtualAddress + BigInt(s.fileSize)
  );
  if (segment !== undefined) {
    const inside = Number(address - segment.virtualAddress);
    yield* readSegment(readAt, segment, inside, { address, physicalAddress: null, length });
  } else if (dumpDelta !== null && address >= dumpDelta.virtualAddress) {
    const physical = address - dumpDelta.virtualAddress + dumpDelta.physicalAddress;
    yield* readPhysicalPage(readAt, core, address, physical, length);
  } else {
    yield missingPiece(
      address,
      null,
      length,
      "a full dump tells virtual addresses only with the kernel's symbols",
    );
  }
}

/** Reads from a segment, and says what lies behind its end. */
async function* readSegment(
  readAt: ReadAt,
  segment: ElfSegment,
  inside: number,
  piece: { address: bigint; physicalAddress: bigint | null; length: number },
): AsyncGenerator<MemoryPiece> {
  const { address, physicalAddress } = piece;
  const length = Math.min(piece.length, segment.fileSize - inside);
  yield* readFilePieces(readAt, { address, physicalAddress, length, fileOffset: segment.offset + inside });
  if (length === piece.length) return;
  const behind = BigInt(length);
  const physicalBehind = physicalAddress === null ? null : physicalAddress + behind;
  yield missingPiece(address + behind, physicalBehind, piece.length - length, "no segment holds it");
}
