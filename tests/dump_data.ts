/**
 * Contents of dumps for tests: bytes from a seed, and the kernel dump header that belongs to them.
 */
import {
  encodeKernelDumpHeader,
  type KernelDumpHeaderFields,
  Magic,
} from "../lib/kerneldump/files/header.ts";

/** Bytes from a seed: no two blocks are alike, none is zero. */
export function dumpBytes(seed: number, size: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

/** A header of version 4 as a FreeBSD 14 kernel fills it, but for the given fields. */
export function dumpHeader(
  dumpLength: number,
  fields: Partial<KernelDumpHeaderFields> = {},
): Uint8Array<ArrayBuffer> {
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
    hostname: "crashed.example.org",
    versionString: "FreeBSD 14.0-RELEASE #0 releng/14.0\n",
    panicString: "page fault",
    ...fields,
  });
}

/** Tells whether a file holds just these bytes. */
export function sameBytes(path: string, expected: Uint8Array): boolean {
  const found = Deno.readFileSync(path);
  if (found.byteLength !== expected.byteLength) return false;
  return found.every((byte, i) => byte === expected[i]);
}
