/**
 * A kernel dump header for the bench's dumps.
 *
 * @module
 */
import { encodeKernelDumpHeader, Magic } from "../../lib/kerneldump/files/header.ts";

/** The header of a dump of the given length. */
export function benchHeader(dumpLength: number): Uint8Array<ArrayBuffer> {
  return encodeKernelDumpHeader({
    magic: Magic.DUMP,
    architecture: "amd64",
    version: 4,
    architectureVersion: 2,
    dumpLength,
    dumpExtent: dumpLength,
    dumpTime: 1_700_000_000,
    dumpKeySize: 0,
    blockSize: 4096,
    compression: "none",
    hostname: "bench",
    versionString: "FreeBSD bench",
    panicString: "bench",
  });
}
