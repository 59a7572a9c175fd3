/**
 * Turns of a thread that both computes and sends.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { setImmediate } from "node:timers";

const SLICE_BYTES = 2 ** 20;

/** Lets what waits on this thread have its turn. */
export function takeTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** MD5 and SHA-256 of bytes, computed in turns. */
export async function sumsOf(bytes: Uint8Array): Promise<{ readonly md5: string; readonly sha256: string }> {
  const [md5, sha256] = [createHash("md5"), createHash("sha256")];
  await hashInTurns(bytes, md5, sha256);
  return { md5: md5.digest("hex"), sha256: sha256.digest("hex") };
}

/** Adds bytes to sums in turns. */
export async function hashInTurns(bytes: Uint8Array, ...hashes: readonly Hash[]): Promise<void> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    const slice = bytes.subarray(at, at + SLICE_BYTES);
    for (const hash of hashes) hash.update(slice);
    if (at + SLICE_BYTES < bytes.length) await takeTurn();
  }
}
