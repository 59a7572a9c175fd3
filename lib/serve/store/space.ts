/**
 * Room on the disks that a dump needs: its own, and the one with its journal. Each is asked for itself: a path below
 * another mount point has its own.
 *
 * @module
 */
import type { FileSystem } from "../../os/file_system.ts";

/** What is to be kept free of each file system: bytes, or a share of it. */
export type MinFree = number | { readonly percent: number };

/** Room on one file system, in bytes. */
export interface Room {
  readonly directory: string;
  readonly freeBytes: number;
  /** To be kept free. */
  readonly keptBytes: number;
  readonly totalBytes: number;
}

/**
 * The room in whichever of the directories has least to spare; `undefined` if their file systems do not tell. A write will.
 */
export function leastRoom(
  fs: FileSystem,
  directories: readonly string[],
  minFree: MinFree,
): Room | undefined {
  const rooms = [...new Set(directories)].flatMap((directory) => roomIn(fs, directory, minFree) ?? []);
  return rooms.toSorted((a, b) => spare(a) - spare(b))[0];
}

/** Bytes that may still be written below all of the directories. */
export function spareBytes(fs: FileSystem, directories: readonly string[], minFree: MinFree): number {
  const room = leastRoom(fs, directories, minFree);
  return room === undefined ? Infinity : spare(room);
}

function spare({ freeBytes, keptBytes }: Room): number {
  return freeBytes - keptBytes;
}

function roomIn(fs: FileSystem, directory: string, minFree: MinFree): Room | undefined {
  try {
    const { freeBytes, totalBytes } = fs.space(directory);
    const keptBytes = typeof minFree === "number" ? minFree : Math.round(totalBytes * minFree.percent / 100);
    return { directory, freeBytes, keptBytes, totalBytes };
  } catch {
    return undefined;
  }
}
