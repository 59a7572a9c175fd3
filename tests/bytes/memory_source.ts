import type { Source } from "../../lib/bytes/source.ts";

/** Bytes in memory as a source that can be read anywhere. */
export function memorySource(bytes: Uint8Array): Source {
  return {
    size: bytes.byteLength,
    randomAccess: true,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
    close: () => {},
  };
}
