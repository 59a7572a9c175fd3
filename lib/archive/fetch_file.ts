/**
 * Fetches what was shipped into a file: what an earlier try left is gone on with, and the file gets its name only when its
 * sum is right.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { dirname } from "@std/path";
import type { Source } from "../bytes/source.ts";
import type { FileSystem } from "../os/file_system.ts";
import { quote } from "../text/escape.ts";
import { StoreError } from "./store_error.ts";
import type { Sums } from "./transfer.ts";

const PIECE_BYTES = 4 * 2 ** 20;
/** Pieces that are asked for at once. */
const PIECES_AHEAD = 4;
const PARTIAL_SUFFIX = ".partial";

/** What is to be fetched. */
export interface Fetch {
  /** The file as it was received. */
  readonly source: Source & { readonly size: number };
  /** What it must be; `null` if nobody knows. */
  readonly sums: Sums | null;
  readonly path: string;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

/** Where what was fetched lies until it is whole. */
export function partialPath(path: string): string {
  return `${path}${PARTIAL_SUFFIX}`;
}

/**
 * Fetches a file that must not exist yet.
 *
 * @returns bytes that an earlier try had fetched
 * @throws {StoreError} if the store fails, or what came is not what was shipped
 * @throws {Error} of the file system; what was fetched stays beside, and is gone on with
 */
export async function fetchFile(fs: FileSystem, { source, sums, path, onProgress }: Fetch): Promise<number> {
  const partial = partialPath(path);
  if (sums !== null && sums.bytes !== source.size) throw notAsShipped(path, "length");
  const fd = fs.entry(partial) === undefined ? fs.create(partial, 0o600) : fs.reopen(partial);
  let heldBytes = fs.sizeOf(fd);
  try {
    for (;;) {
      if (heldBytes > source.size) fs.truncate(fd, heldBytes = 0);
      const sha256 = createHash("sha256");
      readHeld(fs, fd, heldBytes, sha256);
      await writeRest(fs, fd, heldBytes, sha256, source, onProgress);
      if (sums === null || sha256.digest("hex") === sums.sha256) break;
      fs.truncate(fd, 0);
      // What was there may have been of another dump.
      if (heldBytes === 0) throw notAsShipped(path, "sum");
      heldBytes = 0;
    }
    await fs.sync(fd);
  } finally {
    fs.close(fd);
  }
  fs.renameExclusively(partial, path);
  await fs.syncDirectory(dirname(path));
  return heldBytes;
}

function readHeld(fs: FileSystem, fd: number, sizeBytes: number, sha256: Hash): void {
  const bytes = new Uint8Array(Math.min(PIECE_BYTES, sizeBytes));
  for (let at = 0; at < sizeBytes;) {
    const count = fs.read(fd, bytes, 0, Math.min(bytes.length, sizeBytes - at), at);
    if (count === 0) throw new Error("The file became shorter while it was read");
    sha256.update(bytes.subarray(0, count));
    at += count;
  }
}

async function writeRest(
  fs: FileSystem,
  fd: number,
  startBytes: number,
  sha256: Hash,
  source: Fetch["source"],
  onProgress: Fetch["onProgress"],
): Promise<void> {
  const coming: Promise<Uint8Array>[] = [];
  for (let asked = startBytes, at = startBytes; at < source.size;) {
    while (asked < source.size && coming.length < PIECES_AHEAD) {
      const piece = source.read(asked, PIECE_BYTES);
      // Whoever awaits it sees that it failed.
      piece.catch(() => {});
      coming.push(piece);
      asked += PIECE_BYTES;
    }
    const bytes = await coming.shift()!;
    const wanted = Math.min(PIECE_BYTES, source.size - at);
    if (bytes.length < wanted) {
      throw new StoreError(
        "damaged",
        `What is stored is damaged behind its first ${at + bytes.length} bytes`,
      );
    }
    fs.write(fd, bytes, 0, bytes.length, at);
    sha256.update(bytes);
    at += bytes.length;
    onProgress(at, source.size);
  }
}

function notAsShipped(path: string, what: string): StoreError {
  return new StoreError("damaged", `${quote(path)} would have another ${what} than what was shipped`);
}
